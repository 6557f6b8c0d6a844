//! Certificate signing requests: a key that is made here, and what an authority is to put its name to.
//!
//! ```text
//! Draft ─► Details ─► RequestKey, request_pem ─► state/requests/<id>/ ─► (the authority) ─► certificate
//! ```

mod details;
mod form;
mod key;
mod kind;
#[cfg(test)]
mod openssl;
mod order;
mod pkcs10;
mod subject;
#[cfg(test)]
mod tests;

pub use details::{Details, Draft};
pub use form::{FieldMistake, Mistakes};
pub use key::{KeyError, RequestKey};
pub use kind::{KeyAlgorithm, RequestKind};
pub use order::{Order, OrderDraft, Reminder, ReminderDraft, ValidationFile, ValidationFileDraft};
pub use pkcs10::request_pem;
pub use subject::Subject;
