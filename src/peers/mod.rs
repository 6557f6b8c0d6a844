//! What other edges and ACME clients have, read into a [`Plan`]: sites, certificates, accounts, and what could not be carried over.
//!
//! ```text
//! nginx.conf ──────► nginx ───┐
//! haproxy.cfg ─────► haproxy ─┤
//! Caddyfile ───────► caddy ───┼─► Plan ─► cli/import, which writes it
//! /etc/letsencrypt ► certbot ─┘
//! ```
//!
//! Nothing is changed where it is read. What is not understood is never guessed at: it becomes a [`Remark`] with its file and line,
//! one sentence and the mend. The grammars are the peers' own; whatever a file holds, reading it ends without a panic.

mod caddy;
mod certbot;
mod challenges;
mod fields;
mod files;
mod haproxy;
mod issuers;
mod keys;
mod networks;
mod nginx;
mod plan;
mod redirect;
mod settings;
mod shown;
mod upstream;

pub use caddy::caddy;
pub use certbot::certbot;
pub use files::Files;
pub use haproxy::haproxy;
pub use keys::{Keys, quoted, quoted_list};

pub use nginx::nginx;
pub use plan::{
    Account, AccountKey, Authority, Certificate, Place, Plan, Provision, Remark, Route, Setting, Site, Weight,
};
pub use redirect::Redirect;
pub use shown::{Content, ShownFile};
pub use upstream::Upstream;

#[cfg(test)]
mod tests;
