//! The ladder of an outage: told, counted down, ended; and afterwards the store has it all.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bg_recorder::practice::Practice;

use serde_json::{Value, json};

use crate::support::bucket::replay;
use crate::support::disk::Disk;
use crate::support::driver::{Driver, find};
use crate::support::emulator::{Cloud, Weed, bucket, weed_store};
use crate::support::hook::{Hook, Manner};
use crate::support::sandbox::{Sandbox, Site};
use crate::support::tape::Tape;
use crate::support::wait::until;
use crate::support::wire::Wire;
use crate::support::world::{World, below, stderr};

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
    driver.wait_for("bg-shell: the evidence store answers again, after ");
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
    driver.wait_for("bg-shell: the evidence store answers again, after ");
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
    let shown = without_ours(driver.shown());
    drop(store);
    let tape = shipped(&world);
    assert_eq!(tape.note("seal")["about"]["ended"], "outage");
    assert_eq!(states(&tape), ["down", "asking", "over"]);
    let over = &tape.notices("store")[2];
    assert!(over["why"] == "space" && over["waiting_bytes"].as_u64().unwrap() >= 3 << 20, "{over}");
    let recorded = tape.output();
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
fn an_approver_extends_a_session_while_nobody_reaches_the_store() {
    let hook = Hook::start(Manner::Answers(200));
    let webhook = format!("[[notify.webhooks]]\nurl = {:?}\n", hook.url());
    let scene = Scene::new(&format!("countdown = \"30s\"\n\n{webhook}"));
    let (mut driver, id) = scene.open();
    let store = Away::at(scene.evidence());
    driver.wait_for("bg-shell: the evidence store is still away");
    driver.wait_for(&format!("more time: an approver, with bg-shell extend {id}"));
    let own = scene.extend("alice", &[&id, "--for", "10m", "--yes"]);
    assert!(stderr(&own).contains("so alice cannot extend it"), "{}", stderr(&own));
    let print = scene.extend("bob", &[&id[..13], "--for", "20m", "--print"]);
    assert!(print.status.success(), "{}", stderr(&print));
    let file = scene.site.world.home().join("statement");
    let signature = signed_by_hand(&scene, &file, &print.stdout);
    let by_hand =
        [&id, "--statement", file.to_str().unwrap(), "--signature", signature.to_str().unwrap()];
    let handed = scene.extend("bob", &by_hand);
    assert!(handed.status.success(), "{}", stderr(&handed));
    driver.wait_for("bg-shell: extended by bob: this session ends in 20m ");
    assert!(scene.extend("bob", &by_hand).status.success());
    driver.wait_for("bg-shell: an extension does not count: it was used before");
    let wish = scene.site.shell().args(["extend", &id, "--as-responder"]).output().unwrap();
    assert!(wish.status.success(), "{}", stderr(&wish));
    driver.wait_for("bg-shell: an extension does not count: the responder may not extend here");
    std::fs::write(&file, String::from_utf8(print.stdout).unwrap().replace("1200", "1201"))
        .unwrap();
    let forged = scene.extend("bob", &by_hand);
    assert!(
        stderr(&forged).contains("it would not count: the signature of bob: "),
        "{}",
        stderr(&forged)
    );
    drop(store);
    driver.wait_for("bg-shell: the evidence store answers again");
    driver.send("exit\n");
    assert_eq!(driver.wait(), 0, "{}", scene.site.world.said());
    let tape = scene.tape();
    assert_eq!(tape.verdict(), "intact", "{:?}", tape.report());
    let notices = tape.notices("extension");
    let granted = &notices[0];
    assert_eq!(
        (&granted["state"], &granted["by"], &granted["as"], &granted["for_s"]),
        (&json!("granted"), &json!("bob"), &json!("approver"), &json!(1_200))
    );
    assert!(granted["signature"].as_str().unwrap().starts_with("-----BEGIN SSH SIGNATURE-----"));
    assert_eq!(notices.iter().filter(|notice| notice["state"] == "refused").count(), 2);
    assert!(!scene.place.join("extensions").join(&id).exists());
    let fact = scene.extension(&id);
    assert_eq!(
        (&fact["extended_by"], &fact["for_s"], &fact["as"]),
        (&json!("bob"), &json!(1_200), &json!("approver"))
    );
    assert_eq!(
        (&fact["statement"], &fact["signature"]),
        (&granted["statement"], &granted["signature"])
    );
    let report = scene.site.shell().args(["report", &id]).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(
        report.contains("bob (approver) gave 1200 s more without the evidence store"),
        "{report}"
    );
    let told = hook.wait_for(5);
    let told: Vec<Value> = told.iter().map(|delivery| delivery.json()["event"].clone()).collect();
    let ladder = ["outage", "outage", "extended", "outage-over"].map(Value::from);
    let outage: Vec<Value> = told.into_iter().filter(|event| ladder.contains(event)).collect();
    assert_eq!(outage, ladder);
}

/// Signs a printed extension with stock ssh-keygen, as bob; returns the signature's file.
fn signed_by_hand(scene: &Scene, file: &Path, statement: &[u8]) -> PathBuf {
    std::fs::write(file, statement).unwrap();
    let mut keygen = scene.site.command("ssh-keygen");
    keygen.args(["-q", "-Y", "sign", "-n", "bg-shell-extension@v1", "-f"]);
    keygen.arg(scene.site.sandbox.key("bob"));
    assert!(keygen.arg(file).output().unwrap().status.success());
    file.with_extension("sig")
}

