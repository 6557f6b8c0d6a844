//! What is written in German.

mod audit;
mod bringing;
mod fault;
mod instead;
mod links;
mod mail;
mod minimum;
mod office;
mod order;
mod panel;
mod people;
mod refused;
mod report;
mod said;
mod wait;

pub(super) use instead::instead;
pub(super) use links::LINKS;
pub(super) use mail::MAIL;
pub(super) use minimum::MINIMUM;
pub(super) use office::OFFICE;
pub(super) use panel::PANEL;
pub(super) use people::PEOPLE;
pub(super) use report::REPORT;
pub(super) use said::SAID;
pub(super) use wait::wait;
