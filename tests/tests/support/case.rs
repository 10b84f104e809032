//! Facts around sessions that a test writes, as a broker would have.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::dir::DirStore;
use bg_recorder::keys::KeyService as _;
use bg_recorder::keys::local::LocalKeys;
use bg_recorder::note::{self, NoteKind};
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore as _;
use serde_json::{Value, json};

use super::sandbox::{Sandbox, Site};
use super::wait::until;
use super::wire::Wire;
use super::world::World;

/// A site of the sandbox whose evidence is in a directory, so that a test can write and read facts.
pub struct Bench {
    /// The site.
    pub site: Site,
    store: DirStore,
    keys: LocalKeys,
}

/// Credentials that a test assumed as a broker does.
pub struct Assumed {
    /// The session that they are for.
    pub session: SessionId,
    keys: [(&'static str, String); 3],
}

impl Bench {
    /// Makes one.
    pub fn new() -> Self {
        let site = Sandbox::shared().site();
        let place = site.state().join("evidence");
        let state = site.state();
        site.configure(|text| {
            let (before, rest) = text.split_once("[evidence]").unwrap();
            let (_, after) = rest.split_once("\n[").unwrap();
            let place = place.display().to_string();
            let state = state.display().to_string();
            format!("{before}[evidence]\nstore = {place:?}\nstate = {state:?}\n\n[{after}")
        });
        let keys = LocalKeys::open_or_create(&state.join("keys")).unwrap();
        Self { site, store: DirStore::new(place), keys }
    }

    /// Assumes a role of the configuration for a session, after the fact that announces it.
    pub fn open(&self, session: SessionId, role: &str, arn: &str, deadline: Stamp) -> Assumed {
        self.announce(session, role, arn, deadline);
        let with = json!({ "RoleArn": arn, "RoleSessionName": format!("bg-{session}"), "DurationSeconds": 900 });
        let assumed = self.site.sandbox.call("bg-broker", "sts", "assume_role", with).unwrap();
        let text = |name: &str| assumed["Credentials"][name].as_str().unwrap().to_owned();
        let keys = [
            ("AWS_ACCESS_KEY_ID", text("AccessKeyId")),
            ("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey")),
            ("AWS_SESSION_TOKEN", text("SessionToken")),
        ];
        Assumed { session, keys }
    }

    /// Writes the fact that credentials are about to be asked for.
    pub fn announce(&self, session: SessionId, role: &str, arn: &str, deadline: Stamp) {
        let gate = if role == "attach" {
            json!({"kind": "attach", "policy": self.policy()})
        } else {
            json!({"kind": "none"})
        };
        self.put(
            "cases",
            session,
            "open",
            &json!({
                "role": role, "role_arn": arn, "person": "alice", "session_name": format!("bg-{session}"),
                "source_identity": "alice", "duration_s": 900, "deadline": deadline, "request": "none",
                "gate": gate, "host": "bench", "forced": false,
            }),
        );
    }

    /// Returns the ARN of the policy that the gate of `attach` attaches.
    pub fn policy(&self) -> String {
        format!("arn:aws:iam::000000000000:policy/bg-attach-{}-access", self.site.name)
    }

    /// Writes a fact, signed as the evidence world's are.
    pub fn put(&self, place: &str, session: SessionId, fact: &str, says: &Value) {
        let mut fact_says =
            json!({"session": session, "fact": fact, "at": now(), "by": "bench@test"});
        let all = fact_says.as_object_mut().unwrap();
        let more = says.as_object().unwrap();
        all.extend(more.clone());
        let text = note::text(NoteKind::Fact, &fact_says).unwrap();
        let ring = self.keys.ring();
        let line = ring.sign.line(&ring.sign_name, self.keys.sign(&text).unwrap());
        self.store
            .put_new(&format!("{place}/{session}/{fact}"), &note::assemble(&text, &[line]))
            .unwrap();
    }

    /// Reads a fact.
    pub fn fact(&self, session: SessionId, fact: &str) -> Option<Value> {
        let bytes = self.store.get(&format!("cases/{session}/{fact}"), 1 << 20).ok()?;
        let text = String::from_utf8(bytes).unwrap();
        Some(serde_json::from_str(text.lines().nth(1).unwrap()).unwrap())
    }

    /// Puts an object that is no fact.
    pub fn junk(&self, key: &str, bytes: &[u8]) {
        self.store.put_new(key, bytes).unwrap();
    }

    /// Makes a session that is heard of: the genesis of a real one.
    pub fn live(&self) -> SessionId {
        let world = World::new();
        world.record("true");
        let tape = world.tape();
        let session = tape.id().parse().unwrap();
        let place: PathBuf =
            tape.dir.strip_prefix(world.state().join("evidence")).unwrap().to_owned();
        let key = format!("{}/genesis", place.display());
        self.store.put_new(&key, &std::fs::read(tape.dir.join("genesis")).unwrap()).unwrap();
        session
    }

    /// Has `bg-shell` call AWS over a wire.
    pub fn wire(&self) -> Wire {
        let here = self.site.sandbox.aws();
        let wire = Wire::to(here.rsplit(':').next().unwrap().parse().unwrap());
        let endpoint = wire.endpoint();
        self.site.configure(|text| {
            text.replace(&format!("endpoint = {here:?}"), &format!("endpoint = {endpoint:?}"))
        });
        wire
    }

    /// Runs `bg-shell open` with a script; the session's credentials are left in a file.
    pub fn session(&self, role: &str, script: &str) -> Command {
        let mut command = self.site.shell();
        let script = format!("{KEEP}\n{script}");
        let key = self.site.sandbox.key("alice");
        command.args(["open", "--role", role, "--reason", "a test", "--key"]).arg(key);
        command.args(["--", "sh", "-c", &script]);
        command.stderr(Stdio::piped());
        command
    }

    /// Returns the session that left its credentials, once it did.
    pub fn kept(&self) -> Assumed {
        let file = self.site.world.home().join("kept");
        until("the session has its credentials", || file.exists());
        let text = std::fs::read_to_string(&file).unwrap();
        let (session, credentials) = text.split_once('\n').unwrap();
        let credentials: Value = serde_json::from_str(credentials).unwrap();
        let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
        let keys = [
            ("AWS_ACCESS_KEY_ID", text("AccessKeyId")),
            ("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey")),
            ("AWS_SESSION_TOKEN", text("Token")),
        ];
        std::fs::remove_file(&file).unwrap();
        Assumed { session: session.parse().unwrap(), keys }
    }

