//! The incident report.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::evidence::Evidence;
use crate::support::world::stderr;

/// A session with the facts of an access around it, as the broker writes them.
fn accessed(evidence: &Evidence) -> String {
    let session = evidence.session("echo hello");
    evidence.fact(&session, "open", json!({"role": "prod", "role_arn": "arn:aws:iam::123456789012:role/BreakGlass",
        "person": "alice", "deadline": "2026-11-23T10:00:00.000000Z", "request": "r-1", "gate": "none", "forced": false}));
    evidence.fact(&session, "active", json!({"access_key_id": "ASIASESSIONSESSION00", "assumed_role_id": "AROAX:bg-s",
        "mfa": "broker-attested", "probe": "s3:ListAllMyBuckets", "request_ids": {"assume_role": "q-1"}, "time_to_access_ms": 4_321}));
    evidence.fact(&session, "close/denied", json!({"policy": "bg-deny", "request_id": "q-2"}));
    evidence.fact(
        &session,
        "close/proved",
        json!({"state": "revoked", "probe": "s3:ListAllMyBuckets", "policy": "bg-deny",
        "request_ids": ["q-2", "q-3", "q-4", "q-5"], "began": "2026-11-23T09:30:00.000000Z",
        "proved": "2026-11-23T09:30:03.500000Z", "elapsed_ms": 3_500}),
    );
    session
}

fn seen(evidence: &Evidence, session: &str) {
    evidence.fact(session, "seen", json!({
        "commands": [
            {"at": "2026-11-23T09:29:01.000000Z", "line": "aws iam create-access-key --user-name deploy | tee key", "partial": false},
            {"at": "2026-11-23T09:29:09.000000Z", "line": "cat `ls`|x </b> [a](http://evil)", "partial": true},
        ],
        "commands_more": 0,
        "exposures": [
            {"kind": "aws-access-key-id", "shown": "AKIAIOSFODNN7EXAMPLE", "key_id": null, "sha256": "1a5d44a2dca19669",
             "at": "2026-11-23T09:29:02.000000Z", "stream": "output", "offset": 812},
            {"kind": "aws-secret-key", "shown": "wJal…EKEY", "key_id": "AKIAIOSFODNN7EXAMPLE", "sha256": "8bd51d2e2b2ad9c5",
             "at": "2026-11-23T09:29:02.000000Z", "stream": "output", "offset": 812},
        ],
        "exposures_more": 0,
    }));
}

