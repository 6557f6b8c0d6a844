//! What clients are shown instead of what is published, in English.

use crate::words::instead::Instead;

pub(in crate::words) fn instead(instead: &Instead) -> String {
    match instead {
        Instead::OtherCertificate { listener, key, shown, published, file } => format!(
            "{listener} shows who asks for the {key} certificate the one with the fingerprint {shown}…, and {published}… of \
             {file} is published"
        ),
        Instead::UnpublishedCertificate { listener, shown } => {
            format!("{listener} shows the certificate with the fingerprint {shown}…, and none is published")
        }
        Instead::NoCertificate { listener, text } => format!("{listener}: {text}"),
        Instead::OtherContent { url, listener, expected, found } => {
            format!("{url} at {listener}: expected the {expected} octets that are kept, found {found} others")
        }
        Instead::OtherStatus { url, listener, status } => {
            format!("{url} at {listener}: expected the status 200, found {status:?}")
        }
        Instead::NoContent { url, listener, text } => format!("{url} at {listener}: {text}"),
    }
}
