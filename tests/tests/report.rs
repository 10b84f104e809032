//! The incident report.

use std::path::{Path, PathBuf};

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_tests::people::Key;
use bg_tests::plea::BOB;
use bg_tests::vector::Vector;
use data_encoding::BASE64;
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
        r#"aws iam update-access-key --user-name \"$user\" --access-key-id AKIAIOSFODNN7EXAMPLE --status Inactive"#
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
    let now = SystemClock.now();
    let past = Stamp(now.0 - 60_000_000).to_string();
    assert!(text(&pending).contains("ended at 2026-11-23T10:15:00.000000Z"), "{pending}");
    assert!(pending["to_do"].to_string().contains("bg-shell reconcile"));
    let later = Stamp(now.0 + 60_000_000).to_string();
    for (n, dead_by, words) in
        [(2, &later, "count the credentials as alive until"), (3, &past, "ended at")]
    {
        let says = json!({"state": "pending", "why": "iam:PutRolePolicy: unreachable", "dead_by": dead_by});
        evidence.fact(&session, &format!("close/pending-{n}"), says);
        let said = text(&json_of(&evidence, &[&session]));
        assert!(said.contains(&format!("{words} {dead_by}")), "{said}");
    }
}

#[test]
fn a_stored_report_says_when_it_was_made_and_that_its_tape_was_broken_since() {
    let evidence = Evidence::new("");
    let session = accessed(&evidence);
    evidence.run(&["report", &session, "--write"]);
    let made = json_of(&evidence, &[&session])["made"].as_str().unwrap().to_owned();
    let said = stderr(&evidence.run(&["report", &session]));
    assert!(said.contains(&format!("the stored report, as of {made}")), "{said}");
    assert!(!said.contains("warning"), "{said}");
    let tape = tape(&evidence, &session);
    std::fs::write(tape.join("note.txt"), "somebody was here").unwrap();
    let said = stderr(&evidence.run(&["report", &session]));
    assert!(said.contains("warning: the tape was intact then and is broken now"), "{said}");
    assert!(said.contains(&format!("bg-replay verify {session}")), "{said}");
}

#[test]
fn the_denys_call_is_not_told_as_one_that_proves_it() {
    let evidence = Evidence::new("");
    let report = json_of(&evidence, &[&accessed(&evidence)]);
    let of = |fact: &str| {
        let mut timeline = report["timeline"].as_array().unwrap().iter();
        let moment = timeline.find(|moment| moment["source"] == format!("fact {fact}")).unwrap();
        moment["what"].as_str().unwrap().to_owned()
    };
    assert!(of("close/denied").contains("q-2"), "{report}");
    let proved = of("close/proved");
    assert!(proved.ends_with("refused calls q-3, q-4, q-5"), "{proved}");
}

#[test]
fn a_command_of_a_report_can_be_copied() {
    let evidence = Evidence::new("");
    let session = evidence.session("true");
    evidence.fact(&session, "open", json!({"role": "prod", "person": "alice"}));
    seen(&evidence, &session);
    let page = String::from_utf8(evidence.run(&["report", &session]).stdout).unwrap();
    let blocks: Vec<&str> =
        page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let lines: Vec<&str> = blocks.iter().flat_map(|block| block.lines()).collect();
    for command in [
        "bg-shell reconcile".to_owned(),
        format!("bg-shell report {session} --rotate"),
        format!("bg-replay verify {session}"),
        "aws iam create-access-key --user-name \"$user\"".to_owned(),
    ] {
        assert!(lines.contains(&command.as_str()), "no {command}: {page}");
    }
    // Each line is a command or a comment: a shell takes the whole block.
    let mut shell = std::process::Command::new("sh");
    let parsed = shell.args(["-n", "-c", &blocks.concat()]).output().unwrap();
    assert!(parsed.status.success(), "{}", stderr(&parsed));
}

