//! What ends an access: its end, its deadline, the kill switch, a dead broker.

use std::process::Command;

use serde_json::Value;

use super::scene::{ASK, Scene};
use crate::support::driver::Driver;
use crate::support::wait::until;
use crate::support::wire::Fault;
use crate::support::world::stderr;

#[test]
fn credentials_whose_answer_was_lost_count_as_issued() {
    let scene = Scene::without_mfa();
    let wire = scene.wire();
    wire.fault(|request| request.action().as_deref() == Some("AssumeRole"), Fault::ResetAnswer);
    let output = scene.run("echo here");
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    let seal = &scene.tape().note("seal")["about"];
    assert_eq!(
        (&seal["ended"], &seal["revocation"]["state"]),
        (&"no-access".into(), &"pending".into())
    );
    assert!(scene.fact("close/denied")["policy"].as_str().unwrap().contains(&scene.tape().id()));
    assert!(stderr(&output).contains("the access may live until"), "{}", stderr(&output));
}

#[test]
fn credentials_that_were_taken_out_of_a_session_are_dead_after_it() {
    let scene = Scene::without_mfa();
    let output = scene.run(&format!("{ASK} env | grep ^AWS_CONTAINER >$HOME/endpoint; aws s3 ls"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(scene.file("status"), "200");
    let taken: Value = serde_json::from_str(&scene.file("body")).unwrap();
    let text = |name: &str| taken[name].as_str().unwrap().to_owned();
    let mut later = scene.site.world.command("aws");
    scene.site.sandbox.reach(&mut later);
    later
        .args(["--endpoint-url", scene.site.sandbox.aws(), "--region", "us-east-1", "s3", "ls"])
        .env("AWS_ACCESS_KEY_ID", text("AccessKeyId"))
        .env("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"))
        .env("AWS_SESSION_TOKEN", text("Token"));
    let output = later.output().unwrap();
    assert!(stderr(&output).contains("explicit deny"), "{output:?}");
    // Five minutes at most, whatever they really have.
    let expires = humantime_of(&text("Expiration"));
    assert!(expires <= std::time::SystemTime::now() + std::time::Duration::from_secs(300));
}

#[test]
fn a_session_that_is_revoked_from_elsewhere_ends_and_is_served_no_more() {
    let scene = Scene::without_mfa();
    let mut driver =
        Driver::spawn(scene.open("echo it-runs; trap '' HUP; while :; do sleep 0.1; done"));
    driver.wait_for("it-runs");
    let id = scene.tape().id();
    let revoke =
        scene.site.shell().args(["revoke", &id, "--reason", "wrong account"]).output().unwrap();
    assert!(stderr(&revoke).contains("revok"), "{revoke:?}");
    assert_eq!(driver.wait(), 123, "{}", driver.screen());
    let tape = scene.tape();
    assert_eq!(tape.verdict(), "intact");
    let seal = &tape.note("seal")["about"];
    assert_eq!(seal["ended"], "revoked");
    assert!(seal["detail"].as_str().unwrap().ends_with("wrong account"), "{seal}");
    assert_eq!(tape.notices("revoked")[0]["reason"], "wrong account");
    assert_eq!(seal["revocation"]["state"], "revoked", "{seal}");
}

#[test]
fn the_deadline_ends_the_access_too() {
    let scene = Scene::without_mfa();
    let mut shell = scene.site.shell();
    shell.arg("open").arg("--key").arg(scene.site.sandbox.key("alice"));
    shell.args([
        "--role",
        "spot",
        "--reason",
        "a test",
        "--max-duration",
        "3s",
        "--",
        "sleep",
        "60",
    ]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
    let seal = &scene.tape().note("seal")["about"];
    assert_eq!(
        (&seal["ended"], &seal["revocation"]["state"]),
        (&"deadline".into(), &"revoked".into())
    );
}

#[test]
fn a_session_can_do_what_its_scope_says_and_cannot_become_anybody_else() {
    let scene = Scene::without_mfa();
    let scope = scene.place.join("scope.json");
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:List*", "sts:*"], "Resource": "*"}]}"#;
    std::fs::write(&scope, policy).unwrap();
    scene.site.configure(|text| format!("{text}session_policy = {scope:?}\n"));
    let chain = format!(
        "aws sts assume-role --role-arn {} --role-session-name other",
        scene.site.role("drill")
    );
    let output = scene.run(&format!("aws s3 ls; aws iam list-users; {chain}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("bg-sandbox"), "{text}");
    assert_eq!(text.matches("(AccessDenied)").count(), 2, "{text}");
    assert!(text.contains("sts:AssumeRole with an explicit deny"), "{text}");
}

#[test]
fn gates_open_for_the_session_and_close_after_it() {
    for which in ["attach", "trust"] {
        let scene = Scene::without_mfa();
        let own = scene.site.role("drill").to_owned();
        let gated = scene.site.role(which).to_owned();
        scene.site.configure(|text| {
            let role = text.split_once(&format!("[roles.{which}]")).unwrap().1;
            let gate = role.lines().find(|line| line.starts_with("gate = ")).unwrap().to_owned();
            format!("{}{gate}\n", text.replace(&own, &gated))
        });
        let output = scene.run("aws s3 ls");
        assert_eq!(output.status.code(), Some(0), "{which}: {}", stderr(&output));
        assert_eq!(scene.fact("close/gate")["state"], "closed", "{which}");
        assert_eq!(scene.fact("close/proved")["state"], "revoked", "{which}");
    }
}

#[test]
fn a_role_is_not_opened_for_longer_than_it_may_be() {
    let scene = Scene::without_mfa();
    let mut shell = scene.site.shell();
    shell.arg("open").arg("--key").arg(scene.site.sandbox.key("alice"));
    shell.args(["--role", "spot", "--reason", "a test", "--max-duration", "61m", "--", "true"]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("for 1h at most"), "{}", stderr(&output));
    assert!(scene.tapes().is_empty());
}

#[test]
fn the_access_of_a_killed_broker_is_closed_by_recover() {
    let scene = Scene::without_mfa();
    let mut driver = Driver::spawn(scene.open("echo it-runs; exec sleep 60"));
    driver.wait_for("it-runs");
    driver.signal(rustix::process::Signal::KILL);
    driver.wait();
    let recovered = scene.site.shell().arg("recover").output().unwrap();
    let case = scene.place.join("evidence/cases").join(scene.tape().id());
    until("the Deny", || case.join("close/denied").exists());
    assert_eq!(scene.tape().verdict(), "recovered", "{recovered:?}");
}

fn humantime_of(text: &str) -> std::time::SystemTime {
    let output = Command::new("date").args(["-d", text, "+%s"]).output().unwrap();
    let seconds: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)
}
