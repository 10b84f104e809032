//! The list of vectors: one fault each, in the order of docs/FORMAT.md.

mod access;
mod checkpoints;
mod ends;
mod grammar;
mod json;
mod limits;
mod notes;
mod segments;
mod standby;
mod wraps;

use std::path::Path;

use crate::forge::{Bend, forge};
use crate::vector::{Objects, Vector};

/// One fault, to be forged.
pub struct Fault {
    name: &'static str,
    fault: &'static str,
    expect: &'static str,
    at: &'static str,
    opens: bool,
    bend: Bend,
    edit: fn(&mut Objects),
}

/// Forges all vectors.
pub fn all(keys: &Path) -> Vec<(&'static str, Vector)> {
    let faults = [
        notes::list(),
        checkpoints::list(),
        access::list(),
        json::list(),
        grammar::list(),
        limits::list(),
        segments::list(),
        wraps::list(),
        standby::list(),
        ends::list(),
    ];
    faults.into_iter().flatten().map(|fault| (fault.name, fault.forge(keys))).collect()
}

impl Fault {
    fn forge(&self, keys: &Path) -> Vector {
        let (session, mut objects) = forge(keys, &self.bend);
        (self.edit)(&mut objects);
        Vector {
            fault: self.fault.into(),
            expect: self.expect.into(),
            at: self.at.into(),
            opens: if self.opens { "yes" } else { "no" }.into(),
            session: session.to_string(),
            objects,
        }
    }

    fn edit(self, edit: fn(&mut Objects)) -> Self {
        Self { edit, ..self }
    }
}

/// A fault that breaks the tape, found at `at`.
fn broken(name: &'static str, at: &'static str, fault: &'static str, bend: Bend) -> Fault {
    Fault { name, fault, expect: "broken", at, opens: false, bend, edit: |_| {} }
}

/// A tape that is not broken.
fn verdict(name: &'static str, expect: &'static str, fault: &'static str, bend: Bend) -> Fault {
    Fault { name, fault, expect, at: "", opens: true, bend, edit: |_| {} }
}

/// A fault that breaks the tape: its name, where it is found, what it is, and what makes it so.
type Row<F> = (&'static str, &'static str, &'static str, F);

/// Tapes of which something is bent before it is hashed and signed.
fn bent<F: Copy>(rows: &'static [Row<F>], bend: fn(F) -> Bend) -> impl Iterator<Item = Fault> {
    rows.iter().map(move |(name, at, fault, make)| broken(name, at, fault, bend(*make)))
}

/// Tapes whose objects are edited after they were written.
fn edited(rows: &'static [Row<fn(&mut Objects)>]) -> impl Iterator<Item = Fault> {
    rows.iter().map(|(name, at, fault, edit)| broken(name, at, fault, as_it_is()).edit(*edit))
}

fn as_it_is() -> Bend {
    Bend::default()
}
