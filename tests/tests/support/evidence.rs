//! A configured evidence directory, and facts in it that a test writes as a broker would.

use std::path::PathBuf;
use std::process::{Command, Output};

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::dir::DirStore;
use bg_recorder::keys::KeyService as _;
use bg_recorder::keys::local::LocalKeys;
use bg_recorder::note::{self, NoteKind};
use bg_recorder::store::ObjectStore as _;
use serde_json::{Value, json};

use super::world::{World, stderr};

/// A world with a configuration.
pub struct Evidence {
    /// The world.
    pub world: World,
}

impl Evidence {
    /// Configures evidence in a directory, and what else `sections` say, where `$HOME` is the world's.
    pub fn new(sections: &str) -> Self {
        let world = World::new();
        let this = Self { world };
        let store = this.dir();
        let state = this.state();
        let sections = sections.replace("$HOME", this.world.home().to_str().unwrap());
        let text = format!("[evidence]\nstore = {store:?}\nstate = {state:?}\n{sections}\n");
        std::fs::write(this.config(), text).unwrap();
        this
    }

    /// Returns the evidence directory.
    pub fn dir(&self) -> PathBuf {
        self.world.home().join("evidence")
    }

    /// Returns the state directory.
    pub fn state(&self) -> PathBuf {
        self.world.home().join("state")
    }

    fn config(&self) -> PathBuf {
        self.world.home().join("config.toml")
    }

    /// Returns `bg-shell` with this configuration.
    pub fn shell(&self, args: &[&str]) -> Command {
        let mut shell = self.world.shell();
        shell.arg("--config").arg(self.config()).args(args);
        shell
    }

    /// Runs it.
    pub fn run(&self, args: &[&str]) -> Output {
        self.shell(args).output().unwrap()
    }

    /// Records a session; returns its id.
    pub fn session(&self, script: &str) -> String {
        let output = self.run(&[
            "open",
            "--reason",
            "disk full",
            "--incident",
            "INC-7",
            "--",
            "sh",
            "-c",
            script,
        ]);
        assert!(output.status.success(), "{}", stderr(&output));
        let said = stderr(&output);
        let id = said.split("session ").nth(1).unwrap().split_whitespace().next().unwrap();
        id.to_owned()
    }

    /// Writes a signed fact.
    pub fn fact(&self, session: &str, fact: &str, mut says: Value) {
        let at = SystemClock.now();
        let members = says.as_object_mut().unwrap();
        for (name, value) in [
            ("session", json!(session)),
            ("fact", json!(fact)),
            ("at", json!(at)),
            ("by", json!("root@test")),
        ] {
            members.insert(name.into(), value);
        }
        let text = note::text(NoteKind::Fact, &says).unwrap();
        let keys = LocalKeys::open_or_create(&self.state().join("keys")).unwrap();
        let signature = keys.sign(&text).unwrap();
        let line = keys.ring().sign.line(&keys.ring().sign_name, signature);
        let bytes = note::assemble(&text, &[line]);
        DirStore::new(self.dir()).put_new(&format!("cases/{session}/{fact}"), &bytes).unwrap();
    }
}
