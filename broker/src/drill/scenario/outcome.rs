//! What must hold after a drill: read from the store, as anybody could.

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::facts::case::{CASES, Case, DENIED, PROVED};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::life::A_DAY;
use bg_recorder::session::SessionId;
use bg_recorder::tape::Tape;
use bg_recorder::verdict::Verdict;
use bg_recorder::verify::verify;
use serde_json::Value;

use super::Play;
use crate::drill::log::{Log, Stopped, Wrong};

impl Play<'_> {
    /// The report names the key that was shown, and how to rotate it.
    pub(super) fn is_told(&self, session: SessionId) -> Result<((), String), Wrong> {
        let key = format!("{CASES}{session}/report.json");
        let bytes = self.drill.world.store().get(&key, REPORT_MAX)?;
        let report: Value = serde_json::from_slice(&bytes)?;
        let found = report.pointer("/exposures/found").and_then(Value::as_array);
        let named = found.into_iter().flatten().any(|one| {
            let rotate = one.get("rotate").map(Value::to_string).unwrap_or_default();
            one.get("shown").and_then(Value::as_str) == Some(&self.planted)
                && rotate.contains(&format!("--access-key-id {} --status Inactive", self.planted))
        });
        if named {
            Ok(((), "the report says how to rotate it".to_owned()))
        } else {
            Err("no report names it".into())
        }
    }

    pub(super) fn is_denied(&self, session: SessionId, log: &mut Log) -> Result<(), Stopped> {
        log.step("denied", || {
            let keys = self.drill.world.keys()?;
            let fact = Case::new(session, self.drill.world.store()).trusted(&*keys, DENIED);
            let fact = fact?.ok_or("there is no Deny")?;
            let policy =
                fact.says.get("policy").and_then(Value::as_str).unwrap_or_default().to_owned();
            Ok(((), format!("by {policy}")))
        })
    }

    pub(super) fn proved(&self, session: SessionId) -> Result<(Option<u64>, String), Wrong> {
        let keys = self.drill.world.keys()?;
        let fact = Case::new(session, self.drill.world.store()).trusted(&*keys, PROVED);
        let fact = fact?.ok_or("it is not proved")?;
        match serde_json::from_value(Value::Object(fact.says)) {
            Ok(Revocation::Revoked { elapsed_ms, probe, .. }) => {
                Ok((Some(elapsed_ms), format!("{probe} is denied, {elapsed_ms} ms after the end")))
            }
            other => Err(Wrong::Saw(format!("not by a denial: {other:?}"))),
        }
    }

    pub(super) fn reported(&self, session: SessionId) -> Result<((), String), Wrong> {
        let facts = Case::new(session, self.drill.world.store()).facts()?;
        let there = facts.iter().any(|fact| fact == "report.json");
        if there {
            Ok(((), "the incident report is stored".to_owned()))
        } else {
            Err("there is none".into())
        }
    }

    pub(super) fn tape(&self, session: SessionId, wanted: Verdict) -> Result<((), String), Wrong> {
        let world = self.drill.world;
        let minted = session.minted();
        let keys = world.keys()?;
        let trusted = [keys.ring().sign.clone()];
        for prefix in [session.prefix(minted), session.prefix(minted.after(A_DAY))] {
            let store = world.store();
            let tape = Tape::list(&*store, &prefix, Some(session))?;
            if tape.objects.is_empty() {
                continue;
            }
            let report = verify(&tape, &trusted, SystemClock.wall_us());
            let saw = format!("{}, {} frames", report.verdict, report.frames);
            return if report.verdict == wanted { Ok(((), saw)) } else { Err(Wrong::Saw(saw)) };
        }
        Err("there is none".into())
    }
}

const REPORT_MAX: u64 = 8 * 1_048_576;
