//! What is told when a role does not open, or opens without its approvals.

use serde_json::Value;

use super::scene::Scene;
use crate::support::hook::{Hook, Manner};
use crate::support::wait::until;
use crate::support::world::stderr;

#[test]
fn a_role_that_aws_refuses_is_told_in_a_line_and_leaves_nothing_open() {
    let scene = Scene::without_mfa();
    // This one trusts nobody until its gate is open.
    let closed = scene.site.role("trust").to_owned();
    scene.site.configure(|text| text.replace(scene.site.role("drill"), &closed));
    let output = scene.run("echo here");
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    assert_eq!(output.stdout, b"");
    let said = stderr(&output);
    let error = said.lines().find(|line| line.contains("error:")).unwrap();
    assert!(
        error.contains("sts:AssumeRole: AccessDenied") && error.contains("request id"),
        "{said}"
    );
    assert!(said.contains("bg-shell: hint: "), "{said}");
    let tape = scene.tape();
    assert_eq!(tape.verdict(), "intact");
    let seal = &tape.note("seal")["about"];
    assert_eq!((&seal["ended"], &seal["exit"]), (&"no-access".into(), &125.into()));
    assert_eq!(
        (&seal["issued"], &seal["revocation"]["state"]),
        (&0.into(), &"none".into()),
        "{seal}"
    );
    assert_eq!(scene.fact("close/proved")["state"], "none");
}

#[test]
fn an_override_is_told_although_the_role_then_does_not_open() {
    let scene = Scene::without_mfa();
    let closed = scene.site.role("trust").to_owned();
    scene.site.configure(|text| text.replace(scene.site.role("drill"), &closed));
    let mut shell = scene.site.shell();
    shell.args(["open", "--role", "spot", "--reason", "a test", "--override", "--key"]);
    let output = shell.arg(scene.site.sandbox.key("alice")).args(["--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    let mut events = Vec::new();
    until("the override is told", || {
        let published = scene.site.published().into_iter();
        let message =
            |wrap: Value| serde_json::from_str::<Value>(wrap["Message"].as_str().unwrap()).unwrap();
        events.extend(published.map(message).map(|message| message["event"].clone()));
        events.contains(&"overridden".into())
    });
    assert!(!events.contains(&"opened".into()), "{events:?}");
}

#[test]
fn an_override_that_needs_its_alarm_opens_only_once_somebody_has_it() {
    let scene = Scene::without_mfa();
    let hook = Hook::start(Manner::Silent);
    scene.site.configure(|text| {
        let text = text.replace(
            "override = true\nmfa",
            "override = true\noverride_needs_delivery = true\nmfa",
        );
        let silent = text.lines().filter(|line| !line.starts_with("topic = "));
        let silent: Vec<&str> = silent.collect();
        format!("{}\n[[notify.webhooks]]\nurl = {:?}\n", silent.join("\n"), hook.url())
    });
    let open = || {
        let mut shell = scene.site.shell();
        shell.args(["open", "--role", "spot", "--reason", "a test", "--override", "--key"]);
        shell.arg(scene.site.sandbox.key("alice")).args(["--", "true"]).output().unwrap()
    };
    let refused = open();
    assert_eq!(refused.status.code(), Some(125), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("nobody took the alarm"), "{}", stderr(&refused));
    hook.change(Manner::Answers(200));
    let opened = open();
    let said = stderr(&opened);
    assert!(opened.status.success() && said.contains("127.0.0.1 was told"), "{said}");
    // The facts say that it was heard; without that fact anybody's reconcile tells it again.
    let case = scene.place.join("evidence/cases").join(scene.tape().id());
    let heard = case.join("heard");
    assert!(heard.exists(), "{heard:?}");
    let reconcile = || stderr(&scene.site.shell().arg("reconcile").output().unwrap());
    assert!(!reconcile().contains("WITHOUT ITS APPROVALS"));
    std::fs::remove_file(heard).unwrap();
    assert!(reconcile().contains("told again"));
}
