//! The ladder of an outage: told, counted down, ended; and afterwards the store has it all.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::away::Away;
use crate::support::bucket::replay;
use crate::support::disk::Disk;
use crate::support::driver::{Driver, find, without_ours};
use crate::support::emulator::{Cloud, Weed, bucket, weed_store};
use crate::support::tape::Tape;
use crate::support::wait::until;
use crate::support::wire::Wire;
use crate::support::world::{World, stderr};

#[test]
fn what_is_typed_and_shown_during_an_outage_is_in_the_store_after_it() {
    let cloud = Cloud::shared();
    let wire = Wire::to(cloud.weed.port);
    let evidence = weed_store(&wire.endpoint(), "ladder") + &cloud.keys();
    let world = cloud.world("recorder", &evidence);
    let mut shell = world.quiet_shell();
    shell.args(["open", "--reason", "a test", "--", "sh"]);
    let mut driver = Driver::spawn(shell);
    driver.send("echo be''fore\n");
    driver.wait_for("before");
    wire.refuse();
    driver.send("echo dur''ing\n");
    driver.wait_for("during");
    driver.wait_for(
        "bg-shell: the evidence store does not answer; recording goes to the spool, for 14m ",
    );
    driver.send("echo ag''ain\n");
    driver.wait_for("again");
    wire.restore();
    driver.wait_for("bg-shell: the evidence store takes objects again, after ");
    driver.wait_for("bg-shell: the evidence store has everything that waited for it");
    driver.send("echo af''ter; exit\n");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
    cloud.configure(&world, "auditor", &evidence);
    let cat = replay(&world, &["cat", "last"]).1;
    let at = |word: &str| {
        find(cat.as_bytes(), word.as_bytes()).unwrap_or_else(|| panic!("no {word}: {cat}"))
    };
    assert!(
        at("before\n") < at("during\n")
            && at("during\n") < at("again\n")
            && at("again\n") < at("after\n")
    );
}

#[test]
fn a_killed_s3_server_that_comes_back_gets_everything_in_its_order() {
    let cloud = Cloud::shared();
    let dir = tempfile::tempdir().unwrap();
    let weed = Weed::new(dir.path());
    let server = weed.start();
    bucket(&server);
    let wire = Wire::to(server.port);
    let evidence = weed_store(&wire.endpoint(), "killed") + &cloud.keys();
    let world =
        cloud.world("recorder", &(evidence.clone() + "[practice.outage]\ncountdown = \"5m\"\n"));
    let mut shell = world.quiet_shell();
    shell.args(["open", "--reason", "a test", "--", "sh"]);
    let mut driver = Driver::spawn(shell);
    driver.send("echo be''fore\n");
    driver.wait_for("before");
    until("the first segment is stored", || {
        stored(&wire).contains(&"segments/0000000000".to_owned())
    });
    server.kill();
    driver.wait_for(
        "bg-shell: the evidence store does not answer; recording goes to the spool, for 4m ",
    );
    for word in ["one", "two", "three", "four"] {
        driver.send(format!("echo {0}''{0}; sleep 1\n", word));
        driver.wait_for(&format!("{word}{word}"));
    }
    let _server = weed.start();
    driver.wait_for("bg-shell: the evidence store takes objects again, after ");
    driver.wait_for("bg-shell: the evidence store has everything that waited for it");
    driver.send("echo af''ter; exit\n");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    assert!(world.spools().is_empty(), "{}", world.said());
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
    let order = stored(&wire);
    let at = |kind: &str| {
        order.iter().filter(|name| name.starts_with(kind)).cloned().collect::<Vec<_>>()
    };
    for kind in ["segments/", "checkpoints/"] {
        assert!(at(kind).is_sorted() && at(kind).len() > 4, "{order:?}");
    }
    for (n, segment) in at("segments/").iter().enumerate() {
        let place = |name: &str| order.iter().position(|stored| stored == name);
        assert!(place(segment) < place(&format!("checkpoints/{n:010}")), "{order:?}");
    }
    assert_eq!(order.last().map(String::as_str), Some("seal"));
    cloud.configure(&world, "auditor", &evidence);
    let cat = replay(&world, &["cat", "last"]).1;
    let words = ["before\n", "oneone\n", "twotwo\n", "threethree\n", "fourfour\n", "after\n"];
    assert!(words.map(|word| find(cat.as_bytes(), word.as_bytes())).is_sorted(), "{cat}");
    let lines = replay(&world, &["export", "last", "--format", "jsonl"]).1;
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let notices = events.filter(|event| event["code"] == "N");
    let notices = notices
        .map(|event| serde_json::from_str::<Value>(event["data"].as_str().unwrap()).unwrap());
    let states: Vec<Value> = notices
        .filter(|notice| notice["kind"] == "store")
        .map(|notice| notice["state"].clone())
        .collect();
    assert_eq!(states, ["down", "up", "drained"]);
}

