//! Making requests and looking at them: which key signs, what a role allows, what changed since.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use data_encoding::BASE64;
use serde_json::Value;

use crate::support::desk::{Desk, sign_by_hand};
use crate::support::driver::Driver;
use crate::support::hook::{Delivery, Hook, Manner};
use crate::support::wait::until;
use crate::support::world::stderr;

#[test]
fn the_key_in_the_home_directory_signs_without_being_named() {
    let desk = Desk::new();
    let dir = desk.world.home().join(".ssh");
    std::fs::create_dir(&dir).unwrap();
    desk.join("zoe", ".ssh/id_ecdsa", "ecdsa");
    let output =
        desk.shell().args(["request", "--role", "prod", "--reason", "x"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let id = String::from_utf8(output.stdout).unwrap();
    assert_eq!(desk.look(id.trim())["requester"], "zoe@example.com");
}

#[test]
fn without_a_key_that_may_sign_the_error_says_where_to_look() {
    let desk = Desk::new();
    let output =
        desk.shell().args(["request", "--role", "prod", "--reason", "x"]).output().unwrap();
    assert!(stderr(&output).contains("no SSH key is here to sign with"), "{}", stderr(&output));
    assert!(
        stderr(&output)
            .contains("hint: ssh-agent and ~/.ssh/id_*.pub have none: name one with --key")
    );
    let absent = desk.run("nobody", &["request", "--role", "prod", "--reason", "x"]);
    assert!(stderr(&absent).contains("error: there is no SSH key"), "{}", stderr(&absent));
    desk.join("mallory", "mallory", "ed25519");
    let signers = std::fs::read_to_string(desk.world.home().join("signers")).unwrap();
    let limited = signers.replace(
        "mallory@example.com ",
        "mallory@example.com namespaces=\"bg-shell-approval@v1\" ",
    );
    std::fs::write(desk.world.home().join("signers"), limited).unwrap();
    let output = desk.run("mallory", &["request", "--role", "prod", "--reason", "x"]);
    assert!(stderr(&output).contains("mallory may not sign here"), "{}", stderr(&output));
    assert!(stderr(&output).contains("hint: the role's allowed_signers file must list the key"));
}

#[test]
fn a_request_keeps_to_what_its_role_allows() {
    let desk = Desk::with("max_duration = \"30m\"\n");
    for (args, what) in [
        (&["--reason", "x", "--duration", "31m"][..], "can be opened for 30m at most"),
        (&["--reason", "x", "--override"], "cannot be opened without its approvals"),
        (&["--reason", "  "], "a request needs a reason"),
        (&["--reason", &"x".repeat(9_000)], "shorten its reason"),
    ] {
        let output = desk.run("alice", &[&["request", "--role", "prod"], args].concat());
        assert_eq!(output.status.code(), Some(125));
        assert!(stderr(&output).contains(what), "{}", stderr(&output));
    }
    let output = desk.run("alice", &["request", "--role", "prid", "--reason", "x"]);
    assert!(stderr(&output).contains("configured are: prod"), "{}", stderr(&output));
}

#[test]
fn an_override_needs_no_approvals_where_the_role_allows_it() {
    let desk = Desk::with("quorum = 2\noverride = true\n");
    let id = desk.request_with(&["--override"]);
    let seen = desk.look(&id);
    assert_eq!((&seen["state"], &seen["override"]), (&"APPROVED".into(), &true.into()));
    assert_eq!(desk.state(&desk.request()), "REQUESTED");
}

#[test]
fn a_role_without_quorum_needs_a_signed_request_all_the_same() {
    let desk = Desk::with("quorum = 0\n");
    assert_eq!(desk.state(&desk.request()), "APPROVED");
    let output = desk
        .run("bob", &["request", "--role", "prod", "--reason", "x", "--as", "alice@example.com"]);
    assert!(
        stderr(&output).contains("may not sign for alice@example.com here"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_request_is_void_once_the_role_has_other_terms() {
    let desk = Desk::new();
    let id = desk.request();
    desk.configure("quorum = 1\n");
    let seen = desk.look(&id);
    assert_eq!(seen["state"], "INVALID");
    assert!(seen["why"].as_str().unwrap().contains("not that which it was made under"), "{seen}");
    assert!(stderr(&desk.approve("bob", &id)).contains("make a new request"));
}

#[test]
fn a_request_written_by_hand_gets_no_more_than_the_role_gives() {
    let desk = Desk::with("quorum = 1\nmax_duration = \"30m\"\n");
    let id = desk.request();
    let mut filed: Value =
        serde_json::from_slice(&std::fs::read(desk.fact(&id, "request")).unwrap()).unwrap();
    let bytes = BASE64.decode(filed["request"].as_str().unwrap().as_bytes()).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let created = text.split_once("\"created\":\"").unwrap().1[..27].to_owned();
    for (from, to, void) in [
        ("\"duration_s\":1800", "\"duration_s\":1800", false),
        ("\"duration_s\":1800", "\"duration_s\":1801", true),
        ("\"execution_s\":1800", "\"execution_s\":1801", true),
        ("\"override\":false", "\"override\":true", true),
        ("\"quorum\":1", "\"quorum\":0", true),
        (&created, "2026-01-01T00:00:00.000000Z", true),
        (&created, "2100-01-01T00:00:00.000000Z", true),
    ] {
        let changed = text.replacen(from, to, 1);
        let file = desk.world.home().join("by-hand");
        std::fs::write(&file, &changed).unwrap();
        std::fs::remove_file(desk.world.home().join("by-hand.sig")).unwrap_or(());
        let signature = sign_by_hand(&desk, &desk.key("alice"), "bg-shell-request@v1", &file);
        filed["request"] = BASE64.encode(changed.as_bytes()).into();
        filed["signature"] = std::fs::read_to_string(signature).unwrap().into();
        std::fs::remove_file(desk.fact(&id, "request")).unwrap();
        desk.forge(&id, "request", filed.to_string().as_bytes());
        assert_eq!(desk.state(&id), if void { "INVALID" } else { "REQUESTED" }, "{to}");
    }
}

#[test]
fn an_approver_who_was_removed_does_not_count() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    assert!(desk.approve("bob", &id).status.success());
    let file = desk.world.home().join("signers");
    let signers = std::fs::read_to_string(&file).unwrap();
    let others: Vec<&str> = signers.lines().filter(|line| !line.starts_with("bob")).collect();
    std::fs::write(&file, others.join("\n")).unwrap();
    let seen = desk.look(&id);
    assert_eq!(seen["state"], "REQUESTED");
    assert!(
        seen["ignored"].to_string().contains("is not in allowed_signers for bob@example.com"),
        "{seen}"
    );
    std::fs::write(&file, "bob@example.com namespaces=x ssh-ed25519 AAAA\n").unwrap();
    assert!(desk.look(&id)["why"].as_str().unwrap().contains("line 1"));
}

#[test]
fn facts_that_are_none_are_told_and_never_counted() {
    let desk = Desk::new();
    let id = desk.request();
    for name in [
        "approvals/bob@example.com",
        "denials/carol@example.com",
        "cancel",
        "approvals/..x",
        "note",
    ] {
        desk.forge(&id, name, b"{\"statement\":\"AAAA\",\"signature\":\"none\"}");
    }
    let seen = desk.look(&id);
    assert_eq!(
        (&seen["state"], seen["ignored"].as_array().unwrap().len()),
        (&"REQUESTED".into(), 5),
        "{seen}"
    );
    let shown =
        String::from_utf8(desk.shell().args(["requests", &id]).output().unwrap().stdout).unwrap();
    assert!(
        shown.starts_with(&format!("REQUESTED {id}\n"))
            && shown.matches("  ignored  ").count() == 5,
        "{shown}"
    );
}

#[test]
fn the_list_has_what_is_open_and_all_of_it_when_asked() {
    let desk = Desk::with("quorum = 1\n");
    let one = desk.request();
    let two = desk.request();
    assert!(desk.run("bob", &["deny", &one, "--yes"]).status.success());
    let list = |args: &[&str]| {
        let output = desk.shell().arg("requests").args(args).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(list(&[]).contains(&two) && !list(&[]).contains(&one));
    assert!(list(&["--all"]).contains(&one));
    let lines: Vec<Value> = list(&["--all", "--json"])
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines.iter().map(|line| line["state"].as_str().unwrap()).collect::<Vec<_>>(),
        ["DENIED", "REQUESTED"]
    );
    let common = &one[..4];
    let output = desk.shell().args(["approve", common, "--yes"]).output().unwrap();
    assert!(stderr(&output).contains("more than one request begins with"), "{}", stderr(&output));
}

#[test]
fn the_list_says_whose_turn_it_is_and_how_old_a_request_is() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    let list = |key: &str| {
        let output = desk.run(key, &["requests", "--all"]);
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    let (bobs, head) = list("bob");
    assert!(head.starts_with("REQUEST ") && head.contains("AGE"), "{head}");
    assert!(bobs.contains("waits for you") && !list("alice").0.contains("waits for you"), "{bobs}");
    assert!(desk.approve("bob", &id).status.success());
    assert!(!list("bob").0.contains("waits for you"), "bob has decided");
    assert!(list("alice").0.contains("yours to open"), "{:?}", list("alice"));
    let session = "01a2072d-0000-7000-8000-000000000000";
    let claim = format!(
        "bg-shell.dev/fact/v1\n{{\"session\":\"{session}\",\"fact\":\"claim\",\"at\":\"2026-11-23T10:00:00.000000Z\",\"by\":\"a@h\"}}\n\n"
    );
    desk.forge(&id, "claim", claim.as_bytes());
    let seen = list("bob").0;
    assert!(!seen.contains("CLAIMED") || seen.contains(&format!("session {session}")), "{seen}");
}

#[test]
fn what_lies_beside_a_request_is_not_read_and_not_listed_line_by_line() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    for n in 0..40 {
        desk.forge(&id, &format!("approvals/nobody-{n}"), b"junk");
    }
    // Names that cannot count are no files to be opened: a directory in a file's place would be an error.
    std::fs::create_dir_all(desk.fact(&id, "denials/mallory")).unwrap();
    let seen = desk.look(&id);
    let ignored: Vec<&str> =
        seen["ignored"].as_array().unwrap().iter().map(|what| what.as_str().unwrap()).collect();
    assert!(ignored.len() <= 9, "{ignored:?}");
    assert!(ignored.last().unwrap().ends_with("more objects that are no fact of a request"));
    assert!(desk.approve("bob", &id).status.success());
    assert_eq!(desk.state(&id), "APPROVED");
    // Requests that are none, and ids of the future.
    for n in 0..30 {
        let id = format!("01a2072d-0000-7000-8000-0000000000{n:02}");
        desk.forge(&id, "request", b"junk");
        desk.forge(&format!("ffffffff-ffff-7000-8000-0000000000{n:02}"), "request", b"junk");
    }
    let output = desk.shell().arg("requests").output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    assert!(listed.contains(&id) && listed.lines().count() <= 11, "{listed}");
    let last = desk.look("last");
    assert_eq!(last["id"], id.as_str(), "an id of the future is not the last one");
}

#[test]
fn an_approver_can_read_the_policy_that_a_session_gets() {
    let desk = Desk::new();
    let policy = "{\"Version\": \"2012-10-17\", \"Statement\": []}";
    let file = desk.world.home().join("policy.json");
    std::fs::write(&file, policy).unwrap();
    let shown = |id: &str| {
        let output = desk.shell().args(["requests", id, "--policy"]).output().unwrap();
        (String::from_utf8(output.stdout.clone()).unwrap(), stderr(&output))
    };
    let without = desk.request();
    assert!(shown(&without).1.contains("has no session policy"), "{:?}", shown(&without));
    desk.configure(&format!("quorum = 2\nsession_policy = {:?}\n", file.display().to_string()));
    let id = desk.request();
    assert_eq!(shown(&id).0.trim_end(), policy);
}

#[test]
fn an_answer_that_is_neither_yes_nor_no_is_asked_for_again() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    let mut approve = desk.shell();
    approve.args(["approve", &id, "--key"]).arg(desk.key("bob"));
    let mut driver = Driver::spawn(approve);
    driver.wait_for("[yes/no] ");
    driver.send("y\r");
    driver.wait_for("yes, in full, or no: ");
    driver.send("yes\r");
    assert_eq!(driver.wait(), 0);
    assert_eq!(desk.state(&id), "APPROVED");
    let other = desk.request();
    let mut deny = desk.shell();
    deny.args(["deny", &other, "--key"]).arg(desk.key("bob"));
    let mut driver = Driver::spawn(deny);
    driver.wait_for("[yes/no] ");
    driver.send("no\r");
    assert_eq!(driver.wait(), 125);
    assert_eq!(desk.state(&other), "REQUESTED");
}

#[test]
fn an_approver_takes_an_approval_back_and_says_why() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    assert!(desk.approve("bob", &id).status.success());
    let again = desk.approve("bob", &id);
    assert!(stderr(&again).contains("takes an approval back"), "{}", stderr(&again));
    let denied = desk.run("bob", &["deny", &id, "--yes", "--reason", "wrong host"]);
    assert!(denied.status.success(), "{}", stderr(&denied));
    let seen = desk.look(&id);
    assert_eq!(seen["state"], "DENIED");
    assert_eq!(
        seen["reasons"],
        serde_json::json!([{"person": "bob@example.com", "reason": "wrong host"}])
    );
    let open = desk.run("alice", &["open", "--request", &id]);
    assert!(
        stderr(&open).contains("is denied by bob@example.com: wrong host"),
        "{}",
        stderr(&open)
    );
}

#[test]
fn nobody_is_asked_again_for_what_is_approved_already() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    assert!(desk.approve("bob", &id).status.success());
    let output = desk.run("alice", &["open", "--role", "prod", "--reason", "again"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains(&format!("bg-shell open --request {id}")), "{said}");
    let listed = desk.shell().args(["requests", "--all", "--json"]).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 1);
}

