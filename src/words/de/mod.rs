//! What is written in German.

mod bringing;
mod mail;
mod panel;
mod people;

pub(super) use mail::MAIL;
pub(super) use panel::PANEL;
pub(super) use people::PEOPLE;
