//! Who may open a role: requests, approvals, denials, and what does not count.

use bg_recorder::approval::APPROVAL_NAMESPACE;
use bg_recorder::approval::request::Request;
use bg_recorder::approval::statement::Statement;
use bg_recorder::chain::Digest;
use bg_tests::people::Key;
use bg_tests::plea::Vote;
use data_encoding::BASE64;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::desk::{Desk, sign_by_hand};
use crate::support::driver::Driver;
use crate::support::wait::until;
use crate::support::world::stderr;

#[test]
fn two_people_approve_a_request() {
    let desk = Desk::new();
    let id = desk.request_with(&["--incident", "INC-7", "--duration", "30m"]);
    assert_eq!(desk.state(&id), "REQUESTED");
    assert!(desk.approve("bob", &id).status.success());
    assert_eq!(desk.state(&id), "REQUESTED");
    let output = desk.approve("carol", &id[..13]);
    assert!(
        stderr(&output).contains(&format!("2 of 2 approvals: APPROVED {id}")),
        "{}",
        stderr(&output)
    );
    let seen = desk.look(&id);
    let expected = json!({"id": id, "state": "APPROVED", "role": "prod", "requester": "alice@example.com", "quorum": 2,
        "role_arn": "arn:aws:iam::123456789012:role/bg-prod", "reason": "disk full on db-3", "incident": "INC-7",
        "duration_s": 1_800, "override": false, "denials": [], "ignored": [], "claim": null});
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&seen[name], value, "{name}");
    }
    let people: Vec<&str> = seen["approvals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|a| a["person"].as_str().unwrap())
        .collect();
    assert_eq!(people, ["bob@example.com", "carol@example.com"]);
    assert!(seen["left_s"].as_u64().unwrap() <= 1_800);
}

#[test]
fn one_person_with_three_keys_is_one_person() {
    let desk = Desk::new();
    desk.join("bob", "bob2", "ecdsa");
    desk.join("bob", "bob3", "ed25519");
    let id = desk.request();
    assert!(desk.approve("bob", &id).status.success());
    for key in ["bob2", "bob3"] {
        let output = desk.approve(key, &id);
        assert!(
            stderr(&output).contains("bob@example.com has decided already"),
            "{}",
            stderr(&output)
        );
    }
    // Nor do facts count that were put there behind the broker's back.
    let first: Value = serde_json::from_slice(
        &std::fs::read(desk.fact(&id, "approvals/bob@example.com")).unwrap(),
    )
    .unwrap();
    desk.forge(&id, "approvals/carol@example.com", first.to_string().as_bytes());
    let seen = desk.look(&id);
    assert_eq!(
        (&seen["state"], seen["approvals"].as_array().unwrap().len()),
        (&"REQUESTED".into(), 1)
    );
    assert!(seen["ignored"][0].as_str().unwrap().contains("another person's"), "{seen}");
}

#[test]
fn a_key_under_two_names_counts_once() {
    let desk = Desk::new();
    let public = std::fs::read_to_string(desk.public("bob")).unwrap();
    desk.list(&format!("robert@example.com {public}"));
    let id = desk.request();
    let as_bob = desk.run("bob", &["approve", &id, "--yes", "--as", "bob@example.com"]);
    assert!(as_bob.status.success(), "{}", stderr(&as_bob));
    let output = desk.run("bob", &["approve", &id, "--yes", "--as", "robert@example.com"]);
    assert!(stderr(&output).contains("count as one"), "{}", stderr(&output));
    assert!(stderr(&desk.approve("bob", &id)).contains("say who is meant with --as"));
}

#[test]
fn nobody_approves_their_own_request() {
    let desk = Desk::new();
    let id = desk.request();
    let output = desk.approve("alice", &id);
    assert!(
        stderr(&output).contains("alice@example.com asked, so cannot decide"),
        "{}",
        stderr(&output)
    );
    let public = std::fs::read_to_string(desk.public("alice")).unwrap();
    desk.list(&format!("alicia@example.com {public}"));
    let output = desk.run("alice", &["approve", &id, "--yes", "--as", "alicia@example.com"]);
    assert!(stderr(&output).contains("count as one"), "{}", stderr(&output));
}

