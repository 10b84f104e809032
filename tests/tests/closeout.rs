//! Accesses that end: denied, proved with their own credentials, the gate closed; and what is said when that fails.

use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::case::Bench;
use crate::support::meddler::Meddler;
use crate::support::process;
use crate::support::sandbox::Sandbox;
use crate::support::wait::until;
use crate::support::wire::{Fault, Request};
use crate::support::world::stderr;

#[test]
fn a_session_ends_with_its_access_denied_and_proved() {
    let bench = Bench::new();
    let output = bench.session("drill", "true").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let assumed = bench.kept();
    let refused = bench.call(&assumed).unwrap_err();
    assert!(refused.contains("with an explicit deny"), "{refused}");
    let proved = bench.fact(assumed.session, "close/proved").unwrap();
    assert_eq!(
        (&proved["state"], &proved["probe"]),
        (&json!("revoked"), &json!("s3:ListAllMyBuckets"))
    );
    assert!(
        proved["said"].as_str().unwrap().contains("explicit deny in an identity-based policy"),
        "{proved}"
    );
    assert_eq!(bench.fact(assumed.session, "close/gate").unwrap()["state"], "none");
    let revocation = &bench.seal(assumed.session)["about"]["revocation"];
    assert_eq!(revocation["state"], "revoked");
    assert_eq!(revocation["proved"], proved["proved"]);
    assert!(!revocation["request_ids"].as_array().unwrap().is_empty(), "{revocation}");
    assert!(stderr(&output).contains("access revoked and proved in"), "{}", stderr(&output));
}

#[test]
fn an_access_is_denied_although_nobody_takes_the_sessions_output() {
    let bench = Bench::new();
    let mut open = bench.session("drill", "head -c 300000 /dev/zero | tr '\\0' x");
    let mut child = open.stdout(Stdio::piped()).spawn().unwrap();
    let role = bench.site.role("drill").to_owned();
    until("the access is denied", || !bench.inline(&role).is_empty());
    assert!(child.try_wait().unwrap().is_none(), "its output is not taken yet");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 300_000));
    assert!(stderr(&output).contains("access revoked and proved in"), "{}", stderr(&output));
}

#[test]
fn with_evidence_on_s3_and_keys_in_kms_it_is_the_same() {
    let site = Sandbox::shared().site();
    let mut open = site.shell();
    open.args(["open", "--role", "drill", "--reason", "a test", "--key"])
        .arg(site.sandbox.key("alice"));
    let output = open.args(["--", "true"]).output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("access revoked and proved in"), "{said}");
    let evidence = site.evidence();
    let cases: Vec<_> =
        evidence.iter().filter_map(|key| key.strip_prefix("cases/")?.split_once('/')).collect();
    let mut facts: Vec<&str> =
        cases.iter().map(|(_, fact)| *fact).filter(|fact| fact.starts_with("close/")).collect();
    facts.sort_unstable();
    assert_eq!(facts, ["close/denied", "close/gate", "close/proved"], "{evidence:?}");
    let session = cases[0].0;
    let output = site.shell().args(["revoke", session, "--reason", "late"]).output().unwrap();
    assert!(output.status.success(), "what is proved stays so: {}", stderr(&output));
    let output = site.shell().arg("reconcile").output().unwrap();
    assert!(stderr(&output).contains("nothing to reconcile"), "{}", stderr(&output));
}

#[test]
fn revoke_ends_a_session_that_runs_and_waits_for_its_proof() {
    let bench = Bench::new();
    let session = bench.session("drill", "sleep 600").spawn().unwrap();
    let assumed = bench.kept();
    assert_eq!(bench.call(&assumed), Ok(()));
    let revoke = bench
        .site
        .shell()
        .args(["revoke", &assumed.session.to_string(), "--reason", "wrong account"])
        .output()
        .unwrap();
    let said = stderr(&revoke);
    assert!(revoke.status.success() && said.contains("access revoked and proved in"), "{said}");
    let ended = session.wait_with_output().unwrap();
    let said = stderr(&ended);
    assert_eq!(ended.status.code(), Some(123), "{said}");
    assert!(said.contains("wrong account"), "{said}");
    assert!(bench.call(&assumed).unwrap_err().contains("with an explicit deny"));
    let seal = bench.seal(assumed.session);
    assert_eq!(seal["about"]["revocation"]["state"], "revoked", "{seal}");
}

