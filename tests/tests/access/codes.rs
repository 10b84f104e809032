//! The second factor: who asks for the code, who checks it, and what a wrong one costs.

use serde_json::Value;

use super::scene::Scene;
use crate::support::driver::{Driver, find};
use crate::support::wire::{Fault, Request};
use crate::support::world::stderr;

#[test]
fn sts_is_told_the_person_the_session_and_the_limits() {
    let scene = Scene::new("{ mode = \"user\", serial = \"arn:aws:iam::000000000000:mfa/alice\" }");
    let wire = scene.wire();
    let mut driver = Driver::spawn(scene.open("echo here"));
    driver.wait_for("MFA code of ");
    driver.send("123 456\r");
    driver.wait_for("here");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    let asked = wire.actions("GetSessionToken");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let says = |name: &str| asked[0].parameter(name).unwrap_or_default();
    assert_eq!(says("SerialNumber"), "arn:aws:iam::000000000000:mfa/alice");
    // An approver may move the end as far as the role's maximum.
    assert_eq!(says("TokenCode"), "123456");
    let token_s: u64 = says("DurationSeconds").parse().unwrap();
    assert!((3_500..=3_600).contains(&token_s), "{token_s}");
    let asked = wire.actions("AssumeRole");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let tape = scene.tape();
    let opened = scene.fact("open");
    let says = |name: &str| asked[0].parameter(name).unwrap_or_default();
    assert_eq!(says("RoleArn"), scene.site.role("drill"));
    assert_eq!(says("RoleSessionName"), format!("bg-{}", tape.id()));
    assert_eq!(says("SourceIdentity"), opened["source_identity"].as_str().unwrap());
    assert_eq!(says("DurationSeconds"), "900");
    let tags: Vec<(String, String)> = (1..=3)
        .map(|n| (says(&format!("Tags.member.{n}.Key")), says(&format!("Tags.member.{n}.Value"))))
        .collect();
    let request = opened["request"].as_str().unwrap().to_owned();
    let expected =
        [("bg:session", tape.id()), ("bg:request", request), ("bg:incident", "INC-7".into())];
    assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!(says("TransitiveTagKeys.member.1"), "bg:session");
    let policy: Value = serde_json::from_str(&says("Policy")).unwrap();
    let deadline = opened["deadline"].as_str().unwrap();
    let denied_after = &policy["Statement"][1]["Condition"]["DateGreaterThan"]["aws:CurrentTime"];
    assert_eq!(denied_after, &format!("{}Z", &deadline[..19]));
    let about = &tape.note("genesis")["about"];
    assert_eq!((&about["mfa"], &scene.fact("active")["mfa"]), (&"aws".into(), &"aws".into()));
    // Nowhere else: not on the screen, not on the tape.
    // (The three digits alone can stand there by chance: "7123 bytes sealed".)
    for code in ["123 456", "123456"] {
        assert!(!driver.screen().contains(code), "{}", driver.screen());
        assert_eq!(find(&tape.input(), code.as_bytes()), None);
    }
}

#[test]
fn a_code_that_the_broker_checks_is_good_for_one_session_and_the_tape_says_who_checked() {
    let scene = Scene::at_the_broker();
    let code = scene.site.sandbox.code("alice");
    let mut driver = Driver::spawn(scene.open("echo here"));
    let before = driver.settings();
    driver.wait_for("MFA code of ");
    driver.send(format!("{code}\r"));
    driver.wait_for("here");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
    assert_eq!(scene.tape().note("genesis")["about"]["mfa"], "broker-attested");
    let titled = find(&driver.bytes(), b"\x1b]2;EMERGENCY spot as alice");
    assert!(titled.is_some(), "the window says what it is: {:?}", driver.screen());
    let mut again = Driver::spawn(scene.open("echo there"));
    again.wait_for("MFA code of ");
    again.send(format!("{code}\r"));
    again.wait_for("was used already");
    again.wait_for("MFA code of ");
    again.send("\x03");
    assert_eq!(again.wait(), 125, "{}", again.screen());
    assert_eq!(scene.tapes().len(), 1, "no session was begun");
}

#[test]
fn wrong_codes_end_it_after_three_tries_and_the_terminal_is_itself_again() {
    let scene = Scene::at_the_broker();
    let mut driver = Driver::spawn(scene.open("echo here"));
    let before = driver.settings();
    let right = scene.site.sandbox.code("alice");
    let wrong = if right.starts_with('9') { "000000" } else { "999999" };
    for _ in 0..3 {
        driver.wait_for("MFA code of ");
        driver.send(format!("{wrong}\r"));
        driver.wait_for("the MFA code is wrong");
    }
    assert_eq!(driver.wait(), 125, "{}", driver.screen());
    assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
    assert!(scene.tapes().is_empty() && !driver.screen().contains(wrong), "{}", driver.screen());
}

#[test]
fn the_terminal_is_itself_again_when_the_prompt_is_left() {
    let scene = Scene::at_the_broker();
    for leave in
        [rustix::process::Signal::INT, rustix::process::Signal::TERM, rustix::process::Signal::HUP]
    {
        let mut driver = Driver::spawn(scene.open("echo here"));
        let before = driver.settings();
        driver.wait_for("MFA code of ");
        assert_ne!(format!("{before:?}"), format!("{:?}", driver.settings()), "the echo is off");
        driver.signal(leave);
        assert_eq!(driver.wait(), 125, "{}", driver.screen());
        assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
    }
    assert!(scene.tapes().is_empty());
}

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_is_opened() {
    let scene = Scene::at_the_broker();
    let open = scene.open("echo here");
    let mut alone = scene.site.command("setsid");
    let output =
        alone.arg("--wait").arg(open.get_program()).args(open.get_args()).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("there is no terminal to ask for the MFA code on"),
        "{}",
        stderr(&output)
    );
    assert!(scene.tapes().is_empty());
}

#[test]
fn a_code_that_aws_calls_wrong_is_asked_for_anew() {
    let scene = Scene::new("{ mode = \"user\", serial = \"arn:aws:iam::000000000000:mfa/alice\" }");
    let wire = scene.wire();
    let wrong = |request: &Request| request.parameter("TokenCode").as_deref() == Some("000000");
    wire.fault(wrong, Fault::Status(403, "AccessDenied"));
    let mut driver = Driver::spawn(scene.open("echo here"));
    driver.wait_for("MFA code of ");
    driver.send("000000\r");
    driver.wait_for("each code is good once");
    driver.wait_for("MFA code of ");
    assert_eq!(wire.actions("AssumeRole").len(), 0);
    driver.send("123456\r");
    driver.wait_for("here");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    assert_eq!(scene.tape().verdict(), "intact");
}
