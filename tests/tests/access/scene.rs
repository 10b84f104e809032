//! A site with one role that opens at once.

use std::path::PathBuf;
use std::process::{Command, Output};

use bg_recorder::practice::Practice;
use serde_json::Value;

use crate::support::sandbox::{Sandbox, Site};
use crate::support::tape::Tape;
use crate::support::wire::Wire;
use crate::support::world::below;

/// A site whose evidence is in a directory, with one role that needs no approvals.
pub struct Scene {
    pub site: Site,
    pub place: PathBuf,
}

impl Scene {
    /// Makes one. `mfa` is TOML; `{secrets}` in it is a directory with the TOTP secret of whoever opens.
    pub fn new(mfa: &str) -> Self {
        let site = Sandbox::shared().site();
        let place = site.world.home().join("place");
        let secrets = place.join("totp");
        std::fs::create_dir_all(&secrets).unwrap();
        let secret = site.sandbox.allowed_signers().with_file_name("totp").join("alice");
        for person in ["alice", "root"] {
            std::fs::copy(&secret, secrets.join(person)).unwrap();
        }
        let evidence =
            format!("[evidence]\nstore = \"{0}/evidence\"\nstate = \"{0}\"\n\n", place.display());
        let role = format!(
            "[roles.spot]\narn = {:?}\nallowed_signers = {:?}\nquorum = 0\noverride = true\nmfa = {}\n\
             profiles = {{ source = \"bg-broker\", activator = \"bg-activator\", revoker = \"bg-revoker\" }}\n",
            site.role("drill"),
            site.sandbox.allowed_signers(),
            mfa.replace("{secrets}", secrets.to_str().unwrap()),
        );
        site.configure(|text| {
            let (before, rest) = text.split_once("[evidence]").unwrap();
            let (_, after) = rest.split_once("\n\n").unwrap();
            format!("{before}{evidence}{after}\n{role}")
        });
        Self { site, place }
    }

    pub fn without_mfa() -> Self {
        Self::new("{ mode = \"none\" }")
    }

    pub fn at_the_broker() -> Self {
        Self::new("{ mode = \"broker\", secrets = \"{secrets}\" }")
    }

    /// Returns `bg-shell open` of that role with a script.
    pub fn open(&self, script: &str) -> Command {
        let mut shell = self.site.shell();
        shell.args(["open", "--role", "spot", "--reason", "a test", "--incident", "INC-7"]);
        shell.arg("--key").arg(self.site.sandbox.key("alice"));
        shell.args(["--max-duration", "10m", "--", "sh", "-c", script]);
        shell
    }

    pub fn run(&self, script: &str) -> Output {
        self.open(script).output().unwrap()
    }

    /// Lays a wire between this site and AWS.
    pub fn wire(&self) -> Wire {
        let aws = self.site.sandbox.aws();
        let wire = Wire::to(aws.rsplit(':').next().unwrap().parse().unwrap());
        self.site.configure(|text| text.replace(aws, &wire.endpoint()));
        wire
    }

    pub fn tapes(&self) -> Vec<Tape> {
        let mut dirs = below(&self.place.join("evidence/sessions"), 4);
        dirs.sort();
        let practice = Practice { root: self.place.clone() };
        dirs.into_iter().map(|dir| Tape { dir, practice: practice.clone() }).collect()
    }

    pub fn tape(&self) -> Tape {
        let tapes = self.tapes();
        assert_eq!(tapes.len(), 1, "{tapes:?}");
        tapes[0].clone()
    }

    /// Returns what a fact around the only session says.
    pub fn fact(&self, fact: &str) -> Value {
        let path = self.place.join("evidence/cases").join(self.tape().id()).join(fact);
        let note = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{fact}: {e}"));
        serde_json::from_str(note.lines().nth(1).unwrap()).unwrap()
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.site.world.home().join(name)).unwrap_or_default()
    }
}

/// Asks a session's endpoint as an SDK does, and leaves status and body in a file.
pub const ASK: &str = r#"
curl -s -o "$HOME/body" -w '%{http_code}' -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" \
    "$AWS_CONTAINER_CREDENTIALS_FULL_URI" >"$HOME/status";
"#;
