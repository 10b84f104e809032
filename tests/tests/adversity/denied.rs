//! AWS refuses a call: each one that bg-shell makes, before there are credentials and after.

use std::process::Stdio;

use crate::support::driver::Driver;
use crate::support::field::{Field, PROBE, REQUEST_ID, When, told};
use crate::support::wait::until;
use crate::support::world::stderr;

/// A call that is refused, and the role that is opened.
type Row = (&'static str, &'static str);

#[test]
fn a_call_of_the_keys_that_is_denied_before_there_are_credentials_leaves_nothing_open() {
    refused_before(&[
        ("kms:GetPublicKey", "drill"),
        ("kms:GenerateDataKey", "drill"),
        ("kms:Sign", "drill"),
    ]);
}

#[test]
fn a_call_of_the_store_that_is_denied_before_there_are_credentials_leaves_nothing_open() {
    refused_before(&[
        ("s3:PutObject", "drill"),
        ("s3:GetObject", "drill"),
        ("s3:ListBucket", "drill"),
    ]);
}

#[test]
fn a_role_or_a_gate_that_is_denied_leaves_nothing_open() {
    refused_before(&[("sts:AssumeRole", "drill"), ("iam:AttachRolePolicy", "attach")]);
    // The second one shuts the gate.
    refused(&[("iam:UpdateAssumeRolePolicy", "trust")], When::Once);
}

fn refused_before(rows: &[Row]) {
    refused(rows, When::Always);
}

fn refused(rows: &[Row], when: When) {
    for (call, role) in rows {
        let field = Field::new();
        field.deny(call, when);
        let output = field.open(role, "echo here").output().unwrap();
        let said = stderr(&output);
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(125), &b""[..]),
            "{call}: {said}"
        );
        told(&said, call);
        assert!(!field.ran() && field.issued().is_empty(), "{call}: {said}");
        field.heal();
        assert!(field.lines(&["sessions"]).is_empty(), "{call}");
        field.settle(&said);
    }
}

#[test]
fn an_object_that_may_not_be_put_stops_what_it_was_to_announce() {
    for key in ["/requests/", "/claim", "/genesis", "/open"] {
        let field = Field::new();
        field.deny_puts(key, When::Always);
        let output = field.open("drill", "echo here").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{key}: {said}");
        told(&said, "s3:PutObject");
        assert!(
            field.aws.actions("AssumeRole").is_empty(),
            "{key}: what is not written down is not done"
        );
        field.settle(&said);
    }
}

#[test]
fn credentials_that_cannot_be_written_down_are_revoked_before_anybody_has_them() {
    let field = Field::new();
    field.deny_puts("/active", When::Always);
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    told(&said, "s3:PutObject");
    assert!(!field.ran() && said.contains("access revoked and proved in"), "{said}");
    assert_eq!(field.issued().len(), 1);
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
    assert_eq!(field.fact("close/proved").unwrap()["state"], "revoked");
    field.settle(&said);
}

#[test]
fn a_role_whose_probe_is_denied_is_not_used_and_not_called_revoked() {
    let field = Field::new();
    field.deny(PROBE, When::Always);
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    told(&said, PROBE);
    assert!(
        !field.ran() && said.contains("REVOKE PENDING") && !said.contains("proved in"),
        "{said}"
    );
    // A refusal that no Deny explains proves nothing; the Deny is there all the same.
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
    field.heal();
    assert_eq!(field.lines(&["sessions"]).len(), 1);
    field.settle(&said);
}

#[test]
fn a_second_factor_that_aws_refuses_three_times_is_the_end() {
    let field = Field::new();
    field.deny("sts:GetSessionToken", When::Always);
    let mut driver = Driver::spawn(field.open("prod-mfa", "echo here"));
    for _ in 0..3 {
        driver.wait_for("MFA code of ");
        driver.send("123456\r");
    }
    assert_eq!(driver.wait(), 125, "{}", driver.screen());
    let said = driver.screen().replace('\r', "");
    assert!(
        told(&said, "sts:GetSessionToken").contains("does not accept the second factor"),
        "{said}"
    );
    assert!(field.aws.actions("AssumeRole").is_empty() && !field.ran());
    field.settle(&said);
}

