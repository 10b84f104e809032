//! Puts a report together, from facts and from the tape, and from nothing else.

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::event::Survivor;
use bg_recorder::facts::case::{ACTIVE, GATE, OPEN, PENDING, PROVED};
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::verdict::Weight;
use bg_relay::tap::Taped;
use serde::Deserialize as _;
use serde_json::Value;

use super::facts::text;
use super::model::{
    AccessEnd, AccessOpened, Approval, Approvals, Commands, Exposed, Exposures, Known, Recorded,
    Report, SCHEMA, SessionEnd, Times, ToDo, Who, Why,
};
use super::sources::{Sources, TAPE, approval};
use super::to_do::to_do;
use super::{advice, rotate, timeline};
use crate::facts::intent::newest;
use crate::failure::Failure;
use crate::os::user::author;
use crate::world::World;

/// Makes a session's report.
///
/// # Errors
/// When the store or the keys cannot be used, or there is no such session.
pub fn report(world: &World, session: SessionId, taped: Option<Taped>) -> Result<Report, Failure> {
    Ok(Sources::read(world, session, taped)?.report(session))
}

impl Sources {
    fn report(&self, session: SessionId) -> Report {
        let mut report = Report {
            schema: SCHEMA,
            session,
            made: SystemClock.now(),
            by: author(),
            who: self.who(),
            why: self.why(),
            access: self.access(),
            approvals: self.approvals(),
            times: self.times(),
            ended: self.ended(),
            revocation: self.revocation(),
            tape: self.recorded(),
            timeline: timeline::timeline(self),
            commands: self.commands(),
            exposures: self.exposures(),
            to_do: Vec::new(),
            untrusted: self.facts.untrusted.clone(),
        };
        report.to_do = to_do(&report, &self.facts);
        report.to_do.extend(self.survivors());
        report
    }

    fn of_fact(&self, fact: &str, member: &str) -> Option<Known> {
        Some(Known { value: self.facts.text(fact, member)?, source: format!("fact {fact}") })
    }

    /// Reads a member of the request, whose exact bytes are in the genesis.
    fn of_request(&self, member: &str) -> Option<Known> {
        Some(genesis(text(self.request.as_ref()?.get(member)?)?))
    }

    fn of_genesis(&self, member: &str) -> Option<Known> {
        Some(genesis(text(self.tape.about(member)?)?))
    }

    fn who(&self) -> Who {
        let person = self.of_fact(OPEN, "person").or_else(|| self.of_request("requester"));
        Who {
            person: person.or_else(|| self.of_genesis("person")),
            user: self.of_genesis("user"),
            host: self.tape.genesis.as_ref().map(|read| genesis(read.host.name.clone())),
            command: self.of_genesis("program"),
        }
    }

    fn why(&self) -> Why {
        Why {
            reason: self.of_request("reason").or_else(|| self.of_genesis("reason")),
            incident: self.of_request("incident").or_else(|| self.of_genesis("incident")),
        }
    }

    fn access(&self) -> AccessOpened {
        let declared = |member| self.tape.about("access")?.get(member).cloned();
        let open = self.facts.value(OPEN, "forced").and_then(Value::as_bool);
        let forced = open.map(|value| Known { value, source: format!("fact {OPEN}") });
        let on_tape = declared("forced").and_then(|forced| forced.as_bool()).unwrap_or(false);
        AccessOpened {
            role: self.of_fact(OPEN, "role").or_else(|| self.of_genesis("role")),
            role_arn: self
                .of_fact(OPEN, "role_arn")
                .or_else(|| Some(genesis(text(&declared("role_arn")?)?))),
            custody: self.of_genesis("custody"),
            mfa: self.of_fact(ACTIVE, "mfa").or_else(|| self.of_genesis("mfa")),
            request: self.of_fact(OPEN, "request").or_else(|| self.of_request("id")),
            forced: forced
                .filter(|forced| forced.value || !on_tape)
                .unwrap_or_else(|| genesis(on_tape)),
            deadline: self.deadline(),
            access_key_id: self.of_fact(ACTIVE, "access_key_id"),
            assumed_role_id: self.of_fact(ACTIVE, "assumed_role_id"),
        }
    }

    /// The newest end, where it was moved.
    fn deadline(&self) -> Option<Known> {
        match newest(self.facts.all()) {
            Some((fact, _)) => self.of_fact(&fact.fact, "deadline"),
            None => self.of_fact(OPEN, "deadline"),
        }
    }

