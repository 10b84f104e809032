//! Faults between us and the key service, an emulator of KMS behind a wire that fails.

use super::row::{Effort, Row, RunIn, Seen};
use super::stage::{Stage, missing};
use crate::support::driver::Driver;
use crate::support::emulator::Cloud;
use crate::support::wait::until;
use crate::support::wire::{Fault, Wire};

/// The rows.
pub const ROWS: &[Row] = &[
    row("kms-refuse", "connections to KMS are refused during a session", |_| {
        during(Wire::refuse, Wire::restore)
    }),
    row("kms-black-hole", "KMS answers nothing during a session", |_| all(Fault::BlackHole)),
    row("kms-500", "500 KMSInternalException to everything during a session", |_| {
        all(Fault::Status(500, "KMSInternalException"))
    }),
    Row {
        name: "kms-403-end",
        injected: "400 AccessDeniedException to everything when the session ends",
        must: "the session fails, and says so; `recover` gives the tape its end",
        run_in: RunIn::Every,
        run: at_end,
    },
];

const fn row(name: &'static str, injected: &'static str, run: fn(Effort) -> Seen) -> Row {
    Row {
        name,
        injected,
        must: "the session goes on; the tape is whole",
        run_in: RunIn::Every,
        run,
    }
}

fn all(fault: Fault) -> Seen {
    during(|wire| wire.fault_all(fault.clone()), Wire::heal)
}

fn during(inject: impl Fn(&Wire), heal: impl Fn(&Wire)) -> Seen {
    let (stage, wire) = stage();
    let mut driver = stage.dialogue();
    inject(&wire);
    driver.send("during\r");
    driver.wait_for("<during>");
    let before = checkpoints(&stage);
    driver.send("still\r");
    driver.wait_for("<still>");
    until("checkpoints without KMS", || checkpoints(&stage) > before);
    heal(&wire);
    driver.send("\x04");
    let seen = seen(&stage, &mut driver);
    let went_on = seen.outcome.starts_with("exit 0");
    seen.demand(went_on, format!("the session did not go on: {}", stage.world.said()))
}

fn at_end(_: Effort) -> Seen {
    let (stage, wire) = stage();
    let mut driver = stage.dialogue();
    driver.send("last\r");
    driver.wait_for("<last>");
    wire.fault_all(Fault::Status(400, "AccessDeniedException"));
    driver.send("\x04");
    driver.wait();
    wire.heal();
    let said = stage.world.said().contains("bg-shell: error: ");
    seen(&stage, &mut driver).demand(said, "it was not said")
}

/// Evidence in a directory, keys in KMS.
fn stage() -> (Stage, Wire) {
    let cloud = Cloud::shared();
    let stage = Stage::local();
    let wire = Wire::to(cloud.aws.port);
    let practice = stage.world.practice();
    let evidence = format!("store = \"{}\"\n", practice.evidence().display()) + &cloud.keys();
    cloud.configure(&stage.world, "recorder", &evidence);
    let config = stage.world.home().join(".config/bg-shell/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&cloud.aws.url(), &wire.endpoint())).unwrap();
    let script =
        format!("{PEM}\nprint(pem(kms.get_public_key(KeyId='{}')['PublicKey']))", cloud.sign);
    std::fs::create_dir_all(practice.keys()).unwrap();
    std::fs::write(practice.trust_key(), cloud.owner(&script)).unwrap();
    (stage, wire)
}

fn checkpoints(stage: &Stage) -> usize {
    let count = |tape: &crate::support::tape::Tape| std::fs::read_dir(tape.dir.join("checkpoints"));
    stage.world.tapes().first().map_or(0, |tape| count(tape).map_or(0, Iterator::count))
}

/// Only an auditor can open what KMS wrapped.
fn seen(stage: &Stage, driver: &mut Driver) -> Seen {
    let status = driver.wait();
    let shown = driver.shown();
    let (seen, _) = stage.after(format!("exit {status}"));
    let config = stage.world.home().join(".config/bg-shell/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"recorder\"", "\"auditor\"")).unwrap();
    let output = stage.world.replay().args(["export", "last", "--format", "raw"]).output().unwrap();
    let lost_bytes = missing(&shown, &output.stdout);
    Seen { shown_bytes: shown.len() as u64, lost_bytes, ..seen }
}

const PEM: &str = "
import base64, textwrap
def pem(der):
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return '\\n'.join(['-----BEGIN PUBLIC KEY-----', *lines, '-----END PUBLIC KEY-----'])";
