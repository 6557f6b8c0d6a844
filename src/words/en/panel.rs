//! The panel in English.

use crate::words::panel::{AuditWords, FrameWords, PanelWords, RejectedWords, TroubleWords};

pub(in crate::words) static PANEL: PanelWords = PanelWords {
    frame: FrameWords {
        skip: "Skip to the content",
        navigation: "Pages",
        language: "Language",
        signed_in_as: |who| format!("You are {who}"),
        alerts: "What needs attention",
    },
    trouble: TroubleWords {
        title: "This did not work",
        not_found: "There is no such page",
        not_allowed: "You may not do this",
        sign_in: "Please sign in",
        how_to_sign_in: "This page is for those who are signed in. On the machine of the edge the panel can also be reached through \
                         admin.sock without signing in, for instance with: ssh -L 9180:/path/to/state/admin.sock the-machine",
        foreign: "This request comes from another page and was refused",
        refused: "This cannot be done",
        ours: "The edge made a mistake; its log says more",
        back: "Back",
    },
    rejected: RejectedWords {
        title: "Rejected files",
        about: "Files of the drop folder that are not served. What was served before goes on being served.",
        none: "Every file of the drop folder is served.",
        file: "File",
        state: "State",
        reason: "What was found",
        mend: "What to do",
        since: "Since (UTC)",
        waiting: "waits",
        rejected: "rejected",
    },
    audit: AuditWords {
        title: "Audit",
        about: "Every order that came in, whatever became of it, the newest first. Times are in UTC.",
        none: "Nothing was ordered yet.",
        number: "No.",
        time: "Time",
        who: "Who",
        action: "Action",
        object: "On what",
        result: "Result",
        detail: "Detail",
        older: "Older",
        newest: "Newest",
    },
};