#[test]
fn a_deny_that_is_denied_is_an_error_and_the_access_is_pending() {
    let field = Field::new();
    field.deny("iam:PutRolePolicy", When::Always);
    let output = field.open("drill", "true").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    told(&said, "iam:PutRolePolicy");
    assert!(said.contains("needs iam:PutRolePolicy") && said.contains("REVOKE PENDING"), "{said}");
    assert_eq!(field.call(&field.issued()[0]), Ok(()), "it was not denied, and nothing says so");
    assert_eq!(field.fact("close/pending-1").unwrap()["state"], "pending");
    assert_eq!(field.lines(&["sessions"])[0]["state"], "pending");
    let report = field.run(&["report", "last"]);
    assert!(
        String::from_utf8_lossy(&report.stdout).contains("NOT PROVED: iam:PutRolePolicy"),
        "{report:?}"
    );
    field.settle(&said);
}

#[test]
fn a_gate_that_cannot_be_shut_is_an_error_until_reconcile_shuts_it() {
    for (call, role) in
        [("iam:DetachRolePolicy", "attach"), ("iam:UpdateAssumeRolePolicy", "trust")]
    {
        let field = Field::new();
        field.deny(call, When::Inside);
        let output = field.open(role, "true").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(told(&said, call).contains("cannot close the gate"), "{said}");
        assert!(
            said.contains("access revoked and proved in") && said.contains("reconcile"),
            "{said}"
        );
        assert_eq!(field.fact("close/gate"), None);
        field.heal();
        let output = field.run(&["reconcile"]);
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(field.fact("close/gate").unwrap()["state"], "closed");
        field.settle(&said);
    }
}

#[test]
fn facts_that_may_not_be_put_at_the_end_keep_no_access_alive_and_are_written_later() {
    let field = Field::new();
    field.deny_puts("/close/", When::Always);
    let output = field.open("drill", "true").output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("access revoked and proved in"), "{said}");
    let warned = said.lines().filter(|line| line.contains("s3:PutObject: AccessDenied: ")).count();
    assert!(
        warned >= 2 && said.contains(REQUEST_ID) && said.contains("bg-shell reconcile writes it"),
        "{said}"
    );
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
    field.heal();
    let listed = field.lines(&["sessions"]);
    assert_eq!(listed[0]["state"], "pending", "what is not written down is not done: {listed:?}");
    assert_eq!(field.run(&["reconcile"]).status.code(), Some(3));
    assert!(field.fact("close/denied").is_some() && field.fact("close/pending-1").is_some());
}

#[test]
fn a_store_that_is_closed_to_a_running_session_gets_its_tape_later() {
    let field = Field::new();
    field.deny("s3:PutObject", When::Inside);
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert!(
        said.contains("access revoked and proved in")
            && said.contains("bg-shell recover ships them"),
        "{said}"
    );
    assert!(said.contains("s3:PutObject: AccessDenied"), "{said}");
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
    field.heal();
    let recovered = field.run(&["recover"]);
    assert!(recovered.status.success(), "{}", stderr(&recovered));
    let verdict = field.site.replay().args(["verify", "last"]).output().unwrap();
    assert!(String::from_utf8_lossy(&verdict.stdout).starts_with("intact: "), "{verdict:?}");
}

#[test]
fn a_key_that_signs_no_more_ends_the_tape_and_keeps_no_access_alive() {
    let field = Field::new();
    field.deny("kms:Sign", When::Inside);
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(told(&said, "kms:Sign").contains("cannot close the tape"), "{said}");
    assert!(said.contains("access revoked and proved in"), "{said}");
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
    field.heal();
    let recovered = field.run(&["recover"]);
    let again = stderr(&recovered);
    assert!(
        recovered.status.success() && again.contains("its access is revoked by its name"),
        "{again}"
    );
    let verdict = field.site.replay().args(["verify", "last"]).output().unwrap();
    assert!(String::from_utf8_lossy(&verdict.stdout).starts_with("recovered: "), "{verdict:?}");
}

