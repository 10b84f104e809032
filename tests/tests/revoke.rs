//! Accesses that are ended from outside: by name, counted, and never said to be over before they are.

use std::process::{Output, Stdio};

use bg_recorder::session::SessionId;
use serde_json::{Value, json};

use crate::support::case::{Bench, in_seconds, now};
use crate::support::wait::until;
use crate::support::world::{World, stderr};

#[test]
fn a_session_is_revoked_by_name_and_no_other_one() {
    let bench = Bench::new();
    let role = bench.site.role("drill").to_owned();
    let one = bench.open(SessionId::mint(), "drill", &role, in_seconds(900));
    let two = bench.open(SessionId::mint(), "drill", &role, in_seconds(900));
    assert_eq!((bench.call(&one), bench.call(&two)), (Ok(()), Ok(())));
    let output = revoke(&bench, one.session);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("denied by the inline policy bg-deny-") && said.contains("may live until"),
        "{said}"
    );
    until("the session is denied", || {
        bench.call(&one).is_err_and(|said| said.contains("with an explicit deny"))
    });
    assert_eq!(bench.call(&two), Ok(()));
    assert_eq!(bench.fact(one.session, "revoke").unwrap()["reason"], "a test");
    assert_eq!(
        bench.fact(one.session, "close/denied").unwrap()["policy"],
        format!("bg-deny-{}", one.session)
    );
    assert_eq!(bench.fact(one.session, "close/pending-1").unwrap()["state"], "pending");
    assert_eq!(bench.fact(one.session, "close/proved"), None);
    assert_eq!(bench.fact(two.session, "close/denied"), None);
}

#[test]
fn what_nobody_can_probe_is_expired_and_never_revoked() {
    let bench = Bench::new();
    let over = SessionId::mint();
    let pending = SessionId::mint();
    bench.announce(over, "drill", bench.site.role("drill"), in_seconds(-7_200));
    bench.announce(pending, "drill", bench.site.role("drill"), in_seconds(-60));
    let (code, lines) = reconcile(&bench);
    assert_eq!((code, lines.len()), (3, 2), "{lines:?}");
    let of =
        |session: SessionId| lines.iter().find(|line| line["session"] == json!(session)).unwrap();
    assert_eq!(of(over)["state"], "expired");
    assert_eq!(
        (&of(pending)["state"], of(pending)["dead_by"].is_string()),
        (&json!("pending"), true)
    );
    assert_eq!(bench.fact(over, "close/proved").unwrap()["state"], "expired");
    let denies: Vec<_> = bench
        .inline(bench.site.role("drill"))
        .into_iter()
        .filter(|name| name != "access")
        .collect();
    assert_eq!(denies, [format!("bg-deny-{pending}")], "what is dead needs no Deny");
    assert_eq!(bench.fact(pending, "close/proved"), None);
    let (code, lines) = reconcile(&bench);
    assert_eq!((code, lines.len()), (3, 1), "what is closed is not looked at again: {lines:?}");
    assert_eq!(bench.fact(pending, "close/pending-2"), None, "the same is not written twice");
}

#[test]
fn with_iam_down_an_access_is_pending_and_reconcile_finishes() {
    let bench = Bench::new();
    let role = bench.site.role("drill").to_owned();
    let one = bench.open(SessionId::mint(), "drill", &role, in_seconds(900));
    bench.aws(false);
    let output = revoke(&bench, one.session);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("iam:PutRolePolicy") && said.contains("may live until"), "{said}");
    let pending = bench.fact(one.session, "close/pending-1").unwrap();
    assert!(pending["why"].as_str().unwrap().contains("iam:PutRolePolicy"), "{pending}");
    assert_eq!(bench.call(&one), Ok(()), "it was not denied, and nothing says so");
    bench.aws(true);
    let (code, lines) = reconcile(&bench);
    assert_eq!((code, &lines[0]["state"]), (3, &json!("pending")), "{lines:?}");
    assert_eq!(lines[0]["why"], "denied, not probed: nobody has the credentials any more");
    until("the session is denied", || {
        bench.call(&one).is_err_and(|said| said.contains("with an explicit deny"))
    });
}

