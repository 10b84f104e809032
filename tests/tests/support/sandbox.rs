//! The sandbox of a test program: one set of servers, a site of its own for each test that wants one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::world::World;

/// The servers, and who answers for them. When this program ends, however it does, its end of the pipe closes, and the
/// supervisor takes everything down.
pub struct Sandbox {
    place: PathBuf,
    made: Value,
    talk: Mutex<Talk>,
    sites: AtomicU32,
}

/// The pipe to the supervisor, and from it.
struct Talk {
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
    _supervisor: Child,
}

/// What AWS refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The error's code.
    pub code: String,
    /// Its message.
    pub message: String,
}

impl Sandbox {
    /// Returns this program's sandbox, which the first caller starts.
    pub fn shared() -> &'static Self {
        static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
        SANDBOX.get_or_init(Self::start)
    }

    /// Starts one of its own for a test that breaks it.
    pub fn own() -> &'static Self {
        Box::leak(Box::new(Self::start()))
    }

    fn start() -> Self {
        // The supervisor removes it.
        let place = TempDir::with_prefix("bg-sandbox-").unwrap().keep();
        let mut supervisor = program("python")
            .arg(root().join("sandbox/sandbox.py"))
            .arg("serve")
            .arg(&place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/.venv is missing: tests/run makes it");
        let asks = supervisor.stdin.take().unwrap();
        let answers = BufReader::new(supervisor.stdout.take().unwrap());
        let mut talk = Talk { asks, answers, _supervisor: supervisor };
        let made = talk.hear().expect("a sandbox");
        Self { place, made, talk: Mutex::new(talk), sites: AtomicU32::new(0) }
    }

    /// Makes a site for one test.
    pub fn site(&'static self) -> Site {
        let name = format!("t{}", self.sites.fetch_add(1, Ordering::Relaxed));
        let made = self.ask(&json!({ "world": name })).unwrap();
        Site { sandbox: self, made, name, world: World::new() }
    }

    /// Returns the endpoint of STS, IAM, KMS, SNS, SQS, CloudFormation, and of the S3 that sessions use.
    pub fn aws(&self) -> &str {
        self.made["aws"].as_str().unwrap()
    }

    /// Returns the endpoint of the evidence's S3.
    pub fn s3(&self) -> &str {
        self.made["s3"].as_str().unwrap()
    }

    /// Returns the ARN of the key that mints.
    pub fn kms_key(&self) -> &str {
        self.made["kms_key"].as_str().unwrap()
    }

    /// Returns the ARN of the key that signs.
    pub fn signing_key(&self) -> &str {
        self.made["signing_key"].as_str().unwrap()
    }

    /// Calls AWS with boto3's names, as a profile (`root` is one). The service `evidence` is S3 of the evidence bucket.
    pub fn call(
        &self,
        profile: &str,
        service: &str,
        call: &str,
        with: Value,
    ) -> Result<Value, Refused> {
        self.ask(&json!({ "as": profile, "service": service, "call": call, "with": with }))
    }

    /// Returns a person's present TOTP code.
    pub fn code(&self, person: &str) -> String {
        self.ask(&json!({ "code": person })).unwrap().as_str().unwrap().to_owned()
    }

    /// Returns a person's SSH key.
    pub fn key(&self, person: &str) -> PathBuf {
        self.place.join("ssh").join(person)
    }

    /// Returns the allowed_signers file: alice, bob and carol.
    pub fn allowed_signers(&self) -> PathBuf {
        self.place.join("allowed_signers")
    }

    /// Adds what finds the profiles to a command's environment.
    pub fn reach<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = std::env::var("PATH").unwrap();
        command
            .env("PATH", format!("{}:{path}", venv().display()))
            .env("AWS_CONFIG_FILE", self.place.join("aws/config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.place.join("aws/credentials"))
    }

    /// Asks the supervisor, with its own words.
    pub fn ask(&self, what: &Value) -> Result<Value, Refused> {
        let mut talk = self.talk.lock().unwrap();
        writeln!(talk.asks, "{what}").unwrap();
        talk.hear()
    }
}

impl Talk {
    fn hear(&mut self) -> Result<Value, Refused> {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let mut answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"));
        if let Some(ok) = answer.get_mut("ok") {
            return Ok(ok.take());
        }
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        Err(Refused { code: text("error"), message: text("message") })
    }
}

/// One test's world in the sandbox: roles, an evidence prefix, a topic and a configuration of its own.
pub struct Site {
    /// The servers.
    pub sandbox: &'static Sandbox,
    /// What its roles are called after, and its evidence prefix.
    pub name: String,
    /// Home, and the practice world.
    pub world: World,
    made: Value,
}

impl Site {
    /// Returns `bg-shell` with this site's configuration.
    pub fn shell(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_shell-under-test"))
    }

    /// Returns `bg-replay`, likewise.
    pub fn replay(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_replay-under-test"))
    }

    /// Returns any program, likewise: the `aws` of the sandbox is on its PATH.
    pub fn command(&self, program: &str) -> Command {
        let mut command = self.world.command(program);
        self.sandbox.reach(&mut command).env("BG_SHELL_CONFIG", self.config());
        command
    }

    /// Runs `aws --profile PROFILE ARGS`.
    pub fn aws(&self, profile: &str, args: &[&str]) -> Output {
        self.command("aws").args(["--profile", profile]).args(args).output().unwrap()
    }

    /// Makes an S3 call with credentials of a session; returns what it said on failure.
    pub fn call_with(&self, [id, secret, token]: &[String; 3]) -> Result<(), String> {
        let keys = json!({ "accessKey": id, "secretKey": secret, "token": token });
        let ask =
            json!({ "as": id, "keys": keys, "service": "s3", "call": "list_buckets", "with": {} });
        self.sandbox.ask(&ask).map(drop).map_err(|refused| refused.message)
    }

    /// Returns the configuration file. Its roles: prod (TOTP at the broker), prod-mfa (TOTP at AWS), two (quorum 2),
    /// attach and trust (gates), drill (neither approvals nor MFA).
    pub fn config(&self) -> PathBuf {
        PathBuf::from(self.made["config"].as_str().unwrap())
    }

    /// Changes the configuration.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), change(text)).unwrap();
    }

    /// Returns the ARN of `emergency`, `attach`, `trust` or `drill`.
    pub fn role(&self, which: &str) -> &str {
        self.made["roles"][which].as_str().unwrap()
    }

    /// Returns the state directory: spools and the host's count.
    pub fn state(&self) -> PathBuf {
        PathBuf::from(self.made["state"].as_str().unwrap())
    }

    /// Lists the evidence, by keys below this site's prefix.
    pub fn evidence(&self) -> Vec<String> {
        let prefix = format!("{}/", self.name);
        let with = json!({ "Bucket": "bg-evidence", "Prefix": prefix });
        let listed = self.sandbox.call("root", "evidence", "list_objects_v2", with).unwrap();
        let keys = listed["Contents"].as_array().into_iter().flatten();
        keys.map(|entry| entry["Key"].as_str().unwrap()[prefix.len()..].to_owned()).collect()
    }

    /// Returns an object of the evidence.
    pub fn object(&self, key: &str) -> Vec<u8> {
        let key = format!("{}/{key}", self.name);
        let with = json!({ "Bucket": "bg-evidence", "Key": key });
        let got = self.sandbox.call("root", "evidence", "get_object", with).unwrap();
        data_encoding::HEXLOWER.decode(got["Body"].as_str().unwrap().as_bytes()).unwrap()
    }

    /// Takes what was published to this site's topic since the last time.
    pub fn published(&self) -> Vec<Value> {
        let with = json!({ "QueueUrl": self.made["queue"], "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0 });
        let heard = self.sandbox.call("root", "sqs", "receive_message", with).unwrap();
        let messages = heard["Messages"].as_array().cloned().unwrap_or_default();
        messages.iter().map(|message| self.take(message)).collect()
    }

    fn take(&self, message: &Value) -> Value {
        let with =
            json!({ "QueueUrl": self.made["queue"], "ReceiptHandle": message["ReceiptHandle"] });
        self.sandbox.call("root", "sqs", "delete_message", with).unwrap();
        serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()
    }
}

/// Returns a program of tests/.venv.
pub fn program(name: &str) -> Command {
    Command::new(venv().join(name))
}

/// Where the sandbox's programs are.
fn venv() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin")
}

/// Returns the project's directory.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