#[test]
fn what_a_killed_session_was_granted_is_a_fact_after_recovery_and_nothing_else_is_left_of_it() {
    let scene = Scene::new("countdown = \"30s\"\n");
    let (mut driver, id) = scene.open();
    let store = Away::at(scene.evidence());
    driver.wait_for(&format!("more time: an approver, with bg-shell extend {id}"));
    assert!(scene.extend("bob", &[&id, "--for", "10m", "--yes"]).status.success());
    driver.wait_for("bg-shell: extended by bob");
    driver.signal(rustix::process::Signal::KILL);
    driver.wait();
    let left = scene.place.join("extensions").join(&id);
    assert_eq!(files(&left.join("granted")).len(), 1);
    std::fs::write(left.join("late.json"), "{}").unwrap();
    drop(store);
    let recovered = scene.site.shell().arg("recover").output().unwrap();
    assert!(recovered.status.success() && !left.exists(), "{}", stderr(&recovered));
    assert_eq!(scene.extension(&id)["extended_by"], "bob");
    assert_eq!(scene.tape().verdict(), "recovered");
}

#[test]
fn the_responder_extends_where_that_is_allowed_and_the_tape_says_so() {
    let world = World::new();
    configure(&world, "countdown = \"10s\"\nextensions = \"responder\"\n");
    let mut driver = Driver::spawn(session(&world, "echo ready; read -r a; echo \"<$a>\""));
    driver.wait_for("ready");
    let store = Away::take(&world);
    driver.wait_for("--as-responder");
    let id = world.spools()[0].file_name().unwrap().to_str().unwrap().to_owned();
    let extended =
        world.shell().args(["extend", &id, "--for", "30m", "--as-responder"]).output().unwrap();
    assert!(extended.status.success(), "{}", stderr(&extended));
    driver.wait_for("bg-shell: extended by ");
    drop(store);
    driver.wait_for("bg-shell: the evidence store has everything");
    driver.send("done\r");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    let notice = &world.tape().notices("extension")[0];
    assert_eq!((&notice["as"], &notice["for_s"]), (&json!("responder"), &json!(1_800)));
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

/// A role without approvals and MFA in the sandbox, whose evidence is in a directory.
struct Scene {
    site: Site,
    place: PathBuf,
}

impl Scene {
    fn new(outage: &str) -> Self {
        let site = Sandbox::shared().site();
        let place = site.world.home().join("place");
        let evidence =
            format!("[evidence]\nstore = \"{0}/evidence\"\nstate = \"{0}\"\n\n", place.display());
        site.configure(|text| {
            let (before, rest) = text.split_once("[evidence]").unwrap();
            let (_, after) = rest.split_once("\n\n").unwrap();
            format!("{before}{evidence}{after}\n[roles.drill.outage]\n{outage}")
        });
        Self { site, place }
    }

    fn evidence(&self) -> PathBuf {
        self.place.join("evidence")
    }

    /// Alice opens it; returns the session's id, too.
    fn open(&self) -> (Driver, String) {
        let mut shell = self.site.command("sh");
        let program = env!("CARGO_BIN_EXE_shell-under-test");
        shell.args(["-c", r#"exec "$0" "$@" 2>"$HOME/stderr""#, program]);
        shell.args(["open", "--role", "drill", "--reason", "a test", "--key"]);
        shell.arg(self.site.sandbox.key("alice")).args(["--", "sh"]);
        let mut driver = Driver::spawn(shell);
        driver.send("echo rea''dy\n");
        driver.wait_for("ready");
        let spools = below(&self.place.join("spool"), 1);
        (driver, spools[0].file_name().unwrap().to_str().unwrap().to_owned())
    }

    fn extend(&self, person: &str, args: &[&str]) -> Output {
        let mut shell = self.site.shell();
        shell
            .arg("extend")
            .args(args)
            .arg("--key")
            .arg(self.site.sandbox.key(person))
            .output()
            .unwrap()
    }

    /// Returns what the fact of its one extension says.
    fn extension(&self, id: &str) -> Value {
        let facts = files(&self.evidence().join("cases").join(id).join("extension"));
        assert_eq!(facts.len(), 1, "{facts:?}");
        let note = std::fs::read_to_string(&facts[0]).unwrap();
        serde_json::from_str(note.lines().nth(1).unwrap()).unwrap()
    }

    fn tape(&self) -> Tape {
        let dirs = below(&self.evidence().join("sessions"), 4);
        Tape { dir: dirs[0].clone(), practice: Practice { root: self.place.clone() } }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A directory store in whose place a file stands, until this is dropped.
struct Away {
    place: PathBuf,
}

impl Away {
    fn take(world: &World) -> Self {
        Self::at(world.state().join("evidence"))
    }

    fn at(place: PathBuf) -> Self {
        std::fs::rename(&place, place.with_extension("away")).unwrap();
        std::fs::write(&place, "").unwrap();
        Self { place }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        std::fs::remove_file(&self.place).unwrap();
        std::fs::rename(self.place.with_extension("away"), &self.place).unwrap();
    }
}

fn configure(world: &World, outage: &str) {
    let dir = world.home().join(".config/bg-shell");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("config.toml"), format!("[practice.outage]\n{outage}")).unwrap();
}

fn session(world: &World, script: &str) -> Command {
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

/// Takes out the lines that bg-shell itself drew.
fn without_ours(mut shown: Vec<u8>) -> Vec<u8> {
    while let Some(at) = find(&shown, b"\r\nbg-shell: the evidence store ") {
        let end = at + 2 + find(&shown[at + 2..], b"\r\n").unwrap() + 2;
        shown.drain(at..end);
    }
    shown
}
