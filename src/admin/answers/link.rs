//! A one-time link.

use serde::{Deserialize, Serialize};

use crate::admin::links::Found;

/// A link, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) id: String,
    /// The operator's words for it.
    pub(crate) note: String,
    /// The sites that the certificate may be for.
    pub(crate) sites: Vec<String>,
    /// The request that it answers, if it is for one.
    pub(crate) request: Option<String>,
    /// Whether what is handed in serves at once.
    pub(crate) goes_live: bool,
    pub(crate) state: String,
    pub(crate) created: String,
    pub(crate) created_by: String,
    pub(crate) expires: String,
    pub(crate) opened: Option<String>,
    /// How many times something was handed in that could not be taken.
    pub(crate) wrong: u32,
    /// What was handed in.
    pub(crate) found: Option<Found>,
}

/// A link on the day it is made. What leads to its page is a secret.
#[derive(Serialize, Deserialize)]
pub(crate) struct MadeLink<P> {
    #[serde(flatten)]
    pub(crate) link: Link,
    pub(crate) path: P,
}
