//! One approval and one code are good in one evidence store, whoever can copy what stands in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::scene::Scene;
use crate::support::driver::Driver;
use crate::support::world::{below, stderr};

/// A scene, and the configuration of somebody who names another store.
struct Two {
    scene: Scene,
    other: PathBuf,
}

impl Two {
    fn of(scene: Scene) -> Self {
        let place = scene.place.display().to_string();
        let text = fs::read_to_string(scene.site.config()).unwrap();
        let elsewhere = format!("{place}-2");
        let (own, foreign) = (format!("{place}/evidence"), format!("{elsewhere}/evidence"));
        let state = format!("state = \"{place}\"");
        assert!(text.contains(&own) && text.contains(&state), "{text}");
        let text =
            text.replace(&own, &foreign).replace(&state, &format!("state = \"{elsewhere}\""));
        let other = scene.site.world.home().join("other.toml");
        fs::create_dir_all(&elsewhere).unwrap();
        // The same host: its keys are in the state directory here.
        fs::write(&other, text).unwrap();
        Self { scene, other }
    }

    fn elsewhere(&self) -> PathBuf {
        PathBuf::from(format!("{}-2", self.scene.place.display()))
    }

    fn shell(&self) -> Command {
        self.scene.site.shell()
    }

    /// Opens the role in the other store.
    fn in_the_other(&self, mut open: Command) -> Command {
        open.env("BG_SHELL_CONFIG", &self.other);
        open
    }

    /// Whoever can write to the store can copy all that was asked for and approved.
    fn copy(&self) {
        copy(
            &self.scene.place.join("evidence/requests"),
            &self.elsewhere().join("evidence/requests"),
        );
        copy(&self.scene.place.join("keys"), &self.elsewhere().join("keys"));
    }

    fn opened_elsewhere(&self) -> usize {
        below(&self.elsewhere().join("evidence/sessions"), 4).len()
    }
}

#[test]
fn one_approval_opens_no_session_in_a_second_store() {
    let scene = Scene::without_mfa();
    scene.site.configure(|text| text.replace("quorum = 0\noverride = true", "quorum = 1"));
    let two = Two::of(scene);
    let by = |person: &str, args: &[&str]| {
        let key = two.scene.site.sandbox.key(person);
        let output = two.shell().args(args).arg("--key").arg(key).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let request = by("alice", &["request", "--role", "spot", "--reason", "a test"]);
    by("bob", &["approve", &request, "--yes"]);
    two.copy();
    let open = || {
        let mut shell = two.shell();
        shell
            .args(["open", "--request", &request, "--key"])
            .arg(two.scene.site.sandbox.key("alice"));
        shell.args(["--", "sh", "-c", "echo here"]);
        shell
    };
    let refused = |said: &str| {
        assert!(said.contains(&format!("request {request} is void")), "{said}");
        assert!(said.contains("or its evidence store, is not that"), "{said}");
        assert_eq!(two.opened_elsewhere(), 0, "{said}");
    };
    refused(&stderr(&two.in_the_other(open()).output().unwrap()));
    let opened = open().output().unwrap();
    assert_eq!(opened.status.code(), Some(0), "{}", stderr(&opened));
    refused(&stderr(&two.in_the_other(open()).output().unwrap()));
}

#[test]
fn one_code_opens_no_session_in_a_second_store() {
    let two = Two::of(Scene::at_the_broker());
    let code = two.scene.site.sandbox.code("alice");
    let mut first = Driver::spawn(two.scene.open("echo here"));
    first.wait_for("MFA code of ");
    first.send(format!("{code}\r"));
    first.wait_for("here");
    assert_eq!(first.wait(), 0, "{}", first.screen());
    two.copy();
    let mut second = Driver::spawn(two.in_the_other(two.scene.open("echo there")));
    second.wait_for("MFA code of ");
    second.send(format!("{code}\r"));
    second.wait_for("was used already");
    second.send("\x03");
    assert_eq!(second.wait(), 125, "{}", second.screen());
    assert_eq!(two.opened_elsewhere(), 0);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).into_iter().flatten().map(|entry| entry.unwrap()) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}
