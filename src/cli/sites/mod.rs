//! `vitrine sites`: the sites of a running edge.

mod minimum;
mod plan;
mod provision;
mod served;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::levers::Maintaining;
use super::{Asking, Running};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Have a site served from now on, without the configuration file
    #[command(after_help = ADD)]
    Add(Adding),
    /// Have a site that was added served no longer
    Remove(Removing),
    /// Every host of every site with the certificate that serves it, and why that one
    List(Asking),
    /// Decide where a site's certificates come from, above the configuration
    #[command(after_help = "Example: vitrine sites use staging.shop.test self-signed")]
    Use(provision::Using),
    /// Decide what the authority of a site's certificates must have checked, above the configuration
    #[command(after_help = "Example: vitrine sites minimum shop.example ov --dry-run")]
    Minimum(minimum::Demanding),
    /// Tell a site's visitors that it is being worked on, or let them in, above the configuration
    #[command(after_help = "Example: vitrine sites maintenance shop.example on --for 30m")]
    Maintenance(Maintaining),
    /// Order a certificate for a managed site now, whatever serves and whatever failed before
    Renew(Removing),
    /// When the certificates of managed sites will be ordered, as far as the issuers' limits let them
    #[command(after_help = PLAN)]
    Plan(plan::Planning),
    /// What was decided otherwise than the configuration says; `sites use SITE configured` and
    /// `sites minimum SITE configured` take it back
    Diff(Asking),
    /// Print the root of the edge's own authority, for whoever is to trust self-signed sites
    Root(Running),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Adding {
    #[command(flatten)]
    running: Running,
    /// A name it answers for, such as shop.example or *.shop.example
    #[arg(long = "host", value_name = "HOST", required = true)]
    hosts: Vec<String>,
    /// Where its requests go, such as http://10.0.0.11:8080
    #[arg(long = "upstream", value_name = "URL", required_unless_present = "routes")]
    upstreams: Vec<String>,
    /// Where the requests below a path go instead; the longest path wins, and a site may have routes alone
    #[arg(long = "route", value_name = "PATH=URL[,URL...]")]
    routes: Vec<served::NewRoute>,
    /// What to call it by; without it, its first host
    #[arg(long)]
    name: Option<String>,
    /// The least that the authority of its certificates must have checked
    #[arg(long, value_name = "LEVEL", value_parser = ["dv", "ov", "ev"])]
    minimum_validation: Option<String>,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Removing {
    #[command(flatten)]
    running: Running,
    /// The site's name
    name: String,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::Add(Adding { running, hosts, upstreams, routes, name, minimum_validation }) => {
                let site = served::NewSite {
                    name: name.as_deref(),
                    hosts: &hosts,
                    upstreams: &upstreams,
                    routes: &routes,
                    minimum_validation: minimum_validation.as_deref(),
                };
                running.ask(async |edge| served::add(edge, &site).await)
            }
            Self::Remove(Removing { running, name }) => running.ask(async |edge| served::remove(edge, &name).await),
            Self::Renew(Removing { running, name }) => running.ask(async |edge| served::renew(edge, &name).await),
            Self::Maintenance(maintaining) => maintaining.obey(),
            Self::Plan(planning) => planning.running.ask(async |edge| plan::plan(edge, &planning).await),
            Self::List(asking) => asking.running.ask(async |edge| served::list(edge, asking.json).await),
            Self::Use(using) => using.running.ask(async |edge| provision::use_(edge, &using).await),
            Self::Minimum(demanding) => demanding.running.ask(async |edge| minimum::demand(edge, &demanding).await),
            Self::Diff(asking) => asking.running.ask(async |edge| provision::diff(edge, asking.json).await),
            Self::Root(running) => running.ask(async |edge| provision::root(edge).await),
        }
    }
}

const ADD: &str = "\
Example: vitrine sites add --host shop.example --upstream http://10.0.0.11:8080 --route /api=http://10.0.0.12:8080";
const PLAN: &str = "\
Nothing is ordered, or asked of anybody. Whoever is about to move here knows before how long it takes:
Example: vitrine sites plan --new 3000";
