//! Whoever can write to the evidence can fill it: a person in a hurry waits for none of that. Calls are counted, because
//! each takes the time of a far store.

use bg_recorder::session::SessionId;
use serde_json::json;

use crate::support::field::{Field, is};
use crate::support::world::stderr;

#[test]
fn what_somebody_put_into_the_evidence_costs_a_call_each_at_most() {
    let field = Field::new();
    for line in ["requests", "sessions", "reconcile"] {
        field.run(&[line]);
    }
    let few = [field.calls("requests"), field.calls("sessions"), field.calls("reconcile")];
    field.litter(FEW);
    let shown = [field.calls("requests"), field.calls("sessions"), field.calls("reconcile")];
    field.litter(MORE);
    let all = [field.calls("requests"), field.calls("sessions"), field.calls("reconcile")];
    for (which, ((few, shown), all)) in few.into_iter().zip(shown).zip(all).enumerate() {
        // A few are shown or told one by one, and looked at for that.
        assert!(shown - few <= FEW * 8, "{which}: {few}, then {shown}");
        assert!(all - shown <= MORE, "{which}: {shown}, then {all}");
    }
}

#[test]
fn nothing_that_lies_beside_it_is_read_to_open_a_role_and_little_to_close_its_gate() {
    let field = Field::new();
    let empty = opened(&field);
    field.litter(MORE);
    let littered = opened(&field);
    assert!(littered.0 <= empty.0 + 2, "{empty:?} {littered:?}");
    // Whoever holds the gate is counted, once before it is shut and once after.
    assert!(littered.1 <= empty.1 + 2 * (MORE + 2), "{empty:?} {littered:?}");
}

/// Opens a role with a gate and closes it again; returns the calls to the store before its shell ran, and after.
fn opened(field: &Field) -> (usize, usize) {
    let before = field.s3.requests().len();
    let output = field.open("attach", "true").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let calls = field.s3.requests().split_off(before);
    let active =
        calls.iter().position(|call| is(call, "s3:PutObject") && call.target.contains("/active"));
    let until = active.unwrap_or_else(|| panic!("no access: {}", stderr(&output)));
    (until, calls.len() - until)
}

impl Field {
    /// Puts so many objects that are nothing into each place where a name of today is looked at.
    fn litter(&self, count: usize) {
        for _ in 0..count {
            let id = SessionId::mint();
            for place in ["requests/ID/request", "cases/ID/open"] {
                self.junk(&place.replace("ID", &id.to_string()));
            }
            let role = self.site.role("attach").rsplit('/').next().unwrap();
            self.junk(&format!("gates/000000000000-{role}/{id}/open"));
        }
    }

    fn junk(&self, key: &str) {
        let key = format!("{}/{key}", self.site.name);
        let with = json!({ "Bucket": "bg-evidence", "Key": key, "Body": "junk" });
        self.site.sandbox.call("root", "evidence", "put_object", with).unwrap();
    }

    /// Runs a command, and returns how many calls to the store it made.
    fn calls(&self, command: &str) -> usize {
        let before = self.s3.requests().len();
        let output = self.run(&[command]);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{}", stderr(&output));
        self.s3.requests().len() - before
    }
}

/// So many as are listed one by one.
const FEW: usize = 12;
const MORE: usize = 40;
