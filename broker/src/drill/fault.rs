//! What can be broken in a drill.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

use super::Drill;
use crate::config::Gate;

/// Something that breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The recorder is killed: the session dies with it, and recover ships, denies, and says recovered
    RecorderKill,
    /// The evidence store goes away: what is recorded waits, and is shipped when it is back
    StoreDown,
    /// IAM goes away: the end is called pending, never revoked, and reconcile denies
    IamDown,
    /// The clock counts as ten minutes ahead: no session begins
    ClockSkew,
    /// A planted key shows on the screen, and the session's credentials get out: the kill switch ends them, and the
    /// report names the key to rotate
    LeakedKey,
}

impl Fault {
    /// Returns why it cannot be played here, and what can.
    pub fn impossible(self, drill: &Drill<'_>) -> Option<(String, &'static str)> {
        let cannot = |why: &str, hint| Some((format!("{self} cannot be played here: {why}"), hint));
        let evidence = &drill.world.config.evidence;
        let endpoint = evidence.endpoint.as_ref().or(drill.world.config.aws.endpoint.as_ref());
        match self {
            Self::RecorderKill => None,
            _ if drill.role.is_none() => cannot(
                "the practice world has no account and no server",
                "name a role: --role, or [drill] role",
            ),
            Self::StoreDown
                if !evidence.store.as_deref().is_some_and(|store| store.starts_with("s3://")) =>
            {
                cannot("the evidence is in a directory", "evidence.store = \"s3://…\"")
            }
            Self::StoreDown
                if !endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) =>
            {
                cannot(
                    "the drill cuts a connection that it forwards, and this one is TLS from end to end",
                    "play it in sandbox/up, or cut the route to the store by hand and run a drill without --fault",
                )
            }
            Self::IamDown if drill.role.is_some_and(|role| role.gate != Gate::None) => {
                cannot("a gate needs IAM before the access begins", "drill a role without a gate")
            }
            Self::StoreDown | Self::IamDown | Self::ClockSkew | Self::LeakedKey => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RecorderKill => "recorder-kill",
            Self::StoreDown => "store-down",
            Self::IamDown => "iam-down",
            Self::ClockSkew => "clock-skew",
            Self::LeakedKey => "leaked-key",
        })
    }
}
