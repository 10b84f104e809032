//! A role with people who may ask for it and approve, each with an SSH key of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::world::{World, stderr};

/// A world with one role, `prod`, whose evidence is in a directory.
pub struct Desk {
    /// The world.
    pub world: World,
}

impl Desk {
    /// Alice, Bob and Carol may sign; two must approve.
    pub fn new() -> Self {
        Self::with("quorum = 2\n")
    }

    /// Likewise, with the role's own terms.
    pub fn with(terms: &str) -> Self {
        let desk = Self { world: World::new() };
        for person in ["alice", "bob", "carol"] {
            desk.join(person, person, "ed25519");
        }
        desk.configure(terms);
        desk
    }

    /// Writes the configuration.
    pub fn configure(&self, terms: &str) {
        let home = self.world.home().display();
        let text = format!(
            "[evidence]\nstore = \"{home}/store\"\n[roles.prod]\narn = \"arn:aws:iam::123456789012:role/bg-prod\"\n\
             allowed_signers = \"{home}/signers\"\n{terms}\n[roles.prod.mfa]\nmode = \"none\"\n"
        );
        std::fs::write(self.world.home().join("config.toml"), text).unwrap();
    }

    /// Makes a key of that name and lists it for a person.
    pub fn join(&self, person: &str, name: &str, kind: &str) {
        let made = self
            .world
            .command("ssh-keygen")
            .args(["-q", "-N", "", "-C", name, "-t", kind, "-f"])
            .arg(self.key(name))
            .output();
        assert!(made.unwrap().status.success());
        let public = std::fs::read_to_string(self.public(name)).unwrap();
        self.list(&format!("{person}@example.com {public}"));
    }

    /// Appends a line to allowed_signers.
    pub fn list(&self, line: &str) {
        let file = self.world.home().join("signers");
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(file, format!("{text}{}\n", line.trim_end())).unwrap();
    }

    /// Returns a private key's file.
    pub fn key(&self, name: &str) -> PathBuf {
        self.world.home().join(name)
    }

    /// Returns a public key's file.
    pub fn public(&self, name: &str) -> PathBuf {
        self.world.home().join(format!("{name}.pub"))
    }

    /// Returns `bg-shell` with the configuration.
    pub fn shell(&self) -> Command {
        let mut shell = self.world.shell();
        shell.env("BG_SHELL_CONFIG", self.world.home().join("config.toml"));
        shell
    }

    /// Runs bg-shell with somebody's key.
    pub fn run(&self, key: &str, args: &[&str]) -> Output {
        self.shell().args(args).arg("--key").arg(self.key(key)).output().unwrap()
    }

    /// Alice asks; returns the request's id.
    pub fn request(&self) -> String {
        self.request_with(&[])
    }

    /// Alice asks, with further arguments.
    pub fn request_with(&self, args: &[&str]) -> String {
        let given =
            [&["request", "--role", "prod", "--reason", "disk full on db-3"], args].concat();
        let output = self.run("alice", &given);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Approves with a key.
    pub fn approve(&self, key: &str, id: &str) -> Output {
        self.run(key, &["approve", id, "--yes"])
    }

    /// Returns what `requests ID --json` says.
    pub fn look(&self, id: &str) -> Value {
        let output = self.shell().args(["requests", id, "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    }

    /// Returns the state.
    pub fn state(&self, id: &str) -> String {
        self.look(id)["state"].as_str().unwrap().to_owned()
    }

    /// Returns the place of a fact.
    pub fn fact(&self, id: &str, name: &str) -> PathBuf {
        self.world.home().join("store/requests").join(id).join(name)
    }

    /// Puts a fact there by hand.
    pub fn forge(&self, id: &str, name: &str, bytes: &[u8]) {
        let path = self.fact(id, name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Runs ssh-keygen on a file in the way that people do by hand; the signature is beside it.
pub fn sign_by_hand(desk: &Desk, key: &Path, namespace: &str, file: &Path) -> PathBuf {
    let signed = desk
        .world
        .command("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
        .arg(key)
        .arg(file)
        .output();
    assert!(signed.as_ref().unwrap().status.success(), "{signed:?}");
    PathBuf::from(format!("{}.sig", file.display()))
}
