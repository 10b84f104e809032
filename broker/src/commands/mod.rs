//! One file a subcommand: what it takes, what it does, in that order.

pub mod approve;
pub mod cancel;
pub mod check;
mod confirm;
pub mod deny;
pub mod extend;
pub mod ids;
pub mod open;
pub mod orphans;
pub mod reconcile;
pub mod recover;
pub mod report;
pub mod request;
pub mod requests;
pub mod revoke;
pub mod sessions;
pub mod teller;
