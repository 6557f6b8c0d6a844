//! What is written in German.

mod mail;
mod panel;

pub(super) use mail::MAIL;
pub(super) use panel::PANEL;