    /// Returns the seal of a session.
    pub fn seal(&self, session: SessionId) -> Value {
        let entries = self.store.list("sessions/").unwrap();
        let end = format!("{session}/seal");
        let key = entries.iter().find(|entry| entry.key.ends_with(&end)).expect("a seal");
        let text = String::from_utf8(self.store.get(&key.key, 1 << 20).unwrap()).unwrap();
        serde_json::from_str(text.lines().nth(1).unwrap()).unwrap()
    }

    /// Makes an S3 call with assumed credentials; returns what it said on failure.
    pub fn call(&self, assumed: &Assumed) -> Result<(), String> {
        let mut command = self.site.command("aws");
        for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            command.env_remove(name);
        }
        let output = command
            .envs(assumed.keys.iter().map(|(name, value)| (*name, value)))
            .args([
                "--region",
                "us-east-1",
                "--endpoint-url",
                self.site.sandbox.aws(),
                "s3api",
                "list-buckets",
            ])
            .output()
            .unwrap();
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Lists the inline policies of a role.
    pub fn inline(&self, arn: &str) -> Vec<String> {
        let with = json!({ "RoleName": arn.rsplit('/').next().unwrap() });
        let listed = self.site.sandbox.call("root", "iam", "list_role_policies", with).unwrap();
        listed["PolicyNames"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }

    /// Lists the managed policies that are attached to a role.
    pub fn attached(&self, arn: &str) -> usize {
        let with = json!({ "RoleName": arn.rsplit('/').next().unwrap() });
        let listed =
            self.site.sandbox.call("root", "iam", "list_attached_role_policies", with).unwrap();
        listed["AttachedPolicies"].as_array().unwrap().len()
    }

    /// Takes AWS away, or gives it back.
    pub fn aws(&self, reachable: bool) {
        static AWAY: OnceLock<String> = OnceLock::new();
        // A port of our own that nobody listens on.
        let away = AWAY.get_or_init(|| {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        });
        let here = self.site.sandbox.aws();
        let (from, to) = if reachable { (away.as_str(), here) } else { (here, away.as_str()) };
        self.site.configure(|text| {
            text.replace(&format!("endpoint = {from:?}"), &format!("endpoint = {to:?}"))
        });
    }
}

/// What a responder can do, too: keep the credentials.
const KEEP: &str = r#"{ echo "$BG_SHELL_SESSION"
python3 - <<'END'
import os, urllib.request
token = os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
url = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
print(urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": token})).read().decode())
END
} > "$HOME/keeping"; mv "$HOME/keeping" "$HOME/kept""#;

/// Returns now.
pub fn now() -> Stamp {
    SystemClock.now()
}

/// Returns a time that many seconds from now, or before.
pub fn in_seconds(seconds: i64) -> Stamp {
    let step = Duration::from_secs(seconds.unsigned_abs());
    let then = if seconds < 0 { SystemTime::now() - step } else { SystemTime::now() + step };
    Stamp(u64::try_from(then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros()).unwrap())
}
