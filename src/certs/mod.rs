//! How a certificate gets in: from a file in the drop folder to the index that the hot path reads.
//!
//! ```text
//! walk ─► scan ─► formats, certificate, parts ─► pairing, chain ─► bundle ─► shelf ─► ranking ─► index
//!                                  upload ─┘                           │  ▲
//!                                                                      ▼  │
//!                                   request (keys) ─► pairing          library ─► store
//! ```
//!
//! [`Folders`] says whose word counts for which name, [`Roots`] whom clients trust. [`Intake`] is the single writer; it looks at the folder when [`crate::folder_watch`] says so, when a deadline of the shelf
//! has come, and when it is asked to. What the operator is told of it is the [`Ledger`]. What clients will have against a
//! certificate is a matter of [`warnings`]; [`inspect`] does all this to files that lie anywhere. What was accepted lasts in the
//! library, as versions that can be gone back to. [`Requests`] keeps the keys that were made here; the certificate for one is
//! taken in wherever it comes from. [`TruthCheck`] looks from outside whether what was published is what clients are shown.

mod alarms;
mod apple_pay;
mod bounded;
mod bundle;
mod certificate;
mod chain;
mod challenge;
mod choices;
mod doorplate;
mod export;
mod fate;
mod flaw;
mod folders;
mod formats;
mod found;
mod ground;
mod inspect;
mod intake;
mod judgement;
mod kept;
mod known;
mod ledger;
mod library;
mod local_ca;
mod minimum;
mod objects;
mod pairing;
mod pairs;
mod part;
mod parts;
mod password;
mod path;
mod public_key;
mod ranking;
mod request;
mod roots;
mod scan;
mod self_signed;
mod serial;
mod shelf;
mod stand_in;
mod strength;
mod survey;
mod terms;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod trails;
mod traits;
mod truth;
mod upload;
mod walk;
mod well_known;

pub use alarms::AlarmCode;
pub use apple_pay::ApplePayPurpose;
pub use bundle::Bundle;
pub use challenge::challenge_certificate;
pub use choices::{Choice, NotChosen, SiteChoice, decided_minimums};
pub use doorplate::{Doorplate, NotMade};
pub use export::{Export, NotExported};
pub use flaw::Flaw;
pub use folders::{Folder, Folders};
pub use inspect::{Authority, InspectedFile, Inspection, inspect};
pub use intake::{Choosing, Demanding, Intake, IntakeHandle};
pub use judgement::{ABOUT_A_SITE, Circumstances, Minimums, SiteDemands, Sites, Verdict, warnings};
pub use kept::{Kept, NotFound};
pub use ledger::{Alarm, HeldBack, Ledger, Loads, Notice, NoticeState};
pub use library::{Revocation, Source, TurnedDown, Version, verify};
pub use local_ca::{Issued, KeyKind, LocalCa, LocalCaError, valid_for};
pub use minimum::{Effect, LEVELS, Minimum, SiteMinimum, minimum_of};
pub use objects::{
    ApplePayCertificate, End, EndFrom, NewContent, NewObject, NotKept, Object, ObjectKind, ObjectVersion,
    ReadCertificate,
};
pub use request::{
    Details, Draft, FieldMistake, KeyAlgorithm, KeyError, ListedRequest, Mistakes, Order, OrderDraft,
    ReceivedCertificate, Reminder, ReminderDraft, Request, RequestError, RequestKey, RequestKind, RequestStatus,
    Requests, Returned, Subject, ValidationFile, ValidationFileDraft, request_for_names, request_pem,
};
pub use roots::Roots;
pub use serial::in_decimal;
pub use shelf::{Arrival, NotDeleted, NotGoneBack};
pub use survey::{Survey, survey};
pub use terms::{SiteTerms, Terms};
pub use truth::{Appearance, Checked, Contradiction, Offer, Onlooker, Truth, TruthCheck};
pub use upload::{NotReceived, Received, Upload};