    fn approvals(&self) -> Approvals {
        let Some(access) = self.tape.about("access") else {
            let (verdict, source) = match &self.tape.genesis {
                Some(_) => ("none", Some(GENESIS.to_owned())),
                None => ("unknown", None),
            };
            return Approvals { verdict, source, ..Approvals::none() };
        };
        let signed = access.get("approvals").and_then(Value::as_array).cloned().unwrap_or_default();
        let given: Vec<Approval> = signed.iter().filter_map(approval).collect();
        // FORMAT.md 5.1: verification has checked each of them again, and says so of the genesis.
        let heavy = |weight| matches!(weight, Weight::Broken | Weight::Fault | Weight::Unread);
        let mut findings = self.tape.verdict.findings.iter();
        let doubted = findings.any(|finding| finding.object == "genesis" && heavy(finding.weight));
        Approvals {
            quorum: access.get("quorum").and_then(Value::as_u64),
            verdict: if doubted { "invalid" } else { "valid" },
            given,
            signers: self.compared.signers.clone(),
            same_signers: self.compared.same_signers,
            same_terms: self.compared.same_terms,
            source: Some(GENESIS.to_owned()),
        }
    }

    fn times(&self) -> Times {
        let ms = |fact: &str, member| {
            let value = self.facts.value(fact, member)?.as_u64()?;
            Some(Known { value, source: format!("fact {fact}") })
        };
        Times {
            to_access_ms: ms(ACTIVE, "time_to_access_ms"),
            to_revoke_ms: ms(PROVED, "elapsed_ms"),
        }
    }

    /// Lists what a person has to end, because the session's end could not.
    fn survivors(&self) -> Vec<ToDo> {
        let named = self.tape.seal.as_ref().and_then(|seal| seal.about.get("survivors"));
        let named = named.and_then(|named| Vec::<Survivor>::deserialize(named).ok());
        let lives = |Survivor { pid, uid, command }| ToDo {
            what: format!(
                "end process {pid} of uid {uid} on its host, which outlived the session: {command}"
            ),
            command: None,
        };
        named.unwrap_or_default().into_iter().map(lives).collect()
    }

    fn ended(&self) -> SessionEnd {
        if let Some(seal) = &self.tape.seal {
            let of = |member: &str| seal.about.get(member).and_then(text);
            return SessionEnd {
                how: of("ended").unwrap_or_else(|| "unknown".to_owned()),
                detail: of("detail"),
                exit: seal.about.get("exit").and_then(Value::as_i64),
                at: Some(seal.sealed),
                source: Some("tape seal".to_owned()),
            };
        }
        let recovery = self.tape.recovery.as_ref();
        let last = self.last_event();
        let how = if recovery.is_some() { "recovered" } else { "unknown" };
        SessionEnd {
            how: how.to_owned(),
            detail: recovery.map(|recovery| recovery.reason.clone()),
            exit: None,
            at: last.as_ref().map(|last| last.value),
            source: last.map(|last| last.source),
        }
    }

    /// Returns when the last event of the tape happened, as far as known: who can open it knows.
    fn last_event(&self) -> Option<Known<Stamp>> {
        let known = |value, source: &str| Known { value, source: source.to_owned() };
        let taped = self.taped.as_ref().and_then(|taped| Some(known(taped.last?, TAPE)));
        let sealed = || self.tape.seal.as_ref().map(|seal| known(seal.sealed, "tape seal"));
        let recovered =
            || self.tape.recovery.as_ref().map(|r| known(r.last_write, "tape recovery"));
        taped.or_else(sealed).or_else(recovered)
    }

    /// Returns how long the tape is: by its frames, by the boot clock, or by the wall clock.
    fn lasted(&self) -> Option<Known<u64>> {
        let known = |value, source: &str| Known { value, source: source.to_owned() };
        if let Some(taped) = &self.taped {
            return Some(known(taped.lasted_ms, TAPE));
        }
        let genesis = self.tape.genesis.as_ref()?;
        if let Some(seal) = &self.tape.seal {
            let us = seal.boot_us.saturating_sub(genesis.boot_us);
            return Some(known(us / 1_000, "tape seal"));
        }
        let recovery = self.tape.recovery.as_ref()?;
        let us = recovery.last_write.0.saturating_sub(genesis.created.0);
        Some(known(us / 1_000, "tape recovery"))
    }

