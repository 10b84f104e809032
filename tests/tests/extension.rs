//! More time for a session: without its evidence store, or past its end.

use std::path::{Path, PathBuf};
use std::process::Output;

use bg_recorder::practice::Practice;
use serde_json::{Value, json};

use crate::ladder::{configure, session};
use crate::support::away::Away;
use crate::support::driver::Driver;
use crate::support::hook::{Hook, Manner};
use crate::support::sandbox::{Sandbox, Site};
use crate::support::tape::Tape;
use crate::support::world::{World, below, stderr};

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
    driver.wait_for("bg-shell: the evidence store takes objects again");
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
fn the_end_of_a_session_whose_store_answers_is_moved_no_further_than_the_maximum() {
    let world = World::new();
    configure(&world, "extensions = \"responder\"\n\n[practice]\nmax_duration = \"40s\"\n");
    let mut shell = world.quiet_shell();
    let script = "echo \"ends=$BG_SHELL_ENDS.\"; while :; do date -u +at=%FT%TZ; sleep 1; done";
    shell.args(["open", "--max-duration", "20s", "--", "sh", "-c", script]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("at=");
    let id = world.spools()[0].file_name().unwrap().to_str().unwrap().to_owned();
    let extend = |time: &str| {
        let args = ["extend", &id, "--for", time, "--as-responder"];
        let extended = world.shell().args(args).output().unwrap();
        assert!(extended.status.success(), "{}", stderr(&extended));
    };
    extend("10s");
    driver.wait_for("bg-shell: extended by ");
    extend("10m");
    driver.wait_for("9m 50s of it are not given: the session lasts as long as its role allows");
    extend("10s");
    driver.wait_for("an extension does not count: ");
    assert_eq!(driver.wait(), 124, "{}", world.said());
    let tape = world.tape();
    tape.assert_intact();
    assert_eq!(tape.note("seal")["about"]["ended"], "deadline");
    let shown = String::from_utf8(tape.output()).unwrap();
    let (_, first) = shown.split_once("ends=").unwrap();
    let (first, _) = first.split_once('.').unwrap();
    let (_, last) = shown.rsplit_once("at=").unwrap();
    assert!(last.trim_end() > first, "it ended by {first}: {last}");
    let notices = tape.notices("extension");
    let states: Vec<&str> =
        notices.iter().map(|notice| notice["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["granted", "granted", "refused", "refused"], "{notices:?}");
    let ends = |n: usize| notices[n]["deadline"].as_str().unwrap();
    assert!(first < ends(0) && ends(0) < ends(1), "{first} {notices:?}");
    assert!(last.trim_end().trim_end_matches('Z') <= ends(1), "{last} {notices:?}");
    assert!(notices[3]["why"].as_str().unwrap().contains("as long as its role allows"));
    assert_eq!(notices[0]["as"], "responder");
}

#[test]
fn an_access_whose_end_an_approver_moved_works_until_then_and_is_proved_closed() {
    let hook = Hook::start(Manner::Answers(200));
    let webhook = format!("\n[[notify.webhooks]]\nurl = {:?}\n", hook.url());
    let scene = Scene::new(&webhook);
    let (mut driver, id) = scene.open_for(&["--max-duration", "40s"]);
    let opened = scene.fact(&id, "open");
    let own = scene.extend("alice", &[&id, "--for", "40s", "--yes"]);
    assert!(stderr(&own).contains("so alice cannot extend it"), "{}", stderr(&own));
    let wish = scene.site.shell().args(["extend", &id, "--as-responder"]).output().unwrap();
    assert!(wish.status.success(), "{}", stderr(&wish));
    driver.wait_for("bg-shell: an extension does not count: the responder may not extend here");
    let extended = scene.extend("bob", &[&id, "--for", "40s", "--yes"]);
    assert!(extended.status.success(), "{}", stderr(&extended));
    driver.wait_for("bg-shell: extended by bob: this session ends in ");
    let renewed = scene.fact(&id, "renewed/1");
    let deadline = renewed["deadline"].as_str().unwrap();
    let first = opened["deadline"].as_str().unwrap();
    assert!(deadline > first, "{opened} {renewed}");
    assert_eq!((&renewed["extended_by"], &renewed["as"]), (&json!("bob"), &json!("approver")));
    driver.wait_for(&format!("EMERGENCY drill as alice until {} UTC", &deadline[11..19]));
    // One second after the first end.
    let wait = "while [ \"$(date -u +%FT%TZ)\" \\< \"$BG_SHELL_ENDS\" ]; do sleep 1; done; sleep 1";
    driver.send(format!("{wait}\n"));
    driver.send("aws s3 ls && echo wor''ked\n");
    driver.wait_for("worked");
    let listed = scene.site.shell().args(["sessions", "--json"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains(deadline), "{listed}");
    let reconciled = scene.site.shell().args(["reconcile"]).output().unwrap();
    assert!(stderr(&reconciled).contains("runs, and closes its access itself"), "{reconciled:?}");
    assert_eq!(driver.wait(), 124, "{}", driver.screen());
    let tape = scene.tape();
    assert_eq!(tape.verdict(), "intact", "{:?}", tape.report());
    let seal = &tape.note("seal")["about"];
    assert_eq!(
        (&seal["ended"], &seal["revocation"]["state"]),
        (&json!("deadline"), &json!("revoked"))
    );
    let notices = tape.notices("extension");
    let granted = &notices[1];
    assert_eq!((&granted["state"], &granted["deadline"]), (&json!("granted"), &json!(deadline)));
    assert_eq!(granted["signature"], renewed["signature"]);
    let credentials = tape.notices("credentials");
    assert!(credentials.iter().any(|notice| notice["state"] == "renewed"), "{credentials:?}");
    let report = scene.site.shell().args(["report", &id]).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains(&format!("bob (approver) moved the end to {deadline}")), "{report}");
    let told = hook.wait_for(4);
    assert!(told.iter().any(|delivery| delivery.json()["event"] == "extended"));
}

#[test]
fn nothing_moves_where_that_cannot_be_written_down() {
    let scene = Scene::new("");
    let (mut driver, id) = scene.open_for(&["--max-duration", "10m"]);
    // Others have put something into each place.
    let places = scene.evidence().join("cases").join(&id).join("renewed");
    std::fs::create_dir_all(&places).unwrap();
    (1..=64).for_each(|n| std::fs::write(places.join(n.to_string()), "junk").unwrap());
    assert!(scene.extend("bob", &[&id, "--for", "10m", "--yes"]).status.success());
    driver.wait_for("bg-shell: an extension does not count: it cannot be written down: ");
    driver.send("exit\n");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    let tape = scene.tape();
    assert_eq!(tape.notices("extension")[0]["state"], "refused");
    let credentials = tape.notices("credentials");
    assert!(credentials.iter().all(|notice| notice["state"] != "renewed"), "{credentials:?}");
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
        self.open_for(&[])
    }

    fn open_for(&self, args: &[&str]) -> (Driver, String) {
        let mut shell = self.site.command("sh");
        let program = env!("CARGO_BIN_EXE_shell-under-test");
        shell.args(["-c", r#"exec "$0" "$@" 2>"$HOME/stderr""#, program]);
        shell.args(["open", "--role", "drill", "--reason", "a test", "--key"]);
        shell.arg(self.site.sandbox.key("alice")).args(args).args(["--", "sh"]);
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

    /// Returns what a fact around a session says.
    fn fact(&self, id: &str, fact: &str) -> Value {
        let path = self.evidence().join("cases").join(id).join(fact);
        let note = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{fact}: {e}"));
        serde_json::from_str(note.lines().nth(1).unwrap()).unwrap()
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