#[test]
fn after_kill_9_recover_revokes_the_session_by_its_name() {
    let bench = Bench::new();
    let mut session = bench.session("drill", "sleep 600").spawn().unwrap();
    let assumed = bench.kept();
    kill(&mut session);
    let output = bench.site.shell().arg("recover").output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("its access is revoked by its name") && said.contains("REVOKE PENDING"),
        "{said}"
    );
    until("the session is denied", || {
        bench.call(&assumed).is_err_and(|e| e.contains("with an explicit deny"))
    });
    assert_eq!(bench.fact(assumed.session, "close/pending-1").unwrap()["state"], "pending");
    assert_eq!(bench.fact(assumed.session, "close/proved"), None);
    let again = bench.site.shell().arg("recover").output().unwrap();
    assert!(stderr(&again).contains("nothing to recover"), "{}", stderr(&again));
}

#[test]
fn nobody_waits_for_the_account_of_a_killed_session() {
    let bench = Bench::new();
    let wire = bench.wire();
    let mut session = bench.session("drill", "sleep 600").spawn().unwrap();
    let assumed = bench.kept();
    kill(&mut session);
    let denies = |request: &Request| request.action().as_deref() == Some("PutRolePolicy");
    wire.fault(denies, Fault::BlackHole);
    let next = bench.site.shell().args(["open", "--", "true"]).output().unwrap();
    let said = stderr(&next);
    assert!(
        next.status.success() && said.contains("is still being recovered, beside this one"),
        "{said}"
    );
    // Nothing was given up: whoever recovers goes on when its session is long over.
    wire.heal();
    until("the session is denied", || {
        bench.call(&assumed).is_err_and(|e| e.contains("with an explicit deny"))
    });
}

#[test]
fn a_broker_that_dies_between_the_role_and_the_shell_leaves_no_access() {
    let bench = Bench::new();
    let wire = bench.wire();
    // The positive control is the first call with the session's credentials: there it hangs.
    wire.fault(is_probe, Fault::BlackHole);
    let mut session = bench.session("drill", "true").spawn().unwrap();
    until("the role was assumed", || wire.requests().iter().any(is_probe));
    kill(&mut session);
    wire.heal();
    let output = bench.site.shell().arg("recover").output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("its access is revoked by its name"), "{said}");
    let role = bench.site.role("drill").to_owned();
    let inline = bench.inline(&role);
    assert_eq!(inline.len(), 2, "{inline:?}");
    let report = bench.site.shell().args(["report", "last", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let session = report["session"].as_str().unwrap();
    assert!(inline.contains(&format!("bg-deny-{session}")), "{inline:?}");
    assert_eq!(
        (&report["revocation"]["outcome"]["state"], &report["tape"]["verdict"]),
        (&json!("pending"), &json!("recovered"))
    );
    let text = report["revocation"]["text"].as_str().unwrap();
    assert!(
        text.contains("nobody has the credentials any more") && text.contains("alive until"),
        "{report}"
    );
    let denied = |moment: &Value| moment["source"] == "fact close/denied";
    assert!(report["timeline"].as_array().unwrap().iter().any(denied), "{report}");
    assert!(report["to_do"].to_string().contains("bg-shell reconcile"), "{report}");
}

#[test]
fn when_iam_throttles_the_revocation_is_pending_and_reconcile_denies() {
    let bench = Bench::new();
    let wire = bench.wire();
    wire.fault(
        |request| request.action().as_deref() == Some("PutRolePolicy"),
        Fault::Status(400, "Throttling"),
    );
    let output = bench.session("drill", "true").output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("REVOKE PENDING") && said.contains("Throttling"), "{said}");
    assert!(!said.contains("revoked and proved"), "{said}");
    let assumed = bench.kept();
    assert_eq!(bench.call(&assumed), Ok(()), "it was not denied, and nothing says so");
    let seal = bench.seal(assumed.session);
    assert_eq!(seal["about"]["revocation"]["state"], "pending", "{seal}");
    assert_eq!(
        seal["about"]["revocation"]["dead_by"],
        bench.fact(assumed.session, "active").unwrap()["expires"]
    );
    wire.heal();
    let output = bench.site.shell().arg("reconcile").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    until("the session is denied", || {
        bench.call(&assumed).is_err_and(|e| e.contains("with an explicit deny"))
    });
}

#[test]
fn a_deny_that_does_not_reach_the_session_is_not_called_a_proof() {
    let bench = Bench::new();
    let wire = bench.wire();
    bench
        .site
        .configure(|text| text.replace("[roles.drill]", "[roles.drill]\nproof_patience = \"3s\""));
    // The Deny is accepted and lost: the probe goes on to work.
    wire.fault(|request| request.action().as_deref() == Some("PutRolePolicy"), Fault::Swallow);
    let output = bench.session("drill", "true").output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("REVOKE PENDING") && said.contains("the probe still works"), "{said}");
    let assumed = bench.kept();
    assert_eq!(bench.fact(assumed.session, "close/proved"), None);
}