#[test]
fn a_deny_that_somebody_takes_away_is_put_back_and_told() {
    let bench = Bench::new();
    let role = bench.site.role("drill").to_owned();
    let one = bench.open(SessionId::mint(), "drill", &role, in_seconds(900));
    revoke(&bench, one.session);
    let deny = format!("bg-deny-{}", one.session);
    let take_away = || {
        let name = role.rsplit('/').next().unwrap();
        let with = json!({"RoleName": name, "PolicyName": deny});
        bench.site.sandbox.call("root", "iam", "delete_role_policy", with).unwrap();
        assert!(!bench.inline(&role).contains(&deny));
    };
    // While the revocation is pending.
    take_away();
    let output = bench.site.shell().arg("reconcile").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("ALARM: somebody took away the Deny of session"), "{said}");
    assert!(bench.inline(&role).contains(&deny), "it is back");
    until("it is told", || told(&bench).iter().any(|told| told[0] == "deny-restored"));
    // After it was proved, as long as the credentials may live.
    bench.put(
        "cases",
        one.session,
        "close/proved",
        &json!({
            "state": "revoked", "probe": "s3:ListAllMyBuckets", "policy": deny,
            "request_ids": ["a", "b", "c", "d"], "began": now(), "proved": now(), "elapsed_ms": 1_500,
        }),
    );
    let (code, lines) = reconcile(&bench);
    assert_eq!((code, lines.len()), (0, 0), "the Deny stands: {lines:?}");
    take_away();
    let (code, lines) = reconcile(&bench);
    assert_eq!((code, &lines[0]["state"]), (0, &json!("deny-restored")), "{lines:?}");
    assert!(bench.inline(&role).contains(&deny), "it is back");
}

