//! `bg-shell doctor`: all well on what deploy/ makes, and each fault found on its own.

use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::contain::WITHOUT;
use crate::support::stack::Stack;
use crate::support::world::{World, stderr};

#[test]
fn all_is_well_on_what_the_template_makes() {
    let stack = Stack::deploy("sound");
    let (code, findings) = look(&mut stack.shell());
    let not_ok: Vec<&Value> =
        findings.iter().filter(|finding| finding["verdict"] != "ok").collect();
    assert!(not_ok.is_empty(), "{not_ok:#?}");
    assert_eq!(code, Some(0));
    assert!(findings.len() >= 20, "{}", findings.len());
}

/// Breaks one thing.
type Break = fn(&Stack);

#[test]
fn each_fault_is_found_alone() {
    let mut wrong = Vec::new();
    for (at, (fault, check, verdict, break_it)) in FAULTS.iter().enumerate() {
        let stack = Stack::deploy(&format!("fault{at}"));
        break_it(&stack);
        let (code, findings) = look(&mut stack.shell());
        let found: Vec<&Value> =
            findings.iter().filter(|finding| finding["verdict"] != "ok").collect();
        let alone =
            found.len() == 1 && found[0]["check"] == *check && found[0]["verdict"] == *verdict;
        let helps = found.iter().all(|finding| finding["why"] != "" && finding["fix"] != "");
        if !alone || !helps || code != Some(i32::from(*verdict == "fail")) {
            wrong.push(format!("{fault}: {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const FAULTS: &[(&str, &str, &str, Break)] = &[
    ("the trust policy forgets MFA", "mfa prod", "fail", |stack| {
        trust(stack, |trust| {
            drop(trust["Statement"][0]["Condition"].as_object_mut().unwrap().remove("Bool"))
        });
    }),
    ("the second factor may be of any age", "mfa prod", "warn", |stack| {
        trust(stack, |trust| {
            drop(
                trust["Statement"][0]["Condition"]
                    .as_object_mut()
                    .unwrap()
                    .remove("NumericLessThan"),
            );
        });
    }),
    ("the trust policy trusts the account", "trust prod", "fail", |stack| {
        trust(stack, |trust| {
            trust["Statement"][0]["Principal"]["AWS"] = json!(["arn:aws:iam::000000000000:root"]);
        });
    }),
    ("nobody says for whom", "trust prod", "warn", |stack| {
        trust(stack, |trust| {
            drop(trust["Statement"][0]["Condition"].as_object_mut().unwrap().remove("StringLike"));
        });
    }),
    ("the role has no boundary", "boundary prod", "fail", |stack| {
        let with = json!({ "RoleName": stack.of("emergency") });
        stack.call("iam", "delete_role_permissions_boundary", with).unwrap();
    }),
    ("the boundary denies nothing", "boundary prod", "fail", |stack| {
        let with =
            json!({ "RoleName": stack.of("emergency"), "PermissionsBoundary": stack.of("access") });
        stack.call("iam", "put_role_permissions_boundary", with).unwrap();
    }),
    ("the recorder may decrypt", "key data recorder", "fail", |stack| {
        key_policy(stack, "KmsKey", |policy| {
            policy["Statement"]
                .as_array_mut()
                .unwrap()
                .retain(|statement| statement["Effect"] == "Allow");
            policy["Statement"][1]["Action"] = json!(["kms:GenerateDataKey", "kms:Decrypt"]);
        });
    }),
    ("IAM policies decide who decrypts", "key data recorder", "warn", |stack| {
        key_policy(stack, "KmsKey", |policy| policy["Statement"][0]["Action"] = json!("kms:*"));
    }),
    ("the auditor may sign", "key separation", "fail", |stack| {
        key_policy(stack, "SigningKeyArn", |policy| {
            policy["Statement"]
                .as_array_mut()
                .unwrap()
                .retain(|statement| statement["Effect"] == "Allow");
            policy["Statement"][2]["Action"] =
                json!(["kms:Sign", "kms:Verify", "kms:GetPublicKey"]);
        });
    }),
    ("the signing key is disabled", "key signing", "fail", |stack| {
        stack.call("kms", "disable_key", json!({ "KeyId": stack.of("SigningKeyArn") })).unwrap();
    }),
    ("the data key is not rotated", "key data rotation", "warn", |stack| {
        stack.call("kms", "disable_key_rotation", json!({ "KeyId": stack.of("KmsKey") })).unwrap();
    }),
    ("the bucket keeps no versions", "bucket versions", "fail", |stack| {
        let with = json!({ "Bucket": stack.of("bucket"), "VersioningConfiguration": { "Status": "Suspended" } });
        stack.call("s3", "put_bucket_versioning", with).unwrap();
    }),
    ("the bucket may become public", "bucket public access", "fail", |stack| {
        stack
            .call("s3", "delete_public_access_block", json!({ "Bucket": stack.of("bucket") }))
            .unwrap();
    }),
    ("the bucket takes requests without TLS", "bucket tls", "fail", |stack| {
        without(stack, "TlsOnly");
    }),
    ("evidence may be deleted", "bucket deletes", "fail", |stack| {
        without(stack, "NothingIsDeleted")
    }),
    ("evidence may be overwritten", "bucket overwrites", "warn", |stack| {
        without(stack, "NothingIsOverwritten")
    }),
    ("one person for a quorum of two", "signers prod", "fail", |stack| {
        let people = std::fs::read_to_string(stack.sandbox.allowed_signers()).unwrap();
        let alice = people.lines().next().unwrap();
        // Two keys are not two people.
        std::fs::write(stack.file("signers"), format!("{alice}\n{alice}\n")).unwrap();
        stack.configure(|text| {
            let old = stack.sandbox.allowed_signers();
            text.replace(old.to_str().unwrap(), stack.file("signers").to_str().unwrap())
                .replace("quorum = 1", "quorum = 2")
        });
    }),
    ("others write the list of approvers", "signers prod", "fail", |stack| {
        use std::os::unix::fs::PermissionsExt as _;
        let mine = stack.file("signers");
        std::fs::copy(stack.sandbox.allowed_signers(), &mine).unwrap();
        std::fs::set_permissions(&mine, std::fs::Permissions::from_mode(0o666)).unwrap();
        let old = stack.sandbox.allowed_signers();
        stack.configure(|text| text.replace(old.to_str().unwrap(), mine.to_str().unwrap()));
    }),
    ("the topic is gone", "notify topic", "fail", |stack| {
        stack.call("sns", "delete_topic", json!({ "TopicArn": stack.of("Topic") })).unwrap();
    }),
    ("a webhook does not answer", "notify 127.0.0.1", "fail", |stack| {
        stack.configure(|text| {
            format!("{text}\n[[notify.webhooks]]\nurl = \"http://127.0.0.1:1/x\"\n")
        });
    }),
    ("who opens also revokes", "principals prod", "warn", |stack| {
        stack.configure(|text| text.replace("revoker = \"revoker\"", "revoker = \"broker\""));
    }),
    ("the revoker's credentials are gone", "revoker prod", "fail", |stack| {
        stack.configure(|text| text.replace("revoker = \"revoker\"", "revoker = \"nobody\""));
    }),
];

#[test]
fn a_bucket_without_a_lock_is_found() {
    let stack = Stack::deploy_without_lock("lockless");
    let (code, findings) = look(&mut stack.shell());
    let found: Vec<&Value> = findings.iter().filter(|finding| finding["verdict"] != "ok").collect();
    assert_eq!((found.len(), code), (1, Some(1)), "{found:#?}");
    assert_eq!((&found[0]["check"], &found[0]["saw"]), (&json!("bucket lock"), &json!("off")));
}

#[test]
fn what_may_not_be_looked_at_is_never_ok() {
    let stack = Stack::deploy("blind");
    let user = stack.of("broker");
    let account = "arn:aws:iam::000000000000:policy/blind-doctor";
    let with = json!({ "UserName": user, "PolicyArn": account });
    stack.call("iam", "detach_user_policy", with).unwrap();
    let (code, findings) = look(&mut stack.shell());
    let unseen: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["saw"].as_str().unwrap().starts_with("not looked at"))
        .collect();
    assert!(unseen.len() >= 6, "{findings:#?}");
    for finding in unseen {
        assert_eq!(finding["verdict"], "warn");
        assert!(finding["fix"].as_str().unwrap().contains("doctor.json"), "{finding}");
    }
    assert_eq!(code, Some(0), "{findings:#?}");
}

#[test]
fn a_clock_that_is_ten_minutes_off_is_found() {
    let stack = Stack::deploy("clock");
    // Ahead and not behind: the emulator's certificate is a minute old.
    let early = stack.shell();
    let mut command = stack.world.command("faketime");
    command.args(["-f", "+10m"]).arg(early.get_program()).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    for (name, value) in early.get_envs() {
        command.env(name, value.unwrap());
    }
    let (code, findings) = look(&mut command);
    let clock = findings.iter().find(|finding| finding["check"] == "clock").unwrap();
    assert_eq!((clock["verdict"].as_str(), code), (Some("fail"), Some(1)), "{clock}");
    assert!(clock["saw"].as_str().unwrap().contains(" s ahead of "), "{clock}");
}

#[test]
fn the_practice_world_is_looked_at_without_an_account() {
    let world = World::new();
    let (code, findings) = look(&mut world.shell());
    assert_eq!(code, Some(0), "{findings:#?}");
    assert!(findings.iter().any(|finding| finding["check"] == "spool"), "{findings:#?}");
}

#[test]
fn the_containment_that_is_told_is_the_one_that_a_session_gets() {
    let world = World::new();
    let (_, findings) = look(&mut world.shell());
    let found = findings.iter().find(|finding| finding["check"] == "containment").unwrap();
    assert_eq!(found["verdict"], "ok");
    world.record("true");
    let genesis = world.tape().note("genesis");
    let by = genesis["about"]["containment"].as_str().unwrap();
    assert!(found["saw"].as_str().unwrap().starts_with(by), "{by}: {found}");
}

#[test]
fn a_containment_that_is_demanded_and_cannot_be_had_is_found() {
    let world = World::new();
    world.contain("namespace");
    let shell = env!("CARGO_BIN_EXE_shell-under-test");
    let mut without = world.command("python3");
    without.args(["-c", WITHOUT, "mount", shell]);
    let (code, findings) = look(&mut without);
    let wrong: Vec<&Value> = findings.iter().filter(|found| found["verdict"] == "fail").collect();
    let [found] = wrong[..] else { panic!("{findings:#?}") };
    assert_eq!((&found["check"], code), (&json!("containment practice"), Some(1)));
    let saw = found["saw"].as_str().unwrap();
    assert!(saw.contains("a namespace is demanded: its own /proc: Operation not"), "{saw}");
}

#[test]
fn a_service_that_does_not_answer_is_waited_for_once() {
    let world = World::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    // Each connection is kept open, and nothing is ever said.
    std::thread::spawn(move || {
        silent.incoming().for_each(|stream| kept.lock().unwrap().push(stream));
    });
    let home = world.home().display().to_string();
    let role = "arn = \"arn:aws:iam::123456789012:role/prod\"";
    let config = format!(
        "[aws]\nendpoint = {endpoint:?}\nregion = \"us-east-1\"\n[evidence]\nstore = \"s3://evidence\"\n\
         [roles.prod]\n{role}\nallowed_signers = \"{home}/none\"\n[roles.prod.mfa]\nmode = \"none\"\n"
    );
    std::fs::write(world.home().join("config.toml"), config).unwrap();
    let mut shell = world.shell();
    shell.env("BG_SHELL_CONFIG", world.home().join("config.toml"));
    shell.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "none");
    let (code, findings) = look(&mut shell);
    assert_eq!(code, Some(1), "{findings:#?}");
    let saw = |check: &str| {
        let found = findings.iter().find(|finding| finding["check"] == check);
        found.unwrap_or_else(|| panic!("{check}: {findings:#?}"))["saw"].as_str().unwrap()
    };
    for (what, service) in
        [("role prod", "iam"), ("principals prod", "sts"), ("bucket", "s3"), ("revocations", "s3")]
    {
        assert_eq!(saw(what), format!("not looked at: {service} does not answer"));
    }
    assert!(saw("signers prod").contains("cannot read"), "what needs no service is looked at");
    // Three services, each with its retries, and nobody behind them.
    let connections = asked.lock().unwrap().len();
    assert!(connections <= 12, "{connections}");
}

#[test]
fn people_read_a_table() {
    let stack = Stack::deploy("table");
    stack.call("kms", "disable_key", json!({ "KeyId": stack.of("KmsKey") })).unwrap();
    let output = stack.shell().arg("doctor").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("FAIL  key data                 SYMMETRIC_DEFAULT, disabled\n"),
        "{text}"
    );
    assert!(
        text.contains("fix: aws kms enable-key") && text.trim_end().ends_with(" 1 wrong"),
        "{text}"
    );
}

fn look(shell: &mut Command) -> (Option<i32>, Vec<Value>) {
    let output = shell.args(["doctor", "--json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", stderr(&output)));
    (output.status.code(), said["findings"].as_array().unwrap().clone())
}

fn trust(stack: &Stack, change: impl FnOnce(&mut Value)) {
    let role = stack.call("iam", "get_role", json!({ "RoleName": stack.of("emergency") })).unwrap();
    let mut trust = role["Role"]["AssumeRolePolicyDocument"].clone();
    change(&mut trust);
    let with = json!({ "RoleName": stack.of("emergency"), "PolicyDocument": trust.to_string() });
    stack.call("iam", "update_assume_role_policy", with).unwrap();
}

fn key_policy(stack: &Stack, key: &str, change: impl FnOnce(&mut Value)) {
    let key = json!({ "KeyId": stack.of(key), "PolicyName": "default" });
    let text = stack.call("kms", "get_key_policy", key.clone()).unwrap();
    let mut policy: Value = serde_json::from_str(text["Policy"].as_str().unwrap()).unwrap();
    change(&mut policy);
    let mut with = key;
    with["Policy"] = json!(policy.to_string());
    stack.call("kms", "put_key_policy", with).unwrap();
}

fn without(stack: &Stack, sid: &str) {
    let bucket = json!({ "Bucket": stack.of("bucket") });
    let text = stack.call("s3", "get_bucket_policy", bucket).unwrap();
    let mut policy: Value = serde_json::from_str(text["Policy"].as_str().unwrap()).unwrap();
    policy["Statement"].as_array_mut().unwrap().retain(|statement| statement["Sid"] != sid);
    let with = json!({ "Bucket": stack.of("bucket"), "Policy": policy.to_string() });
    stack.call("s3", "put_bucket_policy", with).unwrap();
}
