//! Which names become sites when clients ask for them, in plain values.

/// What a site has to do with names that nobody serves yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnDemand {
    /// Nothing.
    #[default]
    No,
    /// The operator's own endpoint at this address is asked about them, and those that it allows become sites like this one.
    Asks(String),
    /// It is one of those: the endpoint at this address allowed its names.
    Allowed(String),
}