    fn revocation(&self) -> AccessEnd {
        let (outcome, source) = self.outcome();
        let text = match &outcome {
            Some(outcome) => sentence(outcome, SystemClock.now()),
            None if self.facts.get(OPEN).is_some() => {
                "NOT KNOWN: an access was about to be opened, and nothing says that it was closed"
                    .to_owned()
            }
            None => "no access was opened".to_owned(),
        };
        AccessEnd { outcome, gate: self.facts.text(GATE, "state"), text, source }
    }

    /// Returns the last word on the end of the access: a proof counts more than what was pending before.
    fn outcome(&self) -> (Option<Revocation>, Option<String>) {
        let fact = |name: &str| Some((self.facts.says(name)?, format!("fact {name}")));
        let pending = (1..=PENDING_MAX).rev().find_map(|n| fact(&format!("{PENDING}-{n}")));
        let sealed = || {
            let revocation = self.tape.seal.as_ref()?.about.get("revocation")?.clone();
            Some((serde_json::from_value(revocation).ok()?, "tape seal".to_owned()))
        };
        let found = fact(PROVED).or(pending).or_else(sealed);
        found.map_or((None, None), |(outcome, source)| (Some(outcome), Some(source)))
    }

    fn recorded(&self) -> Recorded {
        let verdict = &self.tape.verdict;
        Recorded {
            verdict: verdict.verdict,
            frames: verdict.frames,
            segments: verdict.segments,
            findings: verdict.findings.clone(),
            lasted_ms: self.lasted(),
            last_event: self.last_event(),
            source: self.tape.prefix.clone(),
        }
    }

    fn commands(&self) -> Commands {
        let seen = self.seen.as_ref();
        Commands {
            known: seen.is_some(),
            note: if seen.is_some() { TYPED } else { NOT_KNOWN },
            lines: seen.map(|seen| seen.commands.clone()).unwrap_or_default(),
            more: seen.map_or(0, |seen| seen.commands_more),
            source: seen.map(|_| self.heard_by()),
        }
    }

    fn exposures(&self) -> Exposures {
        let seen = self.seen.as_ref();
        let own = self.facts.text(ACTIVE, "access_key_id");
        let found = seen.map(|seen| seen.exposures.clone()).unwrap_or_default().into_iter();
        let exposed = found.map(|exposure| {
            let id = exposure.key_id.as_ref().unwrap_or(&exposure.shown);
            Exposed {
                rotate: advice::rotate(&exposure, own.as_deref()),
                deactivated: self.facts.get(&rotate::done_name(id)).map(|fact| fact.at),
                own: own.as_ref() == Some(id),
                exposure,
            }
        });
        Exposures {
            known: seen.is_some(),
            note: if seen.is_some() { SHOWN } else { NOT_KNOWN },
            found: exposed.collect(),
            more: seen.map_or(0, |seen| seen.exposures_more),
            source: seen.map(|_| self.heard_by()),
        }
    }
}

fn sentence(outcome: &Revocation, now: Stamp) -> String {
    match outcome {
        Revocation::None { why } => format!("there was nothing to revoke: {why}"),
        Revocation::Revoked { probe, policy, proved, elapsed_ms, .. } => format!(
            "revoked, and proved: {policy} denies the session, and {probe} was refused with its credentials by \
             {proved}, {elapsed_ms} ms after the end"
        ),
        Revocation::Expired { why, policy, dead_by, .. } => {
            let denied = policy
                .as_deref()
                .map_or_else(|| "not denied".to_owned(), |policy| format!("denied by {policy}"));
            format!(
                "closed by expiry, not proved by a probe ({why}): {denied}; the last credentials expired by {dead_by}"
            )
        }
        Revocation::Pending { why, dead_by } if *dead_by <= now => {
            format!("NOT PROVED: {why}; the credentials ended at {dead_by}")
        }
        Revocation::Pending { why, dead_by } => {
            format!("NOT PROVED: {why}; count the credentials as alive until {dead_by}")
        }
    }
}

fn genesis<T>(value: T) -> Known<T> {
    Known { value, source: GENESIS.to_owned() }
}

const TYPED: &str = "as typed, best effort: followed from the keys, so what the shell added from its history or by \
    completion is missing (marked partial); what was typed at secret prompts and into full-screen programs is left \
    out; of a file or a pipe, the lines that are text are here; the tape is what counts";
const SHOWN: &str =
    "found by pattern as it went over the screen or was typed; other secrets may be on the tape";
const NOT_KNOWN: &str = "the recorder did not live to say it, or had nothing to say it for; it is on the \
    tape (bg-shell report --from-tape, with an opening key)";
const GENESIS: &str = "tape genesis";
const PENDING_MAX: u32 = 100;