#[test]
fn who_signed_is_compared_with_those_who_are_configured() {
    let vector = vector("access_ed25519_rsa");
    let genesis = String::from_utf8(vector.objects["genesis"].clone()).unwrap();
    let genesis: Value = serde_json::from_str(genesis.lines().nth(1).unwrap()).unwrap();
    let taped = genesis["about"]["access"]["allowed_signers"].as_str().unwrap();
    let taped = String::from_utf8(BASE64.decode(taped.as_bytes()).unwrap()).unwrap();
    let strange = taped.replace(&BOB.line(), &Key::Ed25519(77).line());
    assert_ne!(strange, taped);
    for (signers, same) in [(taped, true), (strange, false)] {
        let evidence = configured(&signers);
        let id = put(&evidence, &vector);
        let report = json_of(&evidence, &[&id]);
        let approvals = &report["approvals"];
        assert_eq!(
            (&approvals["verdict"], &approvals["same_signers"]),
            (&"valid".into(), &same.into())
        );
        assert_eq!(approvals["same_terms"], false, "{approvals}");
        let signed = approvals["signers"].as_array().unwrap();
        assert_eq!(signed.len(), 4, "{approvals}");
        assert!(signed.iter().all(|one| one["key"].as_str().unwrap().starts_with("SHA256:")));
        let strangers = signed.iter().filter(|one| one["known"] == false);
        assert_eq!(strangers.count(), usize::from(!same), "{approvals}");
        let asked = report["to_do"].to_string().contains("your allowed_signers do not list it");
        assert_eq!(asked, !same, "{}", report["to_do"]);
        let page = String::from_utf8(evidence.run(&["report", &id]).stdout).unwrap();
        assert_eq!(page.contains("| NO |"), !same, "{page}");
        assert!(page.contains("2 given, 2 needed. Of what was signed"), "{page}");
    }
}

#[test]
fn an_access_without_approvals_is_told_by_its_reason() {
    for (name, words) in [
        ("access_quorum_0", "None needed (quorum 0): opened by its requester alone."),
        ("access_forced", "opened by OVERRIDE."),
    ] {
        let evidence = configured("");
        let id = put(&evidence, &vector(name));
        let page = String::from_utf8(evidence.run(&["report", &id]).stdout).unwrap();
        assert!(page.contains(words), "{name}: {page}");
        assert!(page.contains("verification of the tape says: **valid**"), "{name}: {page}");
    }
    let evidence = Evidence::new("");
    let session = evidence.session("true");
    let page = String::from_utf8(evidence.run(&["report", &session]).stdout).unwrap();
    assert!(page.contains("None: this session opened no role."), "{page}");
}

/// Configures the role of the vectors, with these allowed_signers and the key of the vectors.
fn configured(signers: &str) -> Evidence {
    let evidence = Evidence::new(
        "[roles.prod-admin]\narn = \"arn:aws:iam::123456789012:role/prod-admin\"\n\
         allowed_signers = \"$HOME/signers\"\nquorum = 2\nmfa = { mode = \"none\" }",
    );
    std::fs::write(evidence.world.home().join("signers"), signers).unwrap();
    let keys = evidence.state().join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    for key in std::fs::read_dir(vectors().join("keys")).unwrap().map(|key| key.unwrap()) {
        std::fs::copy(key.path(), keys.join(key.file_name())).unwrap();
    }
    evidence
}

/// Puts a vector's tape into the evidence; returns its id.
fn put(evidence: &Evidence, vector: &Vector) -> String {
    let session: SessionId = vector.session.parse().unwrap();
    let dir = evidence.dir().join(session.prefix(session.minted()));
    for (name, bytes) in &vector.objects {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    vector.session.clone()
}

fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn vector(name: &str) -> Vector {
    Vector::read(&std::fs::read_to_string(vectors().join(format!("{name}.vec"))).unwrap())
}

fn tape(evidence: &Evidence, session: &str) -> PathBuf {
    let session: SessionId = session.parse().unwrap();
    evidence.dir().join(session.prefix(session.minted()))
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
