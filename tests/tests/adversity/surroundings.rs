//! What bg-shell stands on is not as it should be: credentials, region, keys, bucket, clock, and servers that die.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::field::{Field, When, told};
use crate::support::sandbox::Sandbox;
use crate::support::wait::until;
use crate::support::wire::Fault;
use crate::support::world::stderr;

#[test]
fn source_credentials_that_have_expired_are_told_as_such() {
    for (call, status, code) in [
        ("sts:AssumeRole", 403, "ExpiredToken"),
        ("kms:GetPublicKey", 400, "ExpiredTokenException"),
        ("s3:PutObject", 400, "ExpiredToken"),
    ] {
        let field = Field::new();
        field.fault(call, When::Always, Fault::Status(status, code));
        let output = field.open("drill", "echo here").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{call}: {said}");
        assert!(told(&said, call).contains(code), "{said}");
        assert!(said.contains("hint: the credentials have expired: refresh the profile"), "{said}");
        assert!(!field.ran() && field.issued().is_empty());
        field.settle(&said);
    }
}

#[test]
fn a_bucket_in_another_region_is_told_as_such() {
    for (status, code) in [(301, "PermanentRedirect"), (400, "AuthorizationHeaderMalformed")] {
        let field = Field::new();
        field.fault("s3:PutObject", When::Always, Fault::Status(status, code));
        let output = field.open("drill", "echo here").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(told(&said, "s3:PutObject").contains(code), "{said}");
        assert!(
            said.contains("the bucket is in another region: set region in the [evidence]"),
            "{said}"
        );
    }
}

#[test]
fn calls_are_made_in_the_region_that_is_configured_and_what_is_not_there_is_told() {
    let field = Field::new();
    field.site.configure(|text| text.replace("region = \"us-east-1\"", "region = \"eu-west-3\""));
    let output = field.open("drill", "true").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(told(&said, "kms:GetPublicKey").contains("NotFoundException"), "{said}");
    assert!(said.contains("hint: check the name and the region"), "{said}");
    for asked in field.aws.actions("GetPublicKey") {
        assert!(asked.header("authorization").unwrap().contains("/eu-west-3/"), "{asked:?}");
    }
}

#[test]
fn a_key_that_is_not_there_is_told_before_anything_is_opened() {
    for call in ["kms:GenerateDataKey", "kms:GetPublicKey", "kms:Sign"] {
        let field = Field::new();
        field.fault(call, When::Always, Fault::Status(400, "NotFoundException"));
        let output = field.open("drill", "echo here").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{said}");
        assert!(told(&said, call).contains("NotFoundException"), "{said}");
        assert!(said.contains("hint: check the name and the region"), "{said}");
        assert!(field.issued().is_empty() && !field.ran());
        field.settle(&said);
    }
}