#[test]
fn a_topic_that_takes_nothing_and_an_identity_that_nobody_tells_stop_no_session() {
    let field = Field::new();
    field.deny("sns:Publish", When::Always);
    field.deny("sts:GetCallerIdentity", When::Always);
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("access revoked and proved in"), "{said}");
    let line = said.lines().find(|line| line.contains("not delivered yet")).unwrap_or_default();
    assert!(line.contains("sns:Publish: AccessDenied") && line.contains(REQUEST_ID), "{said}");
    assert!(said.contains("bg-shell: hint: "), "{said}");
    field.settle(&said);
    assert!(!field.site.published().is_empty(), "what waited was delivered");
}

#[test]
fn old_denies_that_may_not_be_listed_or_removed_change_nothing_about_this_one() {
    let field = Field::new();
    field.deny("iam:ListRolePolicies", When::Always);
    let output = field.open("drill", "true").output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("access revoked and proved in"), "{said}");
    let line =
        said.lines().find(|line| line.contains("old Denies stay on the role")).unwrap_or_default();
    assert!(
        line.contains("iam:ListRolePolicies: AccessDenied") && line.contains(REQUEST_ID),
        "{said}"
    );
    field.settle(&said);
}

#[test]
fn a_store_that_shows_nothing_to_who_looks_for_sessions_says_so() {
    let field = Field::new();
    field.deny("s3:ListBucket", When::Always);
    for command in [&["sessions"][..], &["reconcile"], &["report", "last"], &["requests"]] {
        let output = field.run(command);
        assert_eq!(output.status.code(), Some(125), "{command:?}: {}", stderr(&output));
        told(&stderr(&output), "s3:ListBucket");
    }
}

#[test]
fn a_kill_switch_that_cannot_be_written_down_says_how_iam_alone_does_it() {
    let field = Field::new();
    let mut session = field
        .open("drill", "cat >/dev/null")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("the session runs", || field.ran());
    let id = field.sessions()[0].clone();
    field.deny_puts("/revoke", When::Always);
    let output = field.run(&["revoke", &id, "--reason", "a test"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    told(&said, "s3:PutObject");
    assert!(said.contains("with --role NAME and the whole id it is denied by IAM alone"), "{said}");
    let output = field.run(&["revoke", &id, "--reason", "a test", "--role", "drill"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("the session goes on, without access"), "{}", stderr(&output));
    until("the session is denied", || {
        field.call(&field.issued()[0]).is_err_and(|refused| refused.contains("explicit deny"))
    });
    drop(session.stdin.take());
    let ended = session.wait_with_output().unwrap();
    assert!(stderr(&ended).contains("access revoked and proved in"), "{}", stderr(&ended));
    field.settle(&stderr(&ended));
}

#[test]
fn a_decision_that_may_not_be_stored_is_none() {
    let field = Field::new();
    let key = |person: &str| field.site.sandbox.key(person).into_os_string().into_string().unwrap();
    let alice = key("alice");
    let bob = key("bob");
    let ask = ["request", "--role", "two", "--reason", "a test", "--key", &alice];
    let request = String::from_utf8(field.run(&ask).stdout).unwrap().trim().to_owned();
    field.deny("s3:PutObject", When::Always);
    for decision in [
        &ask[..],
        &["approve", &request, "--yes", "--key", &bob],
        &["deny", &request, "--yes", "--key", &bob],
        &["cancel", &request, "--key", &alice],
    ] {
        let output = field.run(decision);
        let said = stderr(&output);
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(125), 0),
            "{decision:?}: {said}"
        );
        told(&said, "s3:PutObject");
    }
    field.heal();
    assert_eq!(field.lines(&["requests"])[0]["state"], "REQUESTED");
}
