//! What is written in English.

mod panel;

pub(super) use panel::PANEL;
