//! What is written in English.

mod mail;
mod panel;

pub(super) use mail::MAIL;
pub(super) use panel::PANEL;
