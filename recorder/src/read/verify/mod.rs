//! Verification: without any key that opens, every finding and not only the first (FORMAT.md 12).

mod access;
mod chain;
mod end;
mod notes;
mod segments;

use std::collections::{BTreeMap, BTreeSet};

use self::chain::{Chain, Stretches};
use crate::approval::quorum::Signatory;
use crate::format::genesis::Genesis;
use crate::format::session::{ObjectName, SessionId};
use crate::format::sign::SigningPublic;
use crate::format::stamp::Stamp;
use crate::read::verdict::{Finding, Report, Signed, Verdict, Weight};
use crate::store::StoreError;
use crate::store::tape::Tape;

/// Verifies a tape against the signing keys that the caller trusts, as of `now_us` (wall time).
pub fn verify(tape: &Tape<'_>, trusted: &[SigningPublic], now_us: u64) -> Report {
    let mut verifier = Verifier::new(tape.placed);
    for stranger in &tape.strangers {
        verifier.fault(stranger, None, "not an object of a tape");
    }
    for dark in &tape.dark {
        verifier.found(Weight::Unread, dark, None, "not readable: it cannot be listed");
    }
    // Without a whole listing nothing can be said to be missing.
    if tape.dark.iter().any(|dark| matches!(dark.as_str(), "" | "segments/" | "checkpoints/")) {
        return verifier.finish(tape, now_us);
    }
    if let Some(bytes) = fetch(tape, ObjectName::Genesis, &mut verifier) {
        verifier.genesis(&bytes, trusted);
    }
    let end = verifier.claimed_end(tape);
    for n in numbers(tape) {
        if end.is_some_and(|end| n >= end.segments) {
            verifier.behind_the_end(tape, n);
        }
        verifier.pair(tape, n, end);
    }
    verifier.endings(tape);
    verifier.finish(tape, now_us)
}

/// Returns the numbers that any segment or checkpoint has, in order.
fn numbers(tape: &Tape<'_>) -> BTreeSet<u64> {
    let number = |name: &ObjectName| match name {
        ObjectName::Segment(n) | ObjectName::Checkpoint(n) => Some(*n),
        _ => None,
    };
    tape.objects.keys().filter_map(number).collect()
}