#[test]
fn facts_that_cannot_be_stored_keep_no_access_alive() {
    let bench = Bench::new();
    let mut session =
        bench.session("drill", "cat > /dev/null").stdin(Stdio::piped()).spawn().unwrap();
    let assumed = bench.kept();
    let cases = bench.site.state().join("evidence/cases");
    std::fs::rename(&cases, bench.site.state().join("elsewhere")).unwrap();
    std::fs::write(&cases, "no directory").unwrap();
    drop(session.stdin.take());
    let output = session.wait_with_output().unwrap();
    let said = stderr(&output);
    assert!(said.contains("access revoked and proved") && said.contains("is not stored"), "{said}");
    assert!(bench.call(&assumed).unwrap_err().contains("with an explicit deny"));
    assert_eq!(bench.seal(assumed.session)["about"]["revocation"]["state"], "revoked");
}

#[test]
fn an_access_is_denied_before_the_last_process_of_its_session_is_killed() {
    let bench = Bench::new();
    let role = bench.site.role("drill").to_owned();
    let script = "(setsid sh -c 'trap \"\" HUP; : >$HOME/up; exec sleep 1000' &); \
        until [ -e $HOME/up ]; do :; done; cat >/dev/null";
    let mut session = bench.session("drill", script).stdin(Stdio::piped()).spawn().unwrap();
    let assumed = bench.kept();
    let up = bench.site.world.home().join("up");
    until("the session has a process", || up.exists());
    let processes = || bench.site.world.processes();
    let keeper = processes().into_iter().find(|process| process.args.contains(" __keep ")).unwrap();
    // Each kill(2) of the keeper's takes ten minutes.
    let Some(slow) = Meddler::attach(keeper.pid, "kill:delay_enter=600000000") else {
        println!("skipped: this user may not meddle with a keeper");
        session.kill().unwrap();
        session.wait().unwrap();
        return;
    };
    drop(session.stdin.take());
    let deny = assumed.session.to_string();
    until("the Deny", || bench.inline(&role).iter().any(|policy| policy.contains(&deny)));
    assert!(processes().iter().any(|process| process.args == "sleep 1000"));
    drop(slow);
    let output = session.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(bench.seal(assumed.session)["about"]["killed"], 1);
}

#[test]
fn an_attached_policy_is_there_while_anybody_uses_the_role() {
    let bench = Bench::new();
    open_without_approvals(&bench);
    let role = bench.site.role("attach").to_owned();
    assert_eq!(bench.attached(&role), 0);
    let mut first =
        bench.session("attach", "cat > /dev/null").stdin(Stdio::piped()).spawn().unwrap();
    let one = bench.kept();
    assert_eq!((bench.attached(&role), bench.call(&one)), (1, Ok(())));
    let second = bench.session("attach", "true").output().unwrap();
    assert!(second.status.success(), "{}", stderr(&second));
    let two = bench.kept();
    assert_eq!(bench.attached(&role), 1, "a colleague needs it");
    assert_eq!(bench.fact(two.session, "close/gate").unwrap()["state"], "still needed by 1");
    assert_eq!(bench.call(&one), Ok(()));
    drop(first.stdin.take());
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", stderr(&first));
    assert_eq!(bench.attached(&role), 0);
    assert_eq!(bench.fact(one.session, "close/gate").unwrap()["state"], "closed");
}

#[test]
fn a_role_trusts_its_source_while_anybody_uses_it() {
    let bench = Bench::new();
    open_without_approvals(&bench);
    let output = bench.session("trust", "true").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let session = bench.kept().session;
    assert_eq!(bench.fact(session, "close/gate").unwrap()["state"], "closed");
    let with = json!({"RoleArn": bench.site.role("trust"), "RoleSessionName": "afterwards"});
    let refused = bench.site.sandbox.call("bg-broker", "sts", "assume_role", with).unwrap_err();
    assert_eq!(refused.code, "AccessDenied");
}

fn is_probe(request: &Request) -> bool {
    request.method == "GET"
        && request.target.starts_with("/?")
        && request.header("x-amz-security-token").is_some()
}

fn kill(session: &mut Child) {
    process::signal(session.id(), Signal::KILL);
    session.wait().unwrap();
}

/// The gates are tested here, not the approvals.
fn open_without_approvals(bench: &Bench) {
    bench.site.configure(|text| {
        let sections = text.split("\n[roles.").filter(|section| !section.starts_with("prod"));
        sections.collect::<Vec<_>>().join("\n[roles.").replace("quorum = 1", "quorum = 0")
    });
}
