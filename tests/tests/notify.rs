//! Telling people: signatures, dead receivers, later runs.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::evidence::Evidence;
use crate::support::hook::{Delivery, Hook, Manner};
use crate::support::world::{below, stderr};

const SECRET: &str = "a webhook's secret";

/// Configures webhooks, each with its shape, and one secret file for all.
fn evidence(webhooks: &[(&Hook, &str)]) -> Evidence {
    let sections = webhooks.iter().map(|(hook, shape)| {
        format!(
            "[[notify.webhooks]]\nurl = {:?}\nshape = {shape:?}\nsecret = \"$HOME/secret\"\n",
            hook.url()
        )
    });
    let evidence = Evidence::new(&sections.collect::<String>());
    std::fs::write(secret(&evidence), format!("{SECRET}\n")).unwrap();
    std::fs::set_permissions(secret(&evidence), Permissions::from_mode(0o600)).unwrap();
    evidence
}

fn secret(evidence: &Evidence) -> PathBuf {
    evidence.world.home().join("secret")
}

fn waiting(evidence: &Evidence) -> usize {
    let outboxes = below(&evidence.state().join("notify"), 1);
    let files = outboxes.iter().flat_map(|dir| std::fs::read_dir(dir).unwrap());
    files
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "json"))
        .count()
}

#[test]
fn a_generic_webhook_is_signed_over_its_time_and_body() {
    let hook = Hook::start(Manner::Answers(200));
    let evidence = evidence(&[(&hook, "generic")]);
    let session = evidence.session("true");
    let output = evidence.run(&["report", &session, "--write"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let delivery = hook.wait_for(1).remove(0);
    assert_eq!(delivery.line, "POST /services/T0/B0/path-secret HTTP/1.1");
    assert!(signed(&delivery));
    let json = delivery.json();
    assert_eq!(
        (&json["event"], &json["session"], &json["incident"]),
        (&"report".into(), &session.into(), &"INC-7".into())
    );
    assert_eq!(delivery.header("x-bg-shell-delivery"), json["id"].as_str());
    assert_eq!(waiting(&evidence), 0);
    let forged = Delivery { body: b"{}".to_vec(), ..delivery };
    assert!(!signed(&forged));
}

#[test]
fn each_receiver_gets_its_own_shape() {
    let hooks = [(); 3].map(|()| Hook::start(Manner::Answers(202)));
    let evidence =
        evidence(&[(&hooks[0], "slack"), (&hooks[1], "ticket"), (&hooks[2], "pagerduty")]);
    let session = evidence.session("true");
    evidence.run(&["report", &session, "--write"]);
    let slack = hooks[0].wait_for(1).remove(0);
    assert!(slack.json()["blocks"].is_array() && slack.header("x-bg-shell-signature").is_none());
    let ticket = hooks[1].wait_for(1).remove(0);
    assert!(signed(&ticket));
    assert_eq!(
        (&ticket.json()["action"], &ticket.json()["ticket"]),
        (&"update".into(), &"INC-7".into())
    );
    assert!(ticket.json()["report"].as_str().unwrap().starts_with("# Emergency access"));
    // A report is no page: it would open again what the revocation resolved.
    assert_eq!(hooks[2].received().len(), 0);
    assert_eq!(waiting(&evidence), 0);
}

#[test]
fn a_receiver_that_never_answers_delays_nobody_and_is_told() {
    let dead = Hook::start(Manner::Silent);
    let live = Hook::start(Manner::Answers(200));
    let evidence = evidence(&[(&dead, "slack"), (&live, "generic")]);
    let session = evidence.session("true");
    let began = Instant::now();
    let output = evidence.run(&["report", &session, "--write"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
    live.wait_for(1);
    let said = stderr(&output);
    assert!(said.contains("1 notification not delivered yet: 127.0.0.1 (no answer yet)"), "{said}");
    assert!(!said.contains("path-secret"), "{said}");
    assert_eq!(waiting(&evidence), 1);
}

#[test]
fn what_was_not_delivered_is_delivered_by_a_later_run() {
    let hook = Hook::start(Manner::Answers(503));
    let evidence = evidence(&[(&hook, "generic")]);
    let session = evidence.session("true");
    let output = evidence.run(&["report", &session, "--write"]);
    assert!(
        stderr(&output).contains("not delivered yet: 127.0.0.1 (status 503: no)"),
        "{}",
        stderr(&output)
    );
    let refused = hook.received().remove(0);
    assert_eq!(waiting(&evidence), 1);
    hook.change(Manner::Answers(200));
    let before = hook.received().len();
    let output = evidence.run(&["report", &session, "--write"]);
    assert!(
        output.status.success() && !stderr(&output).contains("not delivered"),
        "{}",
        stderr(&output)
    );
    let delivered = hook.wait_for(before + 2).split_off(before);
    // In their order, the old one with its old id and a signature of its own.
    assert_eq!(delivered[0].header("x-bg-shell-delivery"), refused.header("x-bg-shell-delivery"));
    assert_eq!(delivered[0].body, refused.body);
    assert!(signed(&delivered[0]) && signed(&delivered[1]));
    assert_eq!((delivered.len(), waiting(&evidence)), (2, 0));
}

#[test]
fn a_receiver_sends_nobody_elsewhere() {
    let inner = Hook::start(Manner::Answers(200));
    let hook = Hook::start(Manner::Redirects(inner.port));
    let evidence = evidence(&[(&hook, "generic")]);
    let session = evidence.session("true");
    let output = evidence.run(&["report", &session, "--write"]);
    assert!(
        stderr(&output).contains("not delivered yet: 127.0.0.1 (status 307: no)"),
        "{}",
        stderr(&output)
    );
    assert_eq!((inner.received().len(), waiting(&evidence)), (0, 1));
}

#[test]
fn a_secret_that_others_can_read_is_not_used() {
    let hook = Hook::start(Manner::Answers(200));
    let evidence = evidence(&[(&hook, "generic")]);
    std::fs::set_permissions(secret(&evidence), Permissions::from_mode(0o644)).unwrap();
    let session = evidence.session("true");
    let output = evidence.run(&["report", &session, "--write"]);
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("chmod 640"), "{said}");
    assert_eq!((hook.received().len(), waiting(&evidence)), (0, 1));
}

#[test]
fn a_webhook_without_tls_is_refused_but_on_this_machine() {
    for (url, fine) in [
        ("http://hooks.example", false),
        ("ftp://x", false),
        ("https://hooks.example/x", true),
        ("http://127.0.0.1:1/", true),
    ] {
        let evidence = Evidence::new(&format!("[[notify.webhooks]]\nurl = {url:?}\n"));
        let output = evidence.run(&["config", "check"]);
        assert_eq!(output.status.success(), fine, "{url}: {}", stderr(&output));
    }
}

/// Checks a signature as docs/REPORT.md says, with openssl(1).
fn signed(delivery: &Delivery) -> bool {
    let header = delivery.header("x-bg-shell-signature").unwrap();
    let (time, mac) = header.split_once(",v1=").unwrap();
    let time = time.strip_prefix("t=").unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, [time.as_bytes(), b".", &delivery.body].concat()).unwrap();
    let output = Command::new("openssl")
        .args(["dgst", "-sha256", "-hmac", SECRET])
        .arg(file.path())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.trim_end().ends_with(&format!("= {mac}"))
}