/// Returns the tape's objects that passed the wire into the store, in the order in which they did.
fn stored(wire: &Wire) -> Vec<String> {
    let put = wire
        .requests()
        .into_iter()
        .filter(|request| request.method == "PUT" && request.status == 200);
    let names = put.filter_map(|request| {
        let (_, object) = request.target.split_once("/sessions/")?;
        Some(object.split('?').next()?.splitn(5, '/').nth(4)?.to_owned())
    });
    names.collect()
}

#[test]
fn the_tape_tells_when_the_store_went_and_when_it_had_everything_again() {
    let world = World::new();
    let mut driver =
        Driver::spawn(session(&world, "echo ready; read -r a; echo one; read -r b; echo two"));
    driver.wait_for("ready");
    let store = Away::take(&world);
    driver.wait_for("bg-shell: the evidence store does not answer");
    driver.send("a\r");
    driver.wait_for("one");
    drop(store);
    driver.wait_for("bg-shell: the evidence store has everything");
    driver.send("b\r");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(states(&tape), ["down", "up", "drained"]);
    let notices = tape.notices("store");
    assert!(
        notices[0]["left_s"].as_u64().unwrap() > 800 && notices[1]["away_s"].as_u64().unwrap() >= 2
    );
    assert!(notices[0]["waiting_bytes"].as_u64().unwrap() > 0, "{notices:?}");
    assert_eq!(notices[2]["used_percent"], 0);
    assert_eq!(tape.note("genesis")["about"]["outage"]["countdown_s"], 900);
}

#[test]
fn a_session_ends_when_its_countdown_is_over_and_its_tape_is_whole() {
    let world = World::new();
    configure(&world, "countdown = \"5s\"\nextensions = \"never\"\n");
    let mut driver = Driver::spawn(session(
        &world,
        "trap '' HUP TERM; echo ready; setsid sleep 1000 & while :; do read -r a; echo \"<$a>\"; done",
    ));
    let before = format!("{:?}", driver.settings());
    driver.wait_for("ready");
    let store = Away::take(&world);
    driver.wait_for("bg-shell: the evidence store is still away; this session ends in ");
    driver.wait_for("save what you need");
    driver.send("last words\r");
    driver.wait_for("<last words>");
    assert_eq!(driver.wait(), 125, "{}", world.said());
    assert_eq!(before, format!("{:?}", driver.settings()));
    assert_eq!(world.processes(), []);
    let said = world.said();
    assert!(
        said.contains(
            "bg-shell: error: the session was ended: the evidence store was away for 5s\n"
        ) && said.contains("bg-shell: hint: reach the store, then bg-shell recover"),
        "{said}"
    );
    drop(store);
    let tape = shipped(&world);
    assert_eq!(states(&tape), ["down", "asking", "over"]);
    assert_eq!(tape.notices("store")[2]["why"], "time");
    let seal = tape.note("seal");
    assert_eq!((&seal["about"]["ended"], &seal["read_back"]), (&json!("outage"), &Value::Null));
    assert_eq!(seal["about"]["detail"], "the evidence store was away for 5s");
    assert!(find(&tape.output(), b"<last words>").is_some());
}

#[test]
fn a_session_ends_when_its_spool_is_full_and_nothing_shown_is_lost() {
    let world = World::new();
    configure(&world, "spool_max = \"3MiB\"\nask_at = 50\n");
    let mut driver = Driver::spawn(session(
        &world,
        "stty raw; echo ready; read -r a; while :; do head -c 300000 /dev/urandom | base64; sleep 0.2; done",
    ));
    driver.wait_for("ready");
    let store = Away::take(&world);
    driver.wait_for("bg-shell: the evidence store does not answer");
    driver.send("\n");
    assert_eq!(driver.wait(), 125, "{}", world.said());
    let said = world.said();
    assert!(
        said.contains(
            "bg-shell: error: the session was ended: its spool is full (3145728 bytes), "
        ),
        "{said}"
    );
    let shown = driver.shown();
    drop(store);
    let tape = shipped(&world);
    assert_eq!(tape.note("seal")["about"]["ended"], "outage");
    assert_eq!(states(&tape), ["down", "asking", "over"]);
    let over = &tape.notices("store")[2];
    assert!(over["why"] == "space" && over["waiting_bytes"].as_u64().unwrap() >= 3 << 20, "{over}");
    let recorded = tape.output();
    let shown = without_ours(shown, &recorded);
    let same = shown.iter().zip(&recorded).take_while(|(a, b)| a == b).count();
    assert_eq!(same, shown.len(), "{} recorded", recorded.len());
    assert!(same > 3 << 20, "{same}");
}