#[test]
fn a_passphrase_is_asked_for_once_a_signature_and_the_key_is_named_before() {
    let desk = Desk::new();
    let locked = desk.key("locked");
    std::fs::copy(desk.key("alice"), &locked).unwrap();
    let mut keygen = desk.world.command("ssh-keygen");
    keygen.args(["-q", "-p", "-P", "", "-N", "secret", "-f"]).arg(&locked);
    assert!(keygen.output().unwrap().status.success());
    let asked = desk.world.home().join("asked");
    let ask = desk.world.home().join("ask");
    let script = format!("#!/bin/sh\necho asked >>{}\necho secret\n", asked.display());
    std::fs::write(&ask, script).unwrap();
    std::fs::set_permissions(&ask, Permissions::from_mode(0o755)).unwrap();
    let mut shell = desk.shell();
    shell.args(["request", "--role", "prod", "--reason", "x", "--key"]).arg(&locked);
    let output = shell.env("SSH_ASKPASS", ask).env("SSH_ASKPASS_REQUIRE", "force").output();
    let said = stderr(&output.unwrap());
    assert!(said.contains("is filed"), "{said}");
    assert!(
        said.contains(&format!("alice@example.com signs with {} (SHA256:", locked.display())),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(asked).unwrap(), "asked\n");
}

