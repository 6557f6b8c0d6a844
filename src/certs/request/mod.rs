//! Certificate signing requests: a key that is made here, and what an authority is to put its name to.
//!
//! ```text
//! Draft ─► Details ─► RequestKey, request_pem ─► state/requests/<id>/ ─► (the authority) ─► certificate
//! ```

mod answers;
mod details;
mod form;
mod keeper;
mod key;
mod kind;
#[cfg(test)]
mod openssl;
mod order;
mod pkcs10;
mod record;
mod returned;
mod subject;
#[cfg(test)]
mod tests;

pub(super) use answers::{Answer, Offer, SetAside};
pub use details::{Details, Draft};
pub use form::{FieldMistake, Mistakes};
pub use keeper::{RequestError, Requests};
pub use key::{KeyError, RequestKey};
pub use kind::{KeyAlgorithm, RequestKind};
pub use order::{Order, OrderDraft, Reminder, ReminderDraft, ValidationFile, ValidationFileDraft};
pub use pkcs10::{request_for_names, request_pem};
pub use record::{ListedRequest, ReceivedCertificate, Request, RequestStatus};
pub use returned::Returned;
pub use subject::Subject;
