//! The host's count of its sessions: a session that is wholly missing leaves a hole (FORMAT.md 5).

use std::collections::BTreeMap;

use bg_recorder::chain::Link;
use bg_recorder::genesis::{At, Genesis, Host};
use bg_recorder::note::{Note, NoteKind};
use bg_recorder::segment::{Header, Record, Walk};
use bg_recorder::session::{ObjectName, SessionId};
use bg_recorder::tape::Tape;
use bg_recorder::verdict::{Finding, Weight};

/// All sessions that were seen, by host and count.
#[derive(Debug, Default)]
pub struct Roll {
    hosts: BTreeMap<String, BTreeMap<u64, Vec<Enrolled>>>,
}

#[derive(Debug)]
struct Enrolled {
    session: SessionId,
    host: Host,
    first: Link,
    last: Option<Link>,
}

impl Roll {
    /// Enters a tape, if its genesis can be read: what cannot is a finding of its own.
    pub fn enter(&mut self, tape: &Tape<'_>) {
        let Ok(bytes) = tape.get(ObjectName::Genesis) else { return };
        let Some(genesis) = genesis(&bytes) else { return };
        let entry = Enrolled {
            session: genesis.session,
            first: Link::genesis(&bytes),
            last: last_link(tape, Link::genesis(&bytes)),
            host: genesis.host,
        };
        let host = self.hosts.entry(entry.host.id.clone()).or_default();
        host.entry(entry.host.seq).or_default().push(entry);
    }

    /// Returns what is wrong with the counts.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (id, counted) in &self.hosts {
            let mut report = |what: String| {
                let object = format!("host {id}");
                findings.push(Finding { object, frame: None, what, weight: Weight::Fault });
            };
            let mut next = 1;
            for (seq, entries) in counted {
                if *seq > next {
                    report(missing(next, *seq - 1));
                }
                next = seq.saturating_add(1);
                if entries.len() > 1 {
                    report(format!(
                        "count {seq} is there {} times: {}",
                        entries.len(),
                        ids(entries)
                    ));
                }
                let before = seq.checked_sub(1).and_then(|before| counted.get(&before));
                entries.iter().filter_map(|entry| entry.misfit(before)).for_each(&mut report);
            }
        }
        findings
    }
}

impl Enrolled {
    /// Returns how this session's memory of the one before does not fit what is there.
    fn misfit(&self, before: Option<&Vec<Enrolled>>) -> Option<String> {
        let Some(previous) = &self.host.previous else {
            return (self.host.seq != 1)
                .then(|| format!("session {} names no session before it", self.session));
        };
        if previous.seq.checked_add(1) != Some(self.host.seq) {
            return Some(format!(
                "session {} names one before it with the wrong count",
                self.session
            ));
        }
        // A hole was said already.
        let before = before?;
        let Some(entry) = before.iter().find(|entry| entry.session == previous.session) else {
            return Some(format!(
                "session {} followed {}, which is missing",
                self.session, previous.session
            ));
        };
        let link = match previous.at {
            At::Genesis => Some(entry.first),
            At::End => entry.last,
        };
        let what = || {
            format!(
                "session {} remembers another last link of {}: its end is missing or was changed",
                self.session, entry.session
            )
        };
        (link != Some(previous.link)).then(what)
    }
}

/// Returns the last link that the objects give, whatever any note says: of a tape without segment, its first.
fn last_link(tape: &Tape<'_>, first: Link) -> Option<Link> {
    let Some(last) = tape.segments().checked_sub(1) else { return Some(first) };
    let bytes = tape.get(ObjectName::Segment(last)).ok()?;
    let (header, head) = Header::decode(&bytes).ok()?;
    let mut walk = Walk::new(&header, head);
    while let Record::Frame { .. } = walk.step(&bytes).ok()? {}
    Some(walk.link())
}

fn genesis(bytes: &[u8]) -> Option<Genesis> {
    Note::parse(NoteKind::Genesis, bytes).ok()?.read().ok()
}

fn missing(from: u64, to: u64) -> String {
    if from == to {
        format!("the session with count {from} is missing")
    } else {
        format!("the sessions with counts {from} to {to} are missing")
    }
}

fn ids(entries: &[Enrolled]) -> String {
    entries.iter().map(|entry| entry.session.to_string()).collect::<Vec<_>>().join(", ")
}
