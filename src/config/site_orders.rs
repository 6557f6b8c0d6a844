//! Orders to add and remove sites, from whoever may give them to the one who owns the configuration.

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::words::refusal::Refusal;

/// Gives orders.
#[derive(Clone, Debug)]
pub struct SiteDesk(mpsc::Sender<SiteOrder>);

/// Takes orders; for the one owner of the configuration.
pub type SiteOrders = mpsc::Receiver<SiteOrder>;

/// An order, and where its end is told.
#[derive(Debug)]
pub enum SiteOrder {
    /// Serve a site with the keys of `[[site]]`. Its name comes back.
    Add(Value, oneshot::Sender<Result<String, SiteRefusal>>),
    /// Serve it no longer.
    Remove(String, oneshot::Sender<Result<String, SiteRefusal>>),
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SiteRefusal {
    /// What the site says of itself is wrong.
    Flawed(Vec<String>),
    /// There is no such site.
    Unknown,
    /// The way things are does not allow it; why, as a code, and in words with the mend.
    Conflict(Refusal, String),
    /// It could not be written.
    Unwritten(String),
}

/// A desk, and the orders that are given there.
#[must_use]
pub fn site_orders() -> (SiteDesk, SiteOrders) {
    let (desk, orders) = mpsc::channel(1);
    (SiteDesk(desk), orders)
}

impl SiteDesk {
    /// Adds a site, live and for good.
    ///
    /// # Errors
    /// [`SiteRefusal`]; then nothing was changed.
    pub async fn add(&self, site: Value) -> Result<String, SiteRefusal> {
        self.order(|reply| SiteOrder::Add(site, reply)).await
    }

    /// Removes a site that was added.
    ///
    /// # Errors
    /// [`SiteRefusal`]; then nothing was changed.
    pub async fn remove(&self, name: &str) -> Result<String, SiteRefusal> {
        self.order(|reply| SiteOrder::Remove(name.to_owned(), reply)).await
    }

    async fn order(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<String, SiteRefusal>>) -> SiteOrder,
    ) -> Result<String, SiteRefusal> {
        let stopping =
            || SiteRefusal::Conflict(Refusal::Stopping, "the edge is stopping and changes nothing any more".into());
        let (reply, end) = oneshot::channel();
        self.0.send(order(reply)).await.map_err(|_| stopping())?;
        let lost = || SiteRefusal::Unwritten("the order came to no end; see the log".into());
        end.await.unwrap_or_else(|_| Err(lost()))
    }
}
