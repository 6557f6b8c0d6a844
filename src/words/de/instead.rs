//! What clients are shown instead of what is published, in German.

use crate::words::instead::Instead;

pub(in crate::words) fn instead(instead: &Instead) -> String {
    match instead {
        Instead::OtherCertificate { listener, key, shown, published, file } => format!(
            "{listener} zeigt auf die Frage nach {key} das Zertifikat mit dem Fingerabdruck {shown}…; veröffentlicht ist {published}… \
             aus {file}"
        ),
        Instead::UnpublishedCertificate { listener, shown } => {
            format!("{listener} zeigt das Zertifikat mit dem Fingerabdruck {shown}…, und veröffentlicht ist keines")
        }
        Instead::NoCertificate { listener, .. } => format!("{listener} zeigt kein Zertifikat"),
        Instead::OtherContent { url, listener, expected, found } => {
            format!("{url} bei {listener}: statt der {expected} Byte, die dort stehen sollen, kommen {found} andere")
        }
        Instead::OtherStatus { url, listener, status } => {
            format!("{url} bei {listener}: statt des Status 200 kommt {status}")
        }
        Instead::NoContent { url, listener, .. } => format!("{url} bei {listener}: keine Antwort"),
    }
}
