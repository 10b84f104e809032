//! A session in what deploy/bg-shell.yaml makes: its policies let bg-shell do all of its work, and no more.

use serde_json::json;

use crate::support::driver::Driver;
use crate::support::stack::Stack;
use crate::support::world::stderr;

#[test]
fn the_template_is_enough_for_a_session_from_the_request_to_the_proof() {
    let stack = Stack::deploy("whole");
    stack.relax();
    let id = request(&stack);
    let key = stack.sandbox.key("bob");
    let approved =
        stack.shell().args(["approve", &id, "--yes", "--key"]).arg(key).output().unwrap();
    assert!(approved.status.success(), "{}", stderr(&approved));
    let mut open = stack.shell();
    open.args(["open", "--role", "prod", "--request", &id, "--key"])
        .arg(stack.sandbox.key("alice"));
    open.args(["--", "sh", "-c", COMMANDS]);
    let mut driver = Driver::spawn(open);
    driver.wait_for("MFA code of ");
    driver.send("123456\r");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    let screen = driver.screen();
    for said in [
        "whole-access-works",
        "boundary-holds",
        "evidence-is-out-of-reach",
        "access revoked and proved",
        "intact",
    ] {
        assert!(screen.contains(said), "no {said:?}: {screen}");
    }
    let sound = stack.shell().args(["doctor", "--json"]).output().unwrap();
    let said = String::from_utf8_lossy(&sound.stdout);
    assert!(said.contains("0 accesses in use, 0 not proved closed"), "{said}");
}

/// What the role may, and what its boundary keeps from it.
const COMMANDS: &str = r#"
aws s3api list-buckets >/dev/null && echo whole-access-works
bucket=$(aws s3api list-buckets --query 'Buckets[?starts_with(Name, `whole-evidence`)].Name' --output text)
aws s3api list-objects-v2 --bucket "$bucket" 2>&1 | grep -q 'explicit deny' && echo evidence-is-out-of-reach
aws iam create-access-key --user-name whole-broker 2>&1 | grep -q 'explicit deny' && echo boundary-holds
true"#;

#[test]
fn the_brokers_principals_can_do_their_work_and_nothing_else() {
    let stack = Stack::deploy("least");
    let key = |key: &str| json!({ "KeyId": stack.of(key), "CiphertextBlob": "x" });
    let role = |policy: &str| json!({ "RoleName": stack.of("emergency"), "PolicyName": policy, "PolicyDocument": DENY });
    let refused = [
        ("broker", "kms", "decrypt", key("KmsKey")),
        ("broker", "iam", "put_role_policy", role("bg-deny-x")),
        (
            "revoker",
            "iam",
            "attach_role_policy",
            json!({ "RoleName": stack.of("emergency"), "PolicyArn": stack.of("access") }),
        ),
        ("revoker", "iam", "create_access_key", json!({ "UserName": stack.of("broker") })),
        (
            "revoker",
            "iam",
            "put_user_policy",
            json!({ "UserName": stack.of("broker"), "PolicyName": "x", "PolicyDocument": DENY }),
        ),
        (
            "activator",
            "iam",
            "delete_role_policy",
            json!({ "RoleName": stack.of("emergency"), "PolicyName": "bg-deny-x" }),
        ),
        ("activator", "iam", "put_role_policy", role("x")),
    ];
    for (who, service, call, with) in refused {
        let answer = stack.call_as(who, service, call, with);
        let code = answer.expect_err(&format!("{who} {call}")).code;
        assert!(code.starts_with("AccessDenied"), "{who} {call}: {code}");
    }
    let arn = json!({ "RoleName": stack.of("emergency") });
    stack.call_as("broker", "iam", "get_role", arn.clone()).unwrap();
    stack.call_as("activator", "iam", "list_attached_role_policies", arn.clone()).unwrap();
    stack.call_as("revoker", "iam", "list_role_policies", arn).unwrap();
}

const DENY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}"#;

fn request(stack: &Stack) -> String {
    let mut request = stack.shell();
    request
        .args(["request", "--role", "prod", "--reason", "a stack", "--key"])
        .arg(stack.sandbox.key("alice"));
    let output = request.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
