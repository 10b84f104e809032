//! What the genesis shows, against what was signed.

use bg_recorder::genesis::Genesis;
use serde_json::Value;

use super::Row;
use crate::plea::Plea;

/// Each breaks the genesis.
pub const ROWS: &[Row<Genesis>] = &[
    ("access_shown_reason", "the genesis shows another reason", |g| {
        show(g, "reason", "routine".into())
    }),
    ("access_shown_person", "the genesis shows another person", |g| {
        show(g, "person", "bob@example.com".into())
    }),
    ("access_shown_incident", "the genesis shows no incident", |g| {
        show(g, "incident", Value::Null)
    }),
    ("access_shown_role_arn", "the genesis shows another role", |g| {
        show(g, "role_arn", "arn:aws:iam::123456789012:role/bg-reader".into())
    }),
];

/// Each is intact.
pub const GOOD: &[Row<Genesis>] = &[
    ("access_shown_as_approved", "none: the genesis shows what was approved", |g| {
        show(g, "reason", "disk full on db-3".into());
        show(g, "person", "alice@example.com".into());
        show(g, "incident", "INC-7".into());
        show(g, "role_arn", "arn:aws:iam::123456789012:role/bg-prod-admin".into());
        show(g, "forced", false.into());
    }),
    ("access_max_duration_null", "none: the genesis says no length", |g| {
        show(g, "max_duration_s", Value::Null)
    }),
];

/// The genesis shows an override as none.
pub const FORCED: (Row, fn(&mut Genesis)) = (
    ("access_shown_forced", "the genesis shows an override as none", |p: &mut Plea| {
        p.request.forced = true;
        p.votes.clear();
    }),
    |g| show(g, "forced", false.into()),
);

fn show(genesis: &mut Genesis, name: &str, value: Value) {
    genesis.about.insert(name.to_owned(), value);
}
