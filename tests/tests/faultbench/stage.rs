//! A session that meets a fault, and what is looked at afterwards.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bg_recorder::store::ObjectStore as _;

use super::row::Seen;
use crate::support::bucket::{edge, store};
use crate::support::driver::{Driver, without_ours};
use crate::support::emulator::{Cloud, weed_store};
use crate::support::second::Second;
use crate::support::tape::Tape;
use crate::support::wait::within;
use crate::support::wire::Wire;
use crate::support::world::{World, stderr};

/// A world, and where its evidence is.
pub struct Stage {
    /// It.
    pub world: World,
    bucket: Option<(String, String)>,
}

impl Stage {
    /// Keeps evidence in a directory.
    pub fn local() -> Self {
        Self { world: World::new(), bucket: None }
    }

    /// Keeps evidence in the S3 server of this test run, reached through a wire.
    pub fn on_s3() -> (Self, Wire) {
        let cloud = Cloud::shared();
        let wire = Wire::to(cloud.weed.port);
        (Self::on(&wire.endpoint(), &cloud.weed.url()), wire)
    }

    /// Keeps evidence in a bucket that sessions reach at one endpoint and we at another.
    pub fn on(theirs: &str, ours: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("faults-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let world = Cloud::shared().world("recorder", &weed_store(theirs, &prefix));
        Self { world, bucket: Some((ours.to_owned(), prefix)) }
    }

    /// Returns `bg-shell open` of a script.
    pub fn session(&self, script: &str) -> Command {
        let mut shell = self.world.quiet_shell();
        shell.args(["open", "--reason", "a fault", "--", "sh", "-c", script]);
        shell
    }

    /// Begins a session that answers every line with some output.
    pub fn dialogue(&self) -> Driver {
        let driver = Driver::spawn(self.session(DIALOGUE));
        driver.wait_for("ready");
        driver
    }

    /// Returns how many segments are in spools.
    pub fn spooled(&self) -> usize {
        let segments = |spool: std::path::PathBuf| std::fs::read_dir(spool.join("segments"));
        self.world
            .spools()
            .into_iter()
            .map(|spool| segments(spool).map_or(0, Iterator::count))
            .sum()
    }

    /// Looks at everything once the session has ended.
    pub fn seen(&self, driver: &mut Driver) -> Seen {
        let status = driver.wait();
        let shown = driver.shown();
        let seen = self.after(format!("exit {status}"));
        let Some(tape) = seen.1.last() else {
            let shown_bytes = shown.len() as u64;
            return Seen { shown_bytes, lost_bytes: shown_bytes, ..seen.0 };
        };
        let recorded = tape.output();
        let shown = without_ours(shown, &recorded);
        let lost_bytes = missing(&shown, &recorded);
        Seen { shown_bytes: shown.len() as u64, lost_bytes, ..seen.0 }
    }

    /// Recovers what waits, and has both verifiers look at every tape.
    pub fn after(&self, outcome: String) -> (Seen, Vec<Tape>) {
        within(Duration::from_secs(10), || self.world.processes().is_empty());
        let mut seen = Seen { outcome, left: self.world.processes().len(), ..Seen::default() };
        if !self.world.spools().is_empty() {
            let recovered = self.world.recover();
            seen =
                seen.note("then `recover`").demand(recovered.status.success(), stderr(&recovered));
        }
        self.fetch();
        let tapes = self.world.tapes();
        if !tapes.is_empty() {
            seen.verdicts = tapes.iter().map(Tape::verdict).collect();
            let second = Second::verdicts(&self.world.practice().trust_key(), &tapes);
            let agree = second == seen.verdicts;
            let spools = self.world.spools().len();
            seen = seen
                .demand(agree, format!("the second verifier says {second:?}"))
                .demand(spools == 0, format!("{spools} spools are left"));
        }
        (seen, tapes)
    }

    /// Copies the bucket to where a directory store would be.
    fn fetch(&self) {
        let Some((endpoint, prefix)) = &self.bucket else { return };
        let edge = edge(endpoint);
        let store = store(&edge, prefix);
        for entry in store.list("sessions/").unwrap() {
            let path = self.world.practice().evidence().join(&entry.key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, store.get(&entry.key, entry.len).unwrap()).unwrap();
        }
    }
}

/// Returns how many of the shown bytes are not at the beginning of what was recorded. What bg-shell itself says on
/// a line of its own is no output of the session.
pub fn missing(shown: &[u8], recorded: &[u8]) -> u64 {
    let mut rest = shown;
    let mut recorded = recorded.iter();
    loop {
        if rest.starts_with(OURS) {
            let len = rest[2..]
                .windows(2)
                .position(|pair| pair == b"\r\n")
                .map_or(rest.len(), |at| at + 4);
            rest = &rest[len..];
        }
        let Some((byte, others)) = rest.split_first() else { return 0 };
        if recorded.next() != Some(byte) {
            return rest.len() as u64;
        }
        rest = others;
    }
}

const OURS: &[u8] = b"\r\nbg-shell: ";
const DIALOGUE: &str = "echo ready; while read -r line; do seq 2000; echo \"<$line>\"; done";