#[test]
fn who_asks_is_told_who_may_approve_and_who_has_heard_of_it() {
    let desk = Desk::new();
    let asked = desk.run("alice", &["request", "--role", "prod", "--reason", "x"]);
    let said = stderr(&asked);
    assert!(
        said.contains("who may approve: bob@example.com, carol@example.com")
            && said.contains("nobody is notified here"),
        "{said}"
    );
    let hook = Hook::start(Manner::Answers(200));
    let file = desk.world.home().join("config.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let notify = format!("[[notify.webhooks]]\nurl = {:?}\n", hook.url());
    std::fs::write(&file, format!("{config}{notify}")).unwrap();
    let args = ["request", "--role", "prod", "--reason", "x", "--max-duration", "15m"];
    let asked = desk.run("alice", &args);
    assert!(stderr(&asked).contains("bg-shell: told: 127.0.0.1"), "{}", stderr(&asked));
    let id = String::from_utf8(asked.stdout).unwrap().trim().to_owned();
    assert!(desk.approve("bob", &id).status.success());
    let told: Vec<Value> = hook.wait_for(2).iter().map(Delivery::json).collect();
    let first = told[0]["text"].as_str().unwrap();
    for part in [&*format!("bg-shell approve {id}"), "account: 123456789012", "for: 15m"] {
        assert!(first.contains(part), "{first}");
    }
    let second = told[1]["text"].as_str().unwrap();
    let who = "bob@example.com approved alice@example.com's request for prod (1 of 2)";
    assert!(second.contains(who) && told[1]["decided_by"] == "bob@example.com", "{second}");
}

#[test]
fn bg_shell_alone_names_the_roles_where_there_are_some() {
    let desk = Desk::new();
    let output = desk.shell().output().unwrap();
    let said = stderr(&output);
    assert_eq!((output.status.code(), &*output.stdout), (Some(125), &b""[..]), "{said}");
    assert!(
        said.contains("here are: prod") && said.contains("open --role prod --reason"),
        "{said}"
    );
}

#[test]
fn watching_ends_when_the_request_is_decided() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    let mut shell = desk.shell();
    let mut watch =
        shell.args(["requests", &id, "--watch", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    assert!(desk.approve("bob", &id).status.success());
    until("the watch ends", || watch.try_wait().unwrap().is_some());
    let output = watch.wait_with_output().unwrap();
    let last: Value =
        serde_json::from_str(String::from_utf8(output.stdout).unwrap().lines().last().unwrap())
            .unwrap();
    assert_eq!(last["state"], "APPROVED");
}