#[test]
fn a_key_that_was_disabled_opens_nothing_and_a_session_that_runs_loses_only_its_seal() {
    let field = Field::new();
    let broker = json!({ "AWS": "arn:aws:iam::000000000000:user/bg-broker" });
    let may = json!({ "Effect": "Allow", "Principal": broker, "Action": "kms:GenerateDataKey", "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [may] }).to_string();
    let root =
        |call: &str, with: Value| field.site.sandbox.call("root", "kms", call, with).unwrap();
    let key = root(
        "create_key",
        json!({ "Policy": policy, "BypassPolicyLockoutSafetyCheck": true }),
    )["KeyMetadata"]["Arn"]
        .clone();
    root("disable_key", json!({ "KeyId": key }));
    set(&field, "kms_key", key.as_str().unwrap());
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(told(&said, "kms:GenerateDataKey").contains("DisabledException"), "{said}");
    assert!(said.contains("hint: the KMS key is not usable: enable it"), "{said}");
    assert!(field.issued().is_empty() && !field.ran());

    let field = Field::new();
    field.fault("kms:Sign", When::Inside, Fault::Status(400, "DisabledException"));
    let output = field.open("drill", "true").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(told(&said, "kms:Sign").contains("DisabledException"), "{said}");
    assert!(said.contains("access revoked and proved in"), "{said}");
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
}

#[test]
fn a_bucket_without_versions_is_found_by_doctor_and_a_session_there_is_sealed() {
    let field = Field::new();
    let bucket = format!("bg-plain-{}", field.site.name);
    field
        .site
        .sandbox
        .call("root", "evidence", "create_bucket", json!({ "Bucket": bucket }))
        .unwrap();
    field.site.configure(|text| {
        text.replace("s3://bg-evidence", &format!("s3://{bucket}"))
            .replace("path_style = true", "path_style = true\nprofile = \"bg-admin\"")
    });
    // A lock that the bucket does not have is refused with the first object.
    let output = field.open("drill", "echo here").output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    told(&said, "s3:PutObject");
    assert!(field.issued().is_empty());
    field.site.configure(|text| {
        text.replace("object_lock = \"governance\"\n", "").replace("object_lock_days = 1\n", "")
    });
    let output = field.open("drill", "true").output().unwrap();
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("read back from the store: intact"), "{said}");
    let looked = field.run(&["doctor", "--json"]);
    let looked: Value = serde_json::from_slice(&looked.stdout).unwrap();
    let finding = looked["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["check"] == "bucket versions");
    let finding = finding.unwrap_or_else(|| panic!("{looked}"));
    assert_eq!(finding["verdict"], "fail");
    assert!(finding["fix"].as_str().unwrap().contains("versioning"), "{finding}");
}

#[test]
fn a_clock_that_is_ten_minutes_off_opens_nothing() {
    for (off_s, words) in [(-600, "ahead of sts's"), (600, "behind sts's")] {
        let field = Field::new();
        field.fault("sts:GetCallerIdentity", When::Always, Fault::Dated(off_s));
        let output = field.open("drill", "echo here").output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{said}");
        let errors: Vec<&str> =
            said.lines().filter(|line| line.starts_with("bg-shell: error: ")).collect();
        assert!(errors.len() == 1 && errors[0].contains(words), "{said}");
        assert!(said.contains("bg-shell: hint: set it (timedatectl, chronyc)"), "{said}");
        assert!(field.issued().is_empty() && !field.ran());
        field.settle(&said);
    }
}

#[test]
fn servers_that_go_away_in_a_session_leave_it_pending_until_they_are_back() {
    let field = Field::new();
    let mut session = waiting(field.open("drill", "cat >/dev/null"));
    until("the session runs", || field.ran());
    field.aws.refuse();
    drop(session.stdin.take());
    let output = session.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("REVOKE PENDING") && said.contains("may live until"), "{said}");
    assert!(said.contains("bg-shell: hint: check the network"), "{said}");
    field.aws.restore();
    assert_eq!(field.call(&field.issued()[0]), Ok(()));
    field.settle(&said);
}

#[test]
fn an_account_that_dies_in_a_session_is_told_and_what_was_recorded_is_kept() {
    let sandbox = Sandbox::own();
    let site = sandbox.site();
    let key = sandbox.key("alice");
    let mut shell = site.shell();
    shell.args(["open", "--role", "drill", "--reason", "a test", "--key"]).arg(key);
    shell.args(["--", "sh", "-c", "touch $HOME/begun; cat >/dev/null"]);
    let mut session = waiting(shell);
    until("the session runs", || site.world.home().join("begun").exists());
    sandbox.ask(&json!({ "kill": "ministack" })).unwrap();
    drop(session.stdin.take());
    let output = session.wait_with_output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(
        said.contains("cannot close the tape: ") && said.contains("bg-shell recover"),
        "{said}"
    );
    assert!(
        said.contains("REVOKE PENDING: iam:PutRolePolicy: ") && said.contains("may live until"),
        "{said}"
    );
    let recovered = site.shell().arg("recover").output().unwrap();
    assert_ne!(recovered.status.code(), Some(0));
    assert!(stderr(&recovered).contains("kms:GetPublicKey: "), "{}", stderr(&recovered));
    let spools = std::fs::read_dir(site.state().join("spool")).unwrap().count();
    assert_eq!(spools, 1, "what was recorded waits");
}

fn waiting(mut shell: Command) -> std::process::Child {
    shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Names another key in the configuration.
fn set(field: &Field, name: &str, value: &str) {
    field.site.configure(|text| {
        let line =
            text.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap().to_owned();
        text.replace(&line, &format!("{name} = {value:?}"))
    });
}
