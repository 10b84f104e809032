//! The template of deploy/, deployed into the sandbox, with a configuration that names what it made.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::sandbox::{Refused, Sandbox};
use super::world::World;

/// A deployed stack, in an account of its own that is reached by TLS: its policies demand that.
pub struct Stack {
    /// Where it was deployed.
    pub sandbox: &'static Sandbox,
    /// Its outputs, and the names of what it made.
    pub made: Value,
    /// Home.
    pub world: World,
}

impl Stack {
    /// Deploys the template with everything called after `name`.
    pub fn deploy(name: &str) -> Self {
        Self::with(&json!({ "stack": name, "lock": true }))
    }

    /// Deploys it and leaves the bucket without its lock, as ministack's CloudFormation does.
    pub fn deploy_without_lock(name: &str) -> Self {
        Self::with(&json!({ "stack": name, "lock": false }))
    }

    fn with(what: &Value) -> Self {
        let sandbox = Sandbox::shared();
        let made = sandbox.ask(what).unwrap();
        Self { sandbox, made, world: World::new() }
    }

    /// Returns `bg-shell` with the stack's configuration.
    pub fn shell(&self) -> Command {
        let mut command = self.world.shell();
        self.sandbox.reach(&mut command);
        command
            .env("BG_SHELL_CONFIG", self.file("config.toml"))
            .env("AWS_CONFIG_FILE", self.file("aws-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.file("credentials"));
        command
    }

    /// Returns what an output, or a part, is called.
    pub fn of(&self, what: &str) -> &str {
        self.made[what].as_str().unwrap_or_else(|| panic!("{what} is none of {}", self.made))
    }

    /// Returns a file of its configuration.
    pub fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(self.of("dir")).join(name)
    }

    /// Changes the configuration.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.file("config.toml")).unwrap();
        std::fs::write(self.file("config.toml"), change(text)).unwrap();
    }

    /// Lifts from the trust policy what ministack cannot know: the second factor and the source identity.
    pub fn relax(&self) {
        self.sandbox.ask(&json!({ "relax": self.made })).unwrap();
    }

    /// Calls AWS as `broker`, `activator` or `revoker`.
    pub fn call_as(
        &self,
        who: &str,
        service: &str,
        call: &str,
        with: Value,
    ) -> Result<Value, Refused> {
        let who = format!("{}:{who}", self.of("name"));
        self.sandbox.ask(
            &json!({ "on": "stacks", "as": who, "service": service, "call": call, "with": with }),
        )
    }

    /// Calls AWS as root.
    pub fn call(&self, service: &str, call: &str, with: Value) -> Result<Value, Refused> {
        self.sandbox
            .ask(&json!({ "on": "stacks", "as": "root", "service": service, "call": call, "with": with }))
    }
}
