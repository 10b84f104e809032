//! The sandbox: that its emulators refuse what AWS would refuse, and that none of it outlives its users.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::support::sandbox::{Sandbox, root};
use crate::support::wait::until;
use crate::support::world::stderr;

#[test]
fn who_records_cannot_decrypt_and_who_decrypts_cannot_sign() {
    let sandbox = Sandbox::shared();
    let kms = |profile, call, with| sandbox.call(profile, "kms", call, with);
    let minted = kms(
        "bg-broker",
        "generate_data_key",
        json!({ "KeyId": sandbox.kms_key(), "KeySpec": "AES_256" }),
    );
    minted.unwrap();
    for (profile, call, with) in [
        ("bg-broker", "decrypt", json!({ "KeyId": sandbox.kms_key(), "CiphertextBlob": "x" })),
        ("bg-compliance", "decrypt", json!({ "KeyId": sandbox.kms_key(), "CiphertextBlob": "x" })),
        (
            "bg-auditor",
            "sign",
            json!({ "KeyId": sandbox.signing_key(), "Message": "x", "SigningAlgorithm": "ECDSA_SHA_256" }),
        ),
        (
            "bg-compliance",
            "sign",
            json!({ "KeyId": sandbox.signing_key(), "Message": "x", "SigningAlgorithm": "ECDSA_SHA_256" }),
        ),
    ] {
        assert_eq!(
            kms(profile, call, with).unwrap_err().code,
            "AccessDeniedException",
            "{profile} {call}"
        );
    }
    let public =
        kms("bg-compliance", "get_public_key", json!({ "KeyId": sandbox.signing_key() })).unwrap();
    assert_eq!(public["KeySpec"], "ECC_NIST_P256");
}

#[test]
fn only_the_broker_assumes_the_emergency_role() {
    let site = Sandbox::shared().site();
    let with = json!({ "RoleArn": site.role("emergency"), "RoleSessionName": "bg-test" });
    site.sandbox.call("bg-broker", "sts", "assume_role", with.clone()).unwrap();
    for profile in ["bg-revoker", "bg-activator", "bg-auditor"] {
        let refused = site.sandbox.call(profile, "sts", "assume_role", with.clone()).unwrap_err();
        assert_eq!(refused.code, "AccessDenied", "{profile}");
    }
    let closed = json!({ "RoleArn": site.role("trust"), "RoleSessionName": "bg-test" });
    assert_eq!(
        site.sandbox.call("bg-broker", "sts", "assume_role", closed).unwrap_err().code,
        "AccessDenied"
    );
}

#[test]
fn evidence_is_written_once_and_not_deleted() {
    let site = Sandbox::shared().site();
    let key = format!("{}/a", site.name);
    let put = json!({ "Bucket": "bg-evidence", "Key": key, "Body": "x", "IfNoneMatch": "*" });
    site.sandbox.call("bg-broker", "evidence", "put_object", put.clone()).unwrap();
    let again = site.sandbox.call("bg-broker", "evidence", "put_object", put).unwrap_err();
    assert_eq!(again.code, "PreconditionFailed");
    let which = json!({ "Bucket": "bg-evidence", "Key": key });
    for profile in ["bg-broker", "bg-admin"] {
        let refused =
            site.sandbox.call(profile, "evidence", "delete_object", which.clone()).unwrap_err();
        assert_eq!(refused.code, "AccessDenied", "{profile}");
    }
    assert_eq!((site.evidence(), site.object("a")), (vec!["a".to_owned()], b"x".to_vec()));
}

#[test]
fn a_site_has_a_topic_that_is_heard() {
    let site = Sandbox::shared().site();
    let config = fs::read_to_string(site.config()).unwrap();
    let topic = config.split("topic = \"").nth(1).unwrap().split('"').next().unwrap();
    let with = json!({ "TopicArn": topic, "Message": "hello" });
    site.sandbox.call("bg-broker", "sns", "publish", with).unwrap();
    let mut heard = Vec::new();
    until("the message", || {
        heard.extend(site.published());
        !heard.is_empty()
    });
    assert_eq!(heard[0]["Message"], "hello");
}

#[test]
fn the_aws_cli_finds_the_profiles() {
    let site = Sandbox::shared().site();
    let output = site
        .aws("bg-broker", &["sts", "get-caller-identity", "--query", "Arn", "--output", "text"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "arn:aws:iam::000000000000:user/bg-broker",
        "{output:?}"
    );
    assert_eq!(site.sandbox.code("alice").len(), 6);
}

#[test]
fn the_configuration_of_a_site_is_read() {
    let site = Sandbox::shared().site();
    let output = site.shell().args(["config", "check"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("prod: arn:aws:iam::"), "{output:?}");
}

#[test]
fn up_is_idempotent_and_down_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("sandbox");
    let script = |name: &str| {
        let output = Command::new(root().join("sandbox").join(name)).arg(&place).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(script("up").contains("bg-shell request --role prod"));
    let servers =
        || crate::support::process::with_environment(&format!("HOME={}", place.display())).len();
    assert_eq!(servers(), 2);
    assert!(script("up").contains("running already"));
    assert_eq!(script("code").trim().len(), 6);
    assert!(script("down").contains("stopped"));
    assert_eq!(servers(), 0);
    assert!(script("down").contains("nothing runs"));
}

#[test]
fn up_empties_no_directory_that_no_sandbox_made() {
    let dir = tempfile::tempdir().unwrap();
    // Any daemon has one.
    std::fs::write(dir.path().join("pid"), "1 0").unwrap();
    std::fs::write(dir.path().join("thesis"), "years of work").unwrap();
    let output = Command::new(root().join("sandbox/up")).arg(dir.path()).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert!(stderr(&output).contains("is not empty, and no sandbox made it"), "{output:?}");
    assert_eq!(std::fs::read_to_string(dir.path().join("thesis")).unwrap(), "years of work");
}