#[test]
fn the_reserve_is_enough_to_seal_beside_a_spool_that_filled_its_disk() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.state().join("spool"), 65_536) else { return };
    let mut driver =
        Driver::spawn(session(&world, "stty raw; echo ready; read -r a; exec cat /dev/urandom"));
    driver.wait_for("ready");
    let store = Away::take(&world);
    driver.wait_for("bg-shell: the evidence store does not answer");
    driver.send("\n");
    assert_eq!(driver.wait(), 125, "{}", world.said());
    assert!(world.said().contains("No space left on device"), "{}", world.said());
    let shown = driver.shown();
    assert!(shown.len() > 20_000_000, "{}", shown.len());
    drop(store);
    disk.resize(131_072);
    let tape = shipped(&world);
    let seal = tape.note("seal");
    assert_eq!(seal["about"]["ended"], "recorder-failure");
    assert!(seal["gaps"][0]["bytes"].as_u64().unwrap() > 0, "{seal}");
}

#[test]
fn an_outage_section_is_read_strictly() {
    for (text, word) in [
        ("countdown = \"0s\"\n", "some time"),
        ("spool_max = \"1 GiBi\"\n", "512MiB"),
        ("spool_max = 4096\n", "one segment"),
        ("ask_at = 0\n", "percentage"),
        ("extensions = \"anybody\"\n", "anybody"),
        ("count_down = \"5m\"\n", "did you mean countdown"),
    ] {
        let world = World::new();
        configure(&world, text);
        let output = world.record("true");
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{text}: {said}");
        assert!(said.contains(word), "{text}: {said}");
    }
    let world = World::new();
    configure(
        &world,
        "spool_max = \"512MiB\"\ncountdown = \"1h30m\"\nextensions = \"responder\"\n",
    );
    assert!(world.record("true").status.success());
    let outage = &world.tape().note("genesis")["about"]["outage"];
    assert_eq!((&outage["spool_max"], &outage["countdown_s"]), (&json!(512 << 20), &json!(5_400)));
}

#[test]
fn a_session_begins_without_its_store_only_where_that_is_allowed() {
    let world = World::new();
    assert!(world.record("true").status.success());
    let store = Away::take(&world);
    let refused = world.record("touch $HOME/started");
    assert_eq!(refused.status.code(), Some(125), "{}", stderr(&refused));
    assert!(!world.home().join("started").exists() && stderr(&refused).contains("start_offline"));
    configure(&world, "start_offline = true\n");
    let mut driver = Driver::spawn(session(&world, "echo ready; read -r a; echo \"<$a>\""));
    driver.wait_for("ready");
    driver.wait_for("bg-shell: the evidence store does not answer");
    assert!(
        world.said().contains("bg-shell: warning: begun WITHOUT its evidence store"),
        "{}",
        world.said()
    );
    driver.send("offline\r");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    drop(store);
    let recovered = world.recover();
    assert!(recovered.status.success() && world.spools().is_empty(), "{}", stderr(&recovered));
    let tapes = world.tapes();
    let tape = tapes.last().unwrap();
    assert_eq!((tapes.len(), &*tape.verdict()), (3, "intact"), "{:?}", tape.report());
    assert!(find(&tape.output(), b"<offline>").is_some());
    assert_eq!(tape.notices("store")[0]["state"], "down");
    assert_eq!(tape.note("genesis")["about"]["outage"]["start_offline"], true);
}

/// Configures the outage of practice sessions.
pub fn configure(world: &World, outage: &str) {
    let dir = world.home().join(".config/bg-shell");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("config.toml"), format!("[practice.outage]\n{outage}")).unwrap();
}

/// Returns a practice session of a script.
pub fn session(world: &World, script: &str) -> Command {
    let mut shell = world.quiet_shell();
    shell.args(["open", "--", "sh", "-c", script]);
    shell
}

/// Ships what waits, and returns the tape, which is whole.
fn shipped(world: &World) -> Tape {
    assert_eq!(world.spools().len(), 1, "{}", world.said());
    let recovered = world.recover();
    assert!(
        recovered.status.success() && stderr(&recovered).contains(": intact, "),
        "{}",
        stderr(&recovered)
    );
    until("no spool", || world.spools().is_empty());
    let tape = world.tape();
    assert_eq!(tape.verdict(), "intact", "{:?}", tape.report());
    tape
}

fn states(tape: &Tape) -> Vec<String> {
    tape.notices("store")
        .iter()
        .map(|notice| notice["state"].as_str().unwrap().to_owned())
        .collect()
}