#[test]
fn a_changed_byte_voids_a_request_and_its_approvals() {
    let desk = Desk::new();
    let id = desk.request();
    assert!(
        desk.approve("bob", &id).status.success() && desk.approve("carol", &id).status.success()
    );
    let file = desk.fact(&id, "request");
    let mut filed: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let bytes = BASE64.decode(filed["request"].as_str().unwrap().as_bytes()).unwrap();
    let changed = String::from_utf8(bytes.clone()).unwrap().replace("db-3", "db-4");
    filed["request"] = BASE64.encode(changed.as_bytes()).into();
    std::fs::remove_file(&file).unwrap();
    desk.forge(&id, "request", filed.to_string().as_bytes());
    assert_eq!(desk.state(&id), "INVALID");
    // Signed again by the requester it is a request, but not the one that was approved.
    filed["signature"] = sign(&desk, "alice", "bg-shell-request@v1", changed.as_bytes()).into();
    desk.forge(&id, "request", filed.to_string().as_bytes());
    let seen = desk.look(&id);
    assert_eq!((&seen["state"], &seen["approvals"]), (&"REQUESTED".into(), &json!([])));
    assert!(seen["ignored"].to_string().contains("signed another request's bytes"), "{seen}");
    assert_ne!(Digest::of(&bytes), Digest::of(changed.as_bytes()));
}

#[test]
fn the_first_denial_ends_a_request() {
    let desk = Desk::new();
    let id = desk.request();
    assert!(desk.approve("bob", &id).status.success());
    let output = desk.run("carol", &["deny", &id, "--yes"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(desk.look(&id)["denials"][0]["person"], "carol@example.com");
    assert_eq!(desk.state(&id), "DENIED");
    let output = desk.approve("carol", &id);
    assert!(stderr(&output).contains(&format!("request {id} is denied")), "{}", stderr(&output));
}

#[test]
fn a_second_decision_is_refused() {
    let desk = Desk::new();
    let id = desk.request();
    assert!(desk.approve("bob", &id).status.success());
    let output = desk.approve("bob", &id);
    assert!(stderr(&output).contains("bob@example.com has decided already"), "{}", stderr(&output));
    assert_eq!(desk.state(&id), "REQUESTED");
    // Only taking it back is left, and that ends the request.
    assert!(desk.run("bob", &["deny", &id, "--yes"]).status.success());
    for again in ["approve", "deny"] {
        let output = desk.run("bob", &[again, &id, "--yes"]);
        assert!(stderr(&output).contains("is denied"), "{}", stderr(&output));
    }
}

#[test]
fn only_who_asked_withdraws() {
    let desk = Desk::new();
    let id = desk.request();
    assert_eq!(desk.run("bob", &["cancel", &id]).status.code(), Some(125));
    let output = desk.run("bob", &["cancel", &id, "--as", "bob@example.com"]);
    assert!(stderr(&output).contains("only alice@example.com can withdraw"), "{}", stderr(&output));
    assert_eq!(desk.state(&id), "REQUESTED");
    assert!(desk.run("alice", &["cancel", &id]).status.success());
    assert_eq!(desk.state(&id), "CANCELLED");
}

#[test]
fn a_request_expires_before_and_after_its_approval() {
    let desk = Desk::with("quorum = 1\napproval_expires = \"2s\"\n");
    let id = desk.request();
    until("the request expires", || desk.state(&id) == "EXPIRED");
    assert!(stderr(&desk.approve("bob", &id)).contains("is expired"));
    let desk = Desk::with("quorum = 1\nexecution_expires = \"2s\"\n");
    let id = desk.request();
    assert!(desk.approve("bob", &id).status.success());
    until("the approved request expires", || desk.state(&id) == "EXPIRED");
}

#[test]
fn a_signature_made_by_hand_counts() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    let printed =
        desk.shell().args(["approve", &id, "--print", "--as", "bob@example.com"]).output().unwrap();
    assert!(printed.status.success(), "{}", stderr(&printed));
    let file = desk.world.home().join("statement");
    std::fs::write(&file, &printed.stdout).unwrap();
    let signature = sign_by_hand(&desk, &desk.key("bob"), APPROVAL_NAMESPACE, &file);
    let hand_in = |signature: &std::path::Path| {
        let mut shell = desk.shell();
        shell
            .args(["approve", &id, "--statement"])
            .arg(&file)
            .arg("--signature")
            .arg(signature)
            .output()
            .unwrap()
    };
    let stranger = desk.world.home().join("stranger");
    std::fs::write(&stranger, sign(&desk, "carol", APPROVAL_NAMESPACE, &printed.stdout)).unwrap();
    let refused = hand_in(&stranger);
    assert!(
        stderr(&refused).contains("is not in allowed_signers for bob@example.com"),
        "{}",
        stderr(&refused)
    );
    let output = hand_in(&signature);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(desk.state(&id), "APPROVED");
}

#[test]
fn a_key_of_the_agent_signs() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    let socket = desk.world.home().join("agent");
    let mut agent = desk.world.command("ssh-agent");
    let mut agent =
        agent.arg("-D").arg("-a").arg(&socket).stdout(std::process::Stdio::null()).spawn().unwrap();
    until("the agent listens", || socket.exists());
    let added = desk
        .world
        .command("ssh-add")
        .env("SSH_AUTH_SOCK", &socket)
        .arg("-q")
        .arg(desk.key("bob"))
        .output();
    assert!(added.unwrap().status.success());
    for file in [desk.key("bob"), desk.public("bob")] {
        std::fs::remove_file(file).unwrap();
    }
    let output = desk
        .shell()
        .env("SSH_AUTH_SOCK", &socket)
        .args(["approve", &id, "--yes"])
        .output()
        .unwrap();
    crate::support::process::signal(agent.id(), Signal::KILL);
    agent.wait().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(desk.state(&id), "APPROVED");
    let left =
        std::fs::read_dir(desk.world.state()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with("signer-")));
}