fn fetch(tape: &Tape<'_>, name: ObjectName, verifier: &mut Verifier) -> Option<Vec<u8>> {
    let at = name.to_string();
    match tape.get(name) {
        Ok(bytes) => return Some(bytes),
        Err(StoreError::Missing(_)) => verifier.broken(&at, None, "missing"),
        Err(StoreError::TooLarge(_)) => verifier.broken(&at, None, "larger than its kind allows"),
        Err(e) => {
            verifier.found(Weight::Unread, &at, None, &format!("not readable: {}", cause(&e)))
        }
    }
    None
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// What has been established of a tape so far.
#[derive(Debug)]
struct Verifier {
    placed: Option<SessionId>,
    genesis: Option<Genesis>,
    sign: Option<SigningPublic>,
    standby: Option<SigningPublic>,
    /// Whether the genesis is this session's, and signed by the key that it names and that is trusted.
    vouched: bool,
    signed: Option<Signed>,
    people: Vec<Signatory>,
    chain: Chain,
    /// The chain as it was where the signed end says that it ended.
    ended: Option<Chain>,
    stretches: Stretches,
    boot_us: u64,
    wall_us: u64,
    opened_us: Option<(u64, u64)>,
    unseen_us: u64,
    /// The newest moment that a signature covers, and where it stands.
    heard: Option<(String, Stamp)>,
    /// Texts of checkpoints that no cosignature has named yet.
    texts: BTreeMap<u64, Vec<u8>>,
    /// The last of those.
    cosigned: Option<u64>,
    sealed: bool,
    recovered: bool,
    findings: Vec<Finding>,
}

impl Verifier {
    fn new(placed: Option<SessionId>) -> Self {
        Self {
            placed,
            genesis: None,
            sign: None,
            standby: None,
            vouched: false,
            signed: None,
            people: Vec::new(),
            chain: Chain::default(),
            ended: None,
            stretches: Stretches::default(),
            boot_us: 0,
            wall_us: 0,
            opened_us: None,
            unseen_us: 0,
            heard: None,
            texts: BTreeMap::new(),
            cosigned: None,
            sealed: false,
            recovered: false,
            findings: Vec::new(),
        }
    }

    /// What of the chain does not hold.
    fn broken(&mut self, object: &str, frame: Option<u64>, what: &str) {
        self.found(Weight::Broken, object, frame, what);
    }

    /// What does not hold and touches no frame.
    fn fault(&mut self, object: &str, frame: Option<u64>, what: &str) {
        self.found(Weight::Fault, object, frame, what);
    }

    fn found(&mut self, weight: Weight, object: &str, frame: Option<u64>, what: &str) {
        self.findings.push(Finding {
            object: object.to_owned(),
            frame,
            what: what.to_owned(),
            weight,
        });
    }

    fn require(&mut self, holds: bool, object: &str, what: &str) {
        if !holds {
            self.broken(object, None, what);
        }
    }

    fn demand(&mut self, holds: bool, object: &str, what: &str) {
        if !holds {
            self.fault(object, None, what);
        }
    }

    /// Which session this is: by its place, or else by its genesis.
    fn session(&self) -> Option<SessionId> {
        self.placed.or(self.genesis.as_ref().map(|genesis| genesis.session))
    }

    /// Returns whether a note is of this session, and of the boot that the genesis names.
    fn ours(&self, session: SessionId, boot_id: &str) -> bool {
        let boot = self.genesis.as_ref().is_none_or(|genesis| genesis.boot_id == boot_id);
        boot && self.session().is_none_or(|id| id == session)
    }

    /// Takes note of a moment on the tape: boot time never goes back.
    fn moment(&mut self, boot_us: u64, wall_us: u64, at: &str) {
        self.demand(boot_us >= self.boot_us, at, "time goes back");
        self.boot_us = self.boot_us.max(boot_us);
        self.wall_us = self.wall_us.max(wall_us);
    }

    fn heartbeats_us(&self) -> u64 {
        let heartbeat_ms = self.genesis.as_ref().map_or(10_000, |g| g.limits.heartbeat_ms);
        heartbeat_ms.saturating_mul(3_000)
    }

    fn finish(mut self, tape: &Tape<'_>, now_us: u64) -> Report {
        if let (Some((cut, _)), true) = (self.chain.cut, self.sealed) {
            self.broken(
                &ObjectName::Segment(cut).to_string(),
                None,
                "cut: it has no end marker, in a sealed tape",
            );
        }
        if self.unseen_us > self.heartbeats_us() {
            let what = format!(
                "nothing was recorded for {} s, longer than three heartbeats",
                self.unseen_us / 1_000_000
            );
            self.found(Weight::Note, "segments", None, &what);
        }
        let fresh = self.fresh(now_us);
        let worst = self.findings.iter().map(|finding| finding.weight).max();
        let verdict = match worst {
            Some(Weight::Broken | Weight::Fault) => Verdict::Broken,
            Some(Weight::Unread) => Verdict::Unverifiable,
            _ if self.recovered => Verdict::Recovered,
            _ if self.sealed => Verdict::Intact,
            _ if fresh => Verdict::Live,
            _ => Verdict::Unfinished,
        };
        if verdict == Verdict::Unfinished {
            self.unfinished();
        }
        let good = self.stretches.good(self.vouched);
        let count = |signed| good.iter().filter(|s| s.signed == signed).map(|s| s.frames).sum();
        let segments = good.iter().filter(|s| s.signed).count() as u64;
        let role = self.genesis.as_ref().and_then(|g| g.about.get("role")?.as_str());
        Report {
            role: role.map(ToOwned::to_owned),
            session: tape.placed.or(self.session()),
            verdict,
            frames: count(true),
            segments,
            unsigned: count(false),
            signed: self.signed,
            people: self.people,
            findings: self.findings,
            good,
        }
    }

    /// Whether somebody who holds a key was heard of just now. Whoever can write to the store can write any time
    /// into a header; a time that is still to come is no sign of life either.
    fn fresh(&mut self, now_us: u64) -> bool {
        let far_us = self.heartbeats_us();
        let ahead = |wall_us: u64| wall_us.saturating_sub(now_us) >= far_us;
        let Some((at, Stamp(heard_us))) = self.heard.clone() else { return false };
        if ahead(heard_us) {
            let what =
                format!("its clock ran ahead: it says {}, which is still to come", Stamp(heard_us));
            self.found(Weight::Note, &at, None, &what);
        } else if ahead(self.wall_us) {
            let what =
                format!("a time that is still to come stands on the tape: {}", Stamp(self.wall_us));
            self.found(Weight::Note, "segments", None, &what);
        }
        heard_us.abs_diff(now_us) < far_us
    }

    fn unfinished(&mut self) {
        let at = self
            .chain
            .segments
            .checked_sub(1)
            .map_or("genesis".to_owned(), |n| ObjectName::Segment(n).to_string());
        let opened = self
            .opened_us
            .map(|(_, wall_us)| format!(", in the segment opened at {}", Stamp(wall_us)));
        let torn = self.chain.cut.map_or(0, |(_, torn)| torn);
        let heard = self.heard.as_ref().map_or(Stamp(0), |(_, stamp)| *stamp);
        let what = format!(
            "no seal: the tape ends after {} frames ({} of them signed for){}, last heard of at {heard}; {torn} bytes of a torn frame; longest unseen window {} ms",
            self.chain.frames,
            self.stretches.signed_frames(),
            opened.unwrap_or_default(),
            self.unseen_us / 1_000,
        );
        self.found(Weight::Note, &at, self.chain.frames.checked_sub(1), &what);
    }
}