fn json_of(evidence: &Evidence, args: &[&str]) -> Value {
    let output = evidence.run(&[&["report"], args, &["--json"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_claim_of_a_report_names_its_source() {
    let evidence = Evidence::new("");
    let session = accessed(&evidence);
    seen(&evidence, &session);
    let report = json_of(&evidence, &["last"]);
    assert_eq!(report["schema"], "bg-shell.dev/report/v1");
    assert_eq!(report["session"], session);
    for (at, value, source) in [
        ("/who/person", json!("alice"), "fact open"),
        ("/why/reason", json!("disk full"), "tape genesis"),
        ("/why/incident", json!("INC-7"), "tape genesis"),
        ("/access/mfa", json!("broker-attested"), "fact active"),
        ("/access/forced", json!(false), "fact open"),
        ("/times/to_access_ms", json!(4_321), "fact active"),
        ("/times/to_revoke_ms", json!(3_500), "fact close/proved"),
    ] {
        assert_eq!(report.pointer(at), Some(&json!({"value": value, "source": source})), "{at}");
    }
    assert_eq!(report["revocation"]["source"], "fact close/proved");
    assert_eq!(
        (&report["tape"]["verdict"], &report["ended"]["how"]),
        (&"intact".into(), &"exit".into())
    );
    for part in ["approvals", "ended", "revocation", "tape", "commands", "exposures"] {
        assert!(report[part]["source"].as_str().is_some(), "{part}: {report}");
    }
    let timeline = report["timeline"].as_array().unwrap();
    assert!(timeline.iter().all(|moment| moment["source"].as_str().unwrap().len() > 4));
    assert!(timeline.is_sorted_by_key(|moment| moment["at"].as_str().unwrap()));
    let rotate = report["exposures"]["found"][0]["rotate"].to_string();
    assert!(rotate.contains(
        "aws iam update-access-key --user-name USER --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive"
    ));
}

#[test]
fn what_somebody_typed_breaks_no_table() {
    let evidence = Evidence::new("");
    let session = accessed(&evidence);
    seen(&evidence, &session);
    let output = evidence.run(&["report", &session]);
    let page = String::from_utf8(output.stdout).unwrap();
    let row = page.lines().find(|line| line.contains("evil")).unwrap();
    assert!(row.contains(r"cat \`ls\`\|x \</b\> \[a\](http\://evil)"), "{row}");
    assert!(row.ends_with("| partial |"), "{row}");
}

#[test]
fn a_stored_report_is_shown_and_a_later_one_stands_beside_it() {
    let evidence = Evidence::new("");
    let session = accessed(&evidence);
    let output = evidence.run(&["report", &session, "--write"]);
    assert!(
        stderr(&output).contains(&format!("stored as cases/{session}/report.md")),
        "{}",
        stderr(&output)
    );
    let first = json_of(&evidence, &[&session]);
    assert_eq!(first["commands"]["known"], false);
    seen(&evidence, &session);
    assert_eq!(json_of(&evidence, &[&session]), first, "what is stored stays as it is");
    let output = evidence.run(&["report", &session, "--write", "--json"]);
    let second: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(second["commands"]["known"], true);
    assert_eq!(json_of(&evidence, &[session.get(..13).unwrap()]), second);
    let case = evidence.dir().join("cases").join(&session);
    for name in ["report.json", "report.md", "report", "report-2.json", "report-2.md", "report-2"] {
        assert!(case.join(name).is_file(), "{name}");
    }
}

#[test]
fn a_stored_report_that_was_changed_is_not_shown() {
    let evidence = Evidence::new("");
    let session = accessed(&evidence);
    evidence.run(&["report", &session, "--write"]);
    replace(&evidence.dir().join(format!("cases/{session}/report.md")), "alice", "mallory");
    let output = evidence.run(&["report", &session]);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(stderr(&output).contains("is not the one that was signed"), "{}", stderr(&output));
}

#[test]
fn a_fact_that_was_changed_is_named_and_not_used() {
    let evidence = Evidence::new("");
    let session = accessed(&evidence);
    replace(&evidence.dir().join(format!("cases/{session}/close/proved")), "3500", "1500");
    let report = json_of(&evidence, &[&session]);
    assert_eq!(report["untrusted"], json!(["close/proved"]));
    assert_eq!(report["times"]["to_revoke_ms"], Value::Null);
    assert_eq!(report["revocation"]["outcome"], Value::Null);
    assert!(report["to_do"].to_string().contains("bg-shell reconcile"), "{report}");
}

#[test]
fn what_is_pending_is_said_until_it_is_proved() {
    let evidence = Evidence::new("");
    let session = evidence.session("true");
    evidence.fact(&session, "open", json!({"role": "prod", "person": "alice"}));
    let text = |report: &Value| report["revocation"]["text"].as_str().unwrap().to_owned();
    assert!(text(&json_of(&evidence, &[&session])).starts_with("NOT KNOWN"));
    evidence.fact(
        &session,
        "close/pending-1",
        json!({"state": "pending", "why": "iam:PutRolePolicy: unreachable",
        "dead_by": "2026-11-23T10:15:00.000000Z"}),
    );
    let pending = json_of(&evidence, &[&session]);
    assert!(text(&pending).contains("alive until 2026-11-23T10:15:00.000000Z"), "{pending}");
    assert!(pending["to_do"].to_string().contains("bg-shell reconcile"));
}

#[test]
fn a_session_that_is_not_there_is_said_so() {
    let evidence = Evidence::new("");
    for (named, said) in [
        ("019a0000-0000-7000-8000-000000000000", "there is no session"),
        ("019a0000", "there is no session"),
        ("nonsense", "is no session"),
        ("last", "no session of the last 31 days"),
    ] {
        let output = evidence.run(&["report", named]);
        assert_eq!(output.status.code(), Some(125));
        assert!(stderr(&output).contains(said), "{named}: {}", stderr(&output));
    }
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, text.replace(from, to)).unwrap();
}
