//! The store or the key service is away: the session goes on or ends, and nothing accepted is lost.

use bg_recorder::store::ObjectStore as _;

use crate::support::bucket::{edge, refused, replay, store};
use crate::support::driver::Driver;
use crate::support::emulator::{Cloud, Weed, bucket, weed_store};
use crate::support::wait::until;
use crate::support::wire::{Fault, Wire};

#[test]
fn the_store_dies_in_the_middle_and_recover_finishes() {
    let cloud = Cloud::shared();
    let dir = tempfile::tempdir().unwrap();
    let weed = Weed::new(dir.path());
    let server = weed.start();
    bucket(&server);
    let evidence = weed_store(&server.url(), "died") + &cloud.keys();
    let world = cloud.world("recorder", &evidence);
    let go = world.home().join("go");
    let script =
        format!("echo before; until test -e {}; do sleep 0.05; done; echo after", go.display());
    let shell = world
        .shell()
        .args(["open", "--reason", "a test", "--", "sh", "-c", &script])
        .spawn()
        .unwrap();
    until("something is shipped", || !world.spools().is_empty() && stored(&server.url()) > 2);
    server.kill();
    std::fs::write(&go, "").unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(world.spools().len(), 1, "what was not shipped waits");
    let server = weed.start();
    bucket(&server);
    until("the old volumes are there again", || readable(&server.url()));
    let recovered = world.recover();
    assert!(recovered.status.success() && world.spools().is_empty(), "{recovered:?}");
    let (_, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(verdict.starts_with("intact: "), "{verdict}");
    cloud.configure(&world, "auditor", &evidence);
    assert_eq!(replay(&world, &["cat", "last"]).1, "before\nafter\n");
}

#[test]
fn a_store_that_says_nothing_is_noticed_and_holds_nobody_up() {
    let cloud = Cloud::shared();
    let wire = Wire::to(cloud.weed.port);
    let evidence = weed_store(&wire.endpoint(), "silent") + &cloud.keys();
    let world = cloud.world("recorder", &evidence);
    wire.fault_all(Fault::BlackHole);
    let said = refused(&world);
    assert!(said.contains("s3:PutObject: ") && said.contains("hint: check the network"), "{said}");
    wire.heal();
    // What was begun ends as a recovered tape, not as a hole in the host's count.
    assert!(world.recover().status.success() && world.spools().is_empty());
    let (_, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(verdict.starts_with("recovered: "), "{verdict}");
}

#[test]
fn a_store_that_falls_silent_is_told_on_the_terminal_and_the_session_goes_on() {
    let cloud = Cloud::shared();
    let wire = Wire::to(cloud.weed.port);
    let world = cloud.world("recorder", &(weed_store(&wire.endpoint(), "fell") + &cloud.keys()));
    let mut shell = world.quiet_shell();
    shell.args(["open", "--reason", "a test", "--", "sh"]);
    let mut driver = Driver::spawn(shell);
    driver.send("echo be''fore\n");
    driver.wait_for("before");
    wire.fault_all(Fault::BlackHole);
    driver.send("echo dur''ing\n");
    driver.wait_for("during");
    driver.wait_for("bg-shell: the evidence store does not answer");
    wire.heal();
    driver.wait_for("bg-shell: the evidence store takes objects again");
    driver.send("exit\n");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
}

#[test]
fn a_store_that_refuses_is_told_from_one_that_says_nothing() {
    let cloud = Cloud::shared();
    let wire = Wire::to(cloud.weed.port);
    let world = cloud.world("recorder", &(weed_store(&wire.endpoint(), "expired") + &cloud.keys()));
    let mut shell = world.quiet_shell();
    shell.args(["open", "--reason", "a test", "--", "sh"]);
    let mut driver = Driver::spawn(shell);
    driver.send("echo be''fore\n");
    driver.wait_for("before");
    wire.fault_all(Fault::Status(400, "ExpiredToken"));
    driver.wait_for("bg-shell: the evidence store refuses; recording goes to the spool, for 14m ");
    driver.wait_for("(s3:PutObject: ExpiredToken: injected");
    wire.heal();
    driver.wait_for("bg-shell: the evidence store takes objects again");
    driver.send("exit\n");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    assert!(world.spools().is_empty(), "{}", world.said());
}

#[test]
fn a_key_service_that_dies_leaves_a_tape_that_recover_ends() {
    let cloud = Cloud::shared();
    let wire = Wire::to(cloud.aws.port);
    let world = cloud.world("recorder", &cloud.on_weed("keyless"));
    let config = world.home().join(".config/bg-shell/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&cloud.aws.url(), &wire.endpoint())).unwrap();
    let go = world.home().join("go");
    let script = format!("echo on; until test -e {}; do sleep 0.05; done", go.display());
    let mut shell = world.quiet_shell();
    shell.args(["open", "--reason", "a test", "--", "sh", "-c", &script]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("on");
    wire.fault_all(Fault::BlackHole);
    std::fs::write(&go, "").unwrap();
    assert_eq!(driver.wait(), 125, "{}", world.said());
    let said = world.said();
    assert!(said.contains("kms:Sign: ") && said.contains("hint: check the network"), "{said}");
    wire.heal();
    assert!(world.recover().status.success() && world.spools().is_empty());
    let (_, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(verdict.starts_with("recovered: "), "{verdict}");
}

/// Returns how many objects of tapes there are.
fn stored(endpoint: &str) -> usize {
    let edge = edge(endpoint);
    store(&edge, "died").list("sessions/").map_or(0, |entries| entries.len())
}

/// Returns whether all of them can be read.
fn readable(endpoint: &str) -> bool {
    let edge = edge(endpoint);
    let store = store(&edge, "died");
    let entries = store.list("sessions/").unwrap_or_default();
    !entries.is_empty() && entries.iter().all(|entry| store.get(&entry.key, 1 << 20).is_ok())
}
