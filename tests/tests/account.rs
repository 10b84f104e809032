//! An access from start to report, in an account that answers: who is told, and what the report says of it.

use serde_json::{Value, json};

use crate::support::driver::Driver;
use crate::support::field::Field;
use crate::support::sandbox::{Sandbox, Site};
use crate::support::wait::until;
use crate::support::world::stderr;

/// Has alice ask for the role, and bob and carol approve it; returns the request.
fn approved(site: &Site) -> String {
    let key = |person: &str| site.sandbox.key(person).into_os_string().into_string().unwrap();
    let run = |args: &[&str], person: &str| {
        let output = site.shell().args(args).args(["--key", &key(person)]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let ask = ["request", "--role", "two", "--reason", "disk full", "--incident", "INC-7"];
    let request = run(&ask, "alice");
    run(&["approve", &request, "--yes"], "bob");
    run(&["approve", &request, "--yes"], "carol");
    request
}

/// Opens the role and types lines into its shell.
fn session(site: &Site, lines: &[&str]) -> Driver {
    let request = approved(site);
    let mut shell = site.shell();
    shell
        .args(["open", "--role", "two", "--request", &request, "--key"])
        .arg(site.sandbox.key("alice"));
    shell.args(["--", "bash", "--norc"]).env("PS1", "ready> ");
    let mut driver = Driver::spawn(shell);
    if std::fs::read_to_string(site.config()).unwrap().contains(SECOND_FACTOR) {
        driver.wait_for("MFA code of alice");
        driver.send(format!("{}\r", site.sandbox.code("alice")));
    }
    for line in lines {
        driver.wait_for("ready> ");
        driver.send(format!("{line}\r"));
    }
    driver.wait_for("ready> ");
    driver.send("exit\r");
    driver
}

fn report(site: &Site) -> Value {
    let output = site.shell().args(["report", "last", "--json"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn two_approve_and_a_code_opens_what_is_dead_after_the_exit_and_the_report_says_all_of_it() {
    let field = Field::new();
    let site = &field.site;
    site.configure(|text| {
        let (before, two) = text.split_once("[roles.two]").unwrap();
        let secrets = site.sandbox.allowed_signers().with_file_name("totp");
        let factor = format!("{SECOND_FACTOR}, secrets = {secrets:?} }}\noverride = true");
        format!("{before}[roles.two]{}", two.replacen("mfa = { mode = \"none\" }", &factor, 1))
    });
    let mut driver =
        session(site, &[PASSWORD, "a password", "ecoh\x7f\x7fho two", "aws s3 ls | cat"]);
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    assert!(driver.screen().contains(" bg-sandbox"), "{}", driver.screen());
    assert_eq!(field.issued().len(), 1);
    assert!(field.call(&field.issued()[0]).unwrap_err().contains("explicit deny"));
    let verified = site.replay().args(["verify", "last"]).output().unwrap();
    assert!(String::from_utf8_lossy(&verified.stdout).starts_with("intact: "), "{verified:?}");
    assert!(driver.screen().contains("bg-shell: report: bg-shell report "), "{}", driver.screen());
    let report = report(site);
    let lines: Vec<&str> = report["commands"]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["line"].as_str().unwrap())
        .collect();
    assert_eq!(lines, [PASSWORD, "echo two", "aws s3 ls | cat", "exit"]);
    assert_eq!(report["revocation"]["outcome"]["state"], "revoked", "{report}");
    assert_eq!(
        (&report["tape"]["verdict"], &report["ended"]["how"]),
        (&json!("intact"), &json!("exit"))
    );
    for time in ["to_access_ms", "to_revoke_ms"] {
        assert!(report["times"][time]["value"].as_u64().unwrap() > 0, "{time}: {report}");
    }
    let approvals = &report["approvals"];
    let people: Vec<&Value> =
        approvals["given"].as_array().unwrap().iter().map(|given| &given["person"]).collect();
    assert_eq!((&approvals["verdict"], json!(people)), (&json!("valid"), json!(["bob", "carol"])));
    assert_eq!(report.pointer("/who/person/value"), Some(&json!("alice")));
    assert_eq!(report.pointer("/why/reason/value"), Some(&json!("disk full")));
    assert_eq!(report["to_do"], json!([]));
    assert_eq!(report["untrusted"], json!([]));
    let mut events = Vec::new();
    until("seven messages", || {
        // SNS wraps what it hands to SQS.
        let published =
            site.published().into_iter().map(|wrap| wrap["Message"].as_str().unwrap().to_owned());
        events.extend(
            published.map(|text| serde_json::from_str::<Value>(&text).unwrap()["event"].clone()),
        );
        events.len() >= 7
    });
    // SQS keeps no order.
    events.sort_by_key(ToString::to_string);
    assert_eq!(
        events,
        ["approved", "approved", "closed", "opened", "report", "requested", "revoked"]
    );
}

#[test]
fn a_key_on_the_screen_is_found_and_deactivated() {
    let site = Sandbox::shared().site();
    let root = |call: &str, with: Value| site.sandbox.call("root", "iam", call, with).unwrap();
    let user = format!("deploy-{}", site.name);
    root("create_user", json!({ "UserName": user }));
    let key = root("create_access_key", json!({ "UserName": user }))["AccessKey"].clone();
    let id = key["AccessKeyId"].as_str().unwrap();
    let secret = key["SecretAccessKey"].as_str().unwrap();
    std::fs::write(
        site.world.home().join("leak"),
        format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n"),
    )
    .unwrap();
    let mut driver = session(&site, &[&format!("cat {}/leak", site.world.home().display())]);
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    let before = report(&site);
    assert_eq!(before["exposures"]["found"][0]["shown"], id);
    assert!(!before.to_string().contains(secret));
    assert!(before["to_do"].to_string().contains("worthless"), "{before}");
    // Nobody at a terminal: nobody says yes.
    let asked = site.shell().args(["report", "last", "--rotate"]).output().unwrap();
    assert!(!asked.status.success() && stderr(&asked).contains("--yes"), "{}", stderr(&asked));
    let output = site.shell().args(["report", "last", "--rotate", "--yes"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let keys = root("list_access_keys", json!({ "UserName": user }));
    assert_eq!(keys["AccessKeyMetadata"][0]["Status"], "Inactive");
    let output = site.shell().args(["report", "last", "--write", "--json"]).output().unwrap();
    let after: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(after["exposures"]["found"][0]["deactivated"].is_string(), "{after}");
    assert_eq!(after["to_do"], json!([]));
    let said = |moment: &Value| moment["what"].as_str().unwrap().contains("was deactivated");
    assert!(after["timeline"].as_array().unwrap().iter().any(said), "{after}");
}

#[test]
fn without_the_right_to_deactivate_nothing_is_said_to_be_done() {
    let site = Sandbox::shared().site();
    let mut driver = session(&site, &["echo AKIAIOSFODNN7EXAMPLE"]);
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    site.configure(|text| text.replace("bg-revoker", "bg-compliance"));
    let output = site.shell().args(["report", "last", "--rotate", "--yes"]).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(
        said.contains("iam:GetAccessKeyLastUsed: AccessDenied") && said.contains("hint: "),
        "{said}"
    );
}

/// How a test has `two` ask for a code: spelled as the sandbox does not.
const SECOND_FACTOR: &str = "mfa = {mode = \"broker\"";

/// Asks for a password as programs do: echo is off before the prompt is there.
const PASSWORD: &str = "python3 -c \"import getpass; getpass.getpass('rea' + 'dy> ')\"";
