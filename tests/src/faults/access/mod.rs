//! Faults of what a genesis says of its approvals (FORMAT.md 5.1).

mod claim;
mod granted;
mod people;
mod request;
mod shown;
mod signature;
mod signers;
mod times;

use bg_recorder::approval::APPROVAL_NAMESPACE;
use bg_recorder::approval::access::Access;
use bg_recorder::approval::statement::Statement;
use bg_recorder::genesis::Genesis;
use bg_recorder::stamp::Stamp;
use data_encoding::BASE64;

use super::{Fault, as_it_is, broken, verdict};
use crate::forge::{Bend, WALL_US};
use crate::plea::{BOB, Plea, principal};

/// What is edited in a genesis whose access is as it was signed.
const MEMBERS: &[Row<Genesis>] = &[
    ("access_missing", "a role was opened without access", |g| {
        g.about.remove("access");
    }),
    ("access_claim_missing", "nobody signed that they open it", |g| {
        g.about["access"].as_object_mut().unwrap().remove("claim");
    }),
    ("access_role", "the session's role is not the request's", |g| {
        g.about.insert("role".into(), "prod-root".into());
    }),
    ("access_longer_than_approved", "the session may last longer than was approved", |g| {
        g.about.insert("max_duration_s".into(), 3_601.into());
    }),
    ("access_approvals_missing", "the access has no member approvals", |g| {
        g.about["access"].as_object_mut().unwrap().remove("approvals");
    }),
];

/// A fault of a plea (or of what came of it): its name, what is wrong, and what makes it so.
type Row<T = Plea> = (&'static str, &'static str, fn(&mut T));

pub fn list() -> Vec<Fault> {
    let tables =
        [request::ROWS, claim::ROWS, signature::ROWS, people::ROWS, times::ROWS, signers::ROWS];
    let granted = granted::ROWS.iter().map(|(name, what, plea)| {
        verdict(name, "intact", what, Bend { plea: Some(*plea), ..as_it_is() })
    });
    let refused = tables.into_iter().flatten().map(|(name, what, plea)| {
        broken(name, "genesis", what, Bend { plea: Some(*plea), ..as_it_is() })
    });
    let edited_rows = MEMBERS
        .iter()
        .chain(shown::ROWS)
        .map(|(name, what, genesis)| broken(name, "genesis", what, edited(|_| {}, *genesis)));
    let shown = shown::GOOD
        .iter()
        .map(|(name, what, genesis)| verdict(name, "intact", what, edited(|_| {}, *genesis)));
    let ((name, what, plea), genesis) = shown::FORCED;
    let forced = broken(name, "genesis", what, edited(plea, genesis));
    granted.chain(refused).chain(edited_rows).chain(shown).chain([forced]).collect()
}

/// A genesis that is edited after its access was signed.
fn edited(plea: fn(&mut Plea), genesis: fn(&mut Genesis)) -> Bend {
    Bend { plea: Some(plea), genesis, ..as_it_is() }
}

/// Has both approvals made 590 seconds before the session.
fn early(plea: &mut Plea, execution_s: u64) {
    plea.request.execution_s = execution_s;
    for vote in &mut plea.votes {
        vote.statement.made = Stamp(WALL_US - 590_000_000);
    }
}

fn changed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(bytes.to_vec()).unwrap().replacen(from, to, 1).into_bytes()
}

/// Changes bytes behind the back of whoever signed them.
fn edit(encoded: &mut String, from: &str, to: &str) {
    *encoded = BASE64.encode(&changed(&BASE64.decode(encoded.as_bytes()).unwrap(), from, to));
}

/// Changes Bob's statement before he signs it.
fn resign(access: &mut Access, change: fn(String) -> String) {
    let bytes = BASE64.decode(access.approvals[0].statement.as_bytes()).unwrap();
    assert_eq!(Statement::parse(&bytes).unwrap().approver, principal("bob"));
    let bytes = change(String::from_utf8(bytes).unwrap()).into_bytes();
    access.approvals[0].statement = BASE64.encode(&bytes);
    access.approvals[0].signature = BOB.sign(APPROVAL_NAMESPACE, &bytes);
}