#[test]
fn an_authenticator_that_nobody_touched_approves_nothing() {
    for (key, fits) in [
        (Key::SkEd25519(5, 0), false),
        (Key::SkP256(6, 4), false),
        (Key::SkEd25519(5, 1), true),
        (Key::SkP256(6, 5), true),
    ] {
        let desk = Desk::with("quorum = 1\n");
        desk.list(&format!("erin@example.com {}", key.line()));
        let id = desk.request();
        let request = request(&desk, &id);
        let statement = Statement {
            request: request.0.id,
            request_sha256: request.1,
            made: request.0.created,
            expires: request.0.expires,
            ..Vote::of("erin", key).statement
        };
        let bytes = statement.write().unwrap();
        let fact = json!({"statement": BASE64.encode(&bytes), "signature": key.sign(APPROVAL_NAMESPACE, &bytes)});
        desk.forge(&id, "approvals/erin@example.com", fact.to_string().as_bytes());
        let seen = desk.look(&id);
        assert_eq!(seen["state"], if fits { "APPROVED" } else { "REQUESTED" }, "{key:?}: {seen}");
        assert_eq!(seen["ignored"].to_string().contains("made without touch"), !fits, "{seen}");
    }
}

#[test]
fn what_hides_in_a_reason_is_shown_to_the_approver() {
    let desk = Desk::with("quorum = 1\n");
    let reason = "harmless\u{202e}lufmrah\u{1b}[2J\r\nrole       prod\u{200b}";
    let id = desk.request_with(&["--incident", "INC\u{2066}7"]);
    let output = desk.run("alice", &["request", "--role", "prod", "--reason", reason]);
    let hidden = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let shown = stderr(&desk.approve("bob", &hidden));
    assert!(
        shown.contains("harmless\\u{202e}lufmrah\\x1b[2J\\r\\nrole       prod\\u{200b}"),
        "{shown}"
    );
    assert!(shown.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
    let shown = stderr(&desk.approve("bob", &id));
    assert!(
        shown.contains("INC\\u{2066}7") && shown.contains(&request(&desk, &id).1.to_string()),
        "{shown}"
    );
    let listed = desk.shell().args(["requests", "--all"]).output().unwrap();
    assert!(!String::from_utf8(listed.stdout).unwrap().contains('\u{202e}'));
}

#[test]
fn an_approver_is_asked_at_the_terminal() {
    let desk = Desk::with("quorum = 1\n");
    let id = desk.request();
    let output = desk.run("bob", &["approve", &id]);
    assert!(stderr(&output).contains("no terminal to ask on"), "{}", stderr(&output));
    let answers = [("y\rY\rsure\r", "REQUESTED"), ("no\r", "REQUESTED"), ("yes\r", "APPROVED")];
    for (answer, state) in answers {
        let mut shell = desk.shell();
        shell.args(["approve", &id, "--key"]).arg(desk.key("bob"));
        let mut driver = Driver::spawn(shell);
        driver.wait_for("disk full on db-3");
        driver.wait_for("Approve this as bob@example.com? [yes/no]");
        driver.send(answer);
        assert_eq!(driver.wait(), if state == "APPROVED" { 0 } else { 125 });
        assert_eq!(desk.state(&id), state, "{answer:?}");
    }
}

/// Signs as ssh-keygen does by hand.
fn sign(desk: &Desk, key: &str, namespace: &str, bytes: &[u8]) -> String {
    let file = desk.world.home().join(format!("signed-by-{key}"));
    std::fs::write(&file, bytes).unwrap();
    std::fs::remove_file(format!("{}.sig", file.display())).unwrap_or(());
    std::fs::read_to_string(sign_by_hand(desk, &desk.key(key), namespace, &file)).unwrap()
}

fn request(desk: &Desk, id: &str) -> (Request, Digest) {
    let filed: Value =
        serde_json::from_slice(&std::fs::read(desk.fact(id, "request")).unwrap()).unwrap();
    let bytes = BASE64.decode(filed["request"].as_str().unwrap().as_bytes()).unwrap();
    (Request::parse(&bytes).unwrap(), Digest::of(&bytes))
}
