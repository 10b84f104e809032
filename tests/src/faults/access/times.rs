//! Faults of when it was approved and used.

use bg_recorder::stamp::Stamp;

use super::{Row, early};
use crate::forge::WALL_US;
use crate::plea::{DAVE, Vote};

/// Each breaks the genesis.
pub const ROWS: &[Row] = &[
    ("access_approval_expired", "an approval had expired when the session began", |p| {
        p.votes[0].statement.expires = Stamp(WALL_US)
    }),
    ("access_approval_too_early", "an approval from long before the request", |p| {
        p.votes[0].statement.made = Stamp(p.request.created.0 - 300_000_001)
    }),
    ("access_approval_too_late", "an approval after the request had expired", |p| {
        p.request.expires = Stamp(p.votes[1].statement.made.0 - 1);
        p.votes[0].statement.made = p.request.expires;
    }),
    ("access_approval_after_the_start", "an approval made after the session began", |p| {
        p.votes[0].statement.made = Stamp(WALL_US + 300_000_001)
    }),
    ("access_used_too_late", "the approved request had expired when it was used", |p| {
        early(p, 289)
    }),
    (
        "access_third_approval_extends_nothing",
        "the time to use it runs from a superfluous approval",
        |p| {
            early(p, 289);
            p.votes.push(Vote::of("dave", DAVE));
        },
    ),
    (
        "access_quorum_0_used_too_late",
        "a request without approvals had expired when it was used",
        |p| {
            p.request.quorum = 0;
            p.request.execution_s = 299;
            p.votes.clear();
        },
    ),
    ("access_forced_too_late", "a forced request had expired when it was used", |p| {
        p.request.forced = true;
        p.request.expires = Stamp(WALL_US - 300_000_001);
        p.votes.clear();
    }),
];