#[test]
fn revoke_waits_for_the_proof_of_a_session_that_runs() {
    let bench = Bench::new();
    let session = bench.live();
    bench.announce(session, "drill", bench.site.role("drill"), in_seconds(900));
    let mut revoke = bench.site.shell();
    let mut revoke = revoke
        .args(["revoke", &session.to_string(), "--reason", "a test", "--wait", "60s"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the deny is in place", || bench.fact(session, "close/denied").is_some());
    assert!(bench.fact(session, "revoke").is_some(), "the fact comes first");
    assert!(revoke.try_wait().unwrap().is_none(), "nothing is proved yet");
    bench.put(
        "cases",
        session,
        "close/proved",
        &json!({
            "state": "revoked", "probe": "s3:ListAllMyBuckets", "policy": format!("bg-deny-{session}"),
            "request_ids": ["a", "b", "c", "d"], "began": now(), "proved": now(), "elapsed_ms": 1_500,
        }),
    );
    let output = revoke.wait_with_output().unwrap();
    let said = stderr(&output);
    assert!(
        output.status.success() && said.contains("access revoked and proved in 1s 500ms"),
        "{said}"
    );
}

#[test]
fn a_revocation_that_stays_pending_is_told() {
    let bench = Bench::new();
    let session = bench.live();
    bench.announce(session, "drill", bench.site.role("drill"), in_seconds(900));
    let id = session.to_string();
    let args = ["revoke", &id, "--reason", "a test", "--wait", "1s"];
    let output = bench.site.shell().args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(told(&bench), [json!(["revoke-pending", "drill", id, "alice"])]);
}

#[test]
fn a_session_that_runs_is_left_to_close_itself() {
    let bench = Bench::new();
    let session = bench.live();
    let role = bench.site.role("drill").to_owned();
    bench.announce(session, "drill", &role, in_seconds(900));
    let (code, lines) = reconcile(&bench);
    assert_eq!((code, &lines[0]["state"]), (0, &json!("live")), "{lines:?}");
    assert_eq!(bench.inline(&role), ["access"]);
    assert_eq!(listed(&bench, &[])[0]["state"], "live");
}

#[test]
fn a_session_past_its_deadline_is_denied_whatever_its_tape_says() {
    let bench = Bench::new();
    let session = bench.live();
    bench.announce(session, "drill", bench.site.role("drill"), in_seconds(-600));
    let (code, lines) = reconcile(&bench);
    assert_eq!((code, &lines[0]["state"]), (3, &json!("pending")), "{lines:?}");
    assert!(bench.fact(session, "close/denied").is_some());
}

#[test]
fn a_session_whose_end_was_moved_is_left_alone_and_nobody_without_the_key_moves_one() {
    let bench = Bench::new();
    let moved = bench.live();
    let forged = bench.live();
    let other = Bench::new();
    let later = json!({"deadline": in_seconds(900)});
    for session in [moved, forged] {
        bench.announce(session, "drill", bench.site.role("drill"), in_seconds(-600));
        other.put("cases", session, "renewed/1", &later);
        let theirs = other.site.state().join(format!("evidence/cases/{session}/renewed/1"));
        bench.junk(&format!("cases/{session}/renewed/1"), &std::fs::read(theirs).unwrap());
    }
    bench.put("cases", moved, "renewed/2", &later);
    let until = |rows: &[Value], session: SessionId| {
        let row = rows.iter().find(|row| row["session"] == json!(session)).unwrap();
        (row["state"].clone(), row["until"].clone())
    };
    let rows = listed(&bench, &[]);
    assert_eq!(until(&rows, moved), (json!("live"), later["deadline"].clone()));
    assert_ne!(until(&rows, forged).1, later["deadline"]);
    let (code, lines) = reconcile(&bench);
    assert_eq!(code, 3, "{lines:?}");
    assert_eq!(until(&lines, moved).0, "live", "{lines:?}");
    assert_eq!(until(&lines, forged).0, "pending", "{lines:?}");
    assert!(bench.fact(moved, "close/denied").is_none());
    assert!(bench.fact(forged, "close/denied").is_some());
}

#[test]
fn what_is_past_is_said_in_the_past() {
    let bench = Bench::new();
    let [past, future] = [SessionId::mint(), SessionId::mint()];
    // The credentials of the one ended a minute ago, which is not long enough to be certain: clocks differ.
    for (session, deadline) in [(past, in_seconds(-960)), (future, in_seconds(-60))] {
        bench.announce(session, "drill", bench.site.role("drill"), deadline);
    }
    let run = |args: &[&str]| bench.site.shell().args(args).output().unwrap();
    let output = run(&["reconcile"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert_eq!(said.matches("its credentials ended at").count(), 1, "{said}");
    assert_eq!(said.matches("the access may live until").count(), 1, "{said}");
    let listed = String::from_utf8(run(&["sessions"]).stdout).unwrap();
    let row = |session: SessionId| {
        let id = session.to_string();
        listed.lines().find(|line| line.starts_with(&id)).unwrap_or_else(|| panic!("{listed}"))
    };
    assert!(row(past).contains(", credentials ended "), "{listed}");
    assert!(!row(future).contains("ended") && row(future).contains(" to "), "{listed}");
    for (session, words) in [(past, "the credentials ended at"), (future, "as alive until")] {
        let report = String::from_utf8(run(&["report", &session.to_string()]).stdout).unwrap();
        assert!(report.contains(words), "{report}");
    }
}

#[test]
fn a_proof_that_others_wrote_closes_nothing() {
    let bench = Bench::new();
    let session = SessionId::mint();
    let role = bench.site.role("drill").to_owned();
    bench.announce(session, "drill", &role, in_seconds(900));
    let other = Bench::new();
    other.put(
        "cases",
        session,
        "close/proved",
        &json!({"state": "expired", "why": "", "policy": null,
        "dead_by": now(), "noted": now()}),
    );
    let forged =
        std::fs::read(other.site.state().join(format!("evidence/cases/{session}/close/proved")))
            .unwrap();
    bench.junk(&format!("cases/{session}/close/proved"), &forged);
    bench.junk(&format!("cases/{session}/close/gate"), b"junk");
    let listed = listed(&bench, &[]);
    assert_eq!(listed[0]["state"], "pending", "{listed:?}");
    let output = revoke(&bench, session);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(bench.inline(&role).contains(&format!("bg-deny-{session}")));
}

#[test]
fn the_last_session_closes_the_gate_and_none_before() {
    let bench = Bench::new();
    let role = bench.site.role("attach").to_owned();
    let one = SessionId::mint();
    let two = SessionId::mint();
    let gates = format!("gates/000000000000-{}", role.rsplit('/').next().unwrap());
    for session in [one, two] {
        bench.announce(session, "attach", &role, in_seconds(900));
        bench.put(&gates, session, "open", &json!({"dead_by": in_seconds(1_800)}));
    }
    let with = json!({"RoleName": role.rsplit('/').next().unwrap(), "PolicyArn": bench.policy()});
    bench.site.sandbox.call("root", "iam", "attach_role_policy", with).unwrap();
    assert_eq!(revoke(&bench, one).status.code(), Some(3));
    assert_eq!(bench.attached(&role), 1, "a colleague needs it");
    assert_eq!(bench.fact(one, "close/gate").unwrap()["state"], "still needed by 1");
    let output = revoke(&bench, two);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(bench.attached(&role), 0, "{}", stderr(&output));
    assert_eq!(bench.fact(two, "close/gate").unwrap()["state"], "closed");
}

#[test]
fn denies_that_nobody_needs_are_swept_and_no_others() {
    let bench = Bench::new();
    let role = bench.site.role("drill").to_owned();
    let dead = SessionId::mint();
    let alive = SessionId::mint();
    let unknown = SessionId::mint();
    bench.announce(dead, "drill", &role, in_seconds(-7_200));
    bench.announce(alive, "drill", &role, in_seconds(60));
    // Its credentials are dead; what was derived from them may live to the deadline.
    let early = SessionId::mint();
    bench.announce(early, "drill", &role, in_seconds(3_600));
    bench.put(
        "cases",
        early,
        "close/proved",
        &json!({"state": "none", "why": "x", "at": in_seconds(-7_200)}),
    );
    for session in [dead, alive, unknown, early] {
        let with = json!({"RoleName": role.rsplit('/').next().unwrap(), "PolicyName": format!("bg-deny-{session}"),
            "PolicyDocument": NO_POLICY});
        bench.site.sandbox.call("root", "iam", "put_role_policy", with).unwrap();
    }
    let one = SessionId::mint();
    bench.announce(one, "drill", &role, in_seconds(900));
    revoke(&bench, one);
    let mut left = bench.inline(&role);
    left.sort();
    let mut kept = vec!["access".to_owned()];
    kept.extend([alive, unknown, early, one].map(|session| format!("bg-deny-{session}")));
    kept.sort();
    assert_eq!(left, kept);
}

#[test]
fn without_evidence_a_session_is_denied_on_the_role_that_is_named() {
    let bench = Bench::new();
    let role = bench.site.role("drill").to_owned();
    let one = bench.open(SessionId::mint(), "drill", &role, in_seconds(900));
    let place = bench.site.state().join("evidence");
    std::fs::rename(&place, bench.site.state().join("elsewhere")).unwrap();
    std::fs::write(&place, "no directory").unwrap();
    let plain = revoke(&bench, one.session);
    assert_eq!(plain.status.code(), Some(125), "{}", stderr(&plain));
    let id = one.session.to_string();
    let args = ["revoke", &id, "--reason", "a test", "--role", "drill"];
    let output = bench.site.shell().args(args).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("denied by the inline policy") && said.contains("nothing is proved"),
        "{said}"
    );
    until("the session is denied", || {
        bench.call(&one).is_err_and(|said| said.contains("with an explicit deny"))
    });
    assert_eq!(told(&bench), [json!(["revoke-pending", "drill", id, null])]);
    let short = ["revoke", &id[..8], "--reason", "a test", "--role", "drill"];
    assert_eq!(bench.site.shell().args(short).output().unwrap().status.code(), Some(125));
}

#[test]
fn sessions_tells_what_is_open_and_until_when() {
    let bench = Bench::new();
    let live = bench.live();
    let over = SessionId::mint();
    bench.announce(live, "drill", bench.site.role("drill"), in_seconds(900));
    bench.announce(over, "drill", bench.site.role("drill"), in_seconds(-7_200));
    let lines = listed(&bench, &[]);
    let states: Vec<_> =
        lines.iter().map(|line| (line["state"].as_str().unwrap(), &line["person"])).collect();
    assert_eq!(states, [("live", &json!("alice")), ("pending", &json!("alice"))], "{lines:?}");
    reconcile(&bench);
    assert_eq!(listed(&bench, &[]).len(), 1);
    let all = listed(&bench, &["--all"]);
    assert!(
        all.iter().any(|line| line["session"] == json!(over) && line["state"] == "expired"),
        "{all:?}"
    );
    let output =
        bench.site.shell().args(["revoke", "0000", "--reason", "a test"]).output().unwrap();
    assert!(
        output.status.code() == Some(125) && stderr(&output).contains("hint:"),
        "{}",
        stderr(&output)
    );
}

/// One that denies nobody.
const NO_POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Effect": "Deny", "Action": "iam:DeleteUser", "Resource": "arn:aws:iam::000000000000:user/nobody"}]}"#;

#[test]
fn practice_sessions_are_listed_while_they_run() {
    let world = World::new();
    let args = ["open", "--reason", "a test", "--", "cat"];
    let mut session =
        world.shell().args(args).stdin(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let listed = || world.shell().args(["sessions", "--json"]).output().unwrap();
    until("the session is listed", || lines(&listed()).len() == 1);
    let line = &lines(&listed())[0];
    assert_eq!((&line["state"], &line["role"]), (&json!("live"), &json!("practice")), "{line}");
    drop(session.stdin.take());
    session.wait().unwrap();
    assert_eq!(lines(&listed()).len(), 0);
}

/// Returns the first message that was published: event, role, session, person.
fn told(bench: &Bench) -> Vec<Value> {
    let mut told = Vec::new();
    until("somebody is told", || {
        told = bench.site.published();
        !told.is_empty()
    });
    let read = |wrap: &Value| {
        let message: Value = serde_json::from_str(wrap["Message"].as_str().unwrap()).unwrap();
        json!([message["event"], message["role"], message["session"], message["person"]])
    };
    told.iter().map(read).collect()
}

fn revoke(bench: &Bench, session: SessionId) -> Output {
    let args = ["revoke", &session.to_string(), "--reason", "a test", "--wait", "1s"];
    bench.site.shell().args(args).output().unwrap()
}

fn reconcile(bench: &Bench) -> (i32, Vec<Value>) {
    let output = bench.site.shell().args(["reconcile", "--json"]).output().unwrap();
    (output.status.code().unwrap(), lines(&output))
}

fn listed(bench: &Bench, args: &[&str]) -> Vec<Value> {
    let output = bench.site.shell().args(["sessions", "--json"]).args(args).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    lines(&output)
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
