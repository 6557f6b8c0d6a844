//! What is written in German.

mod panel;

pub(super) use panel::PANEL;
