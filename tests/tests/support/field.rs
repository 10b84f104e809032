//! A site with a wire to each of its servers: what AWS is asked, what it answers, and what goes wrong on the way.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::sandbox::{Sandbox, Site};
use super::wait::until;
use super::wire::{Fault, Request, Wire};
use super::world::stderr;

/// The request id of every answer that a wire makes up.
pub const REQUEST_ID: &str = "(request id 00000000-0000-4000-8000-0000000fa017)";

/// A site whose every call goes over a wire.
pub struct Field {
    /// The site. Its roles need no approvals.
    pub site: Site,
    /// To STS, IAM, KMS, SNS, and to the S3 of the sessions.
    pub aws: Wire,
    /// To the S3 of the evidence.
    pub s3: Wire,
}

/// When a fault is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// From the start.
    Always,
    /// Once the session's shell runs.
    Inside,
    /// Once, and then no more.
    Once,
}

impl Field {
    /// Makes one, with roles whose patience is that of tests.
    pub fn new() -> Self {
        let site = Sandbox::shared().site();
        let aws = wire(site.sandbox.aws());
        let s3 = wire(site.sandbox.s3());
        site.configure(|text| {
            text.replace(site.sandbox.aws(), &aws.endpoint())
                .replace(site.sandbox.s3(), &s3.endpoint())
                .replace(
                    "quorum = 1",
                    "quorum = 0\nproof_patience = \"2s\"\ngate_patience = \"1s\"",
                )
                .replace("quorum = 0\n\nmfa", "quorum = 0\nmfa")
                .replace(
                    "[roles.drill]",
                    "[roles.drill]\nproof_patience = \"2s\"\ngate_patience = \"1s\"",
                )
                .replace("[roles.prod-mfa]", "[roles.prod-mfa]\noverride = true")
        });
        Self { site, aws, s3 }
    }

    /// Returns `bg-shell open` of a role with a script, which leaves a file when it begins.
    pub fn open(&self, role: &str, script: &str) -> Command {
        let mut shell = self.site.shell();
        shell.args(["open", "--role", role, "--reason", "a test", "--key"]);
        shell.arg(self.site.sandbox.key("alice"));
        shell.args(["--", "sh", "-c", &format!("touch $HOME/begun; {script}")]);
        shell
    }

    /// Has a call, such as `kms:Sign`, meet a fault.
    pub fn fault(&self, call: &'static str, when: When, fault: Fault) {
        let (service, _) = call.split_once(':').unwrap();
        let wire = if service == "s3" && call != PROBE { &self.s3 } else { &self.aws };
        let begun = self.begun();
        match when {
            When::Always => wire.fault(move |request| is(request, call), fault),
            When::Inside => wire.fault(move |request| begun.exists() && is(request, call), fault),
            When::Once => wire.fault_once(move |request| is(request, call), fault),
        }
    }

    /// Has it refused in the way of its service.
    pub fn deny(&self, call: &'static str, when: When) {
        self.fault(call, when, denial(call));
    }

    /// Has puts below a key refused.
    pub fn deny_puts(&self, key: &'static str, when: When) {
        let begun = self.begun();
        let is =
            move |request: &Request| is(request, "s3:PutObject") && request.target.contains(key);
        let inside = move |request: &Request| begun.exists() && is(request);
        let fault = denial("s3:PutObject");
        match when {
            When::Inside => self.s3.fault(inside, fault),
            When::Always => self.s3.fault(is, fault),
            When::Once => self.s3.fault_once(is, fault),
        }
    }

    fn begun(&self) -> PathBuf {
        self.site.world.home().join("begun")
    }

    /// Returns whether a shell ever ran.
    pub fn ran(&self) -> bool {
        self.begun().exists()
    }

    /// Nothing goes wrong any more.
    pub fn heal(&self) {
        self.aws.heal();
        self.s3.heal();
    }

    /// Runs a command of bg-shell.
    pub fn run(&self, args: &[&str]) -> Output {
        self.site.shell().args(args).output().unwrap()
    }

    /// Returns what `bg-shell COMMAND --json` lists.
    pub fn lines(&self, args: &[&str]) -> Vec<Value> {
        let output = self.run(&[args, &["--json"]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let read = |line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        text.lines().map(read).collect()
    }

    /// Returns the credentials of the role that the server issued, whoever got them.
    pub fn issued(&self) -> Vec<[String; 3]> {
        issued(&self.aws)
    }

    /// Makes an S3 call with them, past the wire; returns what it said on failure.
    pub fn call(&self, keys: &[String; 3]) -> Result<(), String> {
        self.site.call_with(keys)
    }

    /// Returns the sessions that have evidence.
    pub fn sessions(&self) -> Vec<String> {
        let evidence = self.site.evidence();
        let tapes =
            evidence.iter().filter_map(|key| key.strip_prefix("sessions/")?.split('/').nth(3));
        let cases = evidence.iter().filter_map(|key| key.strip_prefix("cases/")?.split('/').next());
        tapes.chain(cases).map(ToOwned::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns what a fact around the only session says, if it is there.
    pub fn fact(&self, fact: &str) -> Option<Value> {
        let sessions = self.sessions();
        assert_eq!(sessions.len(), 1, "{sessions:?}");
        let key = format!("cases/{}/{fact}", sessions[0]);
        let text = self.site.evidence().contains(&key).then(|| self.site.object(&key))?;
        serde_json::from_str(String::from_utf8(text).unwrap().lines().nth(1).unwrap()).unwrap()
    }

    /// Returns how many managed policies the role of the gate `attach` has.
    pub fn attached(&self) -> usize {
        let with = json!({ "RoleName": self.site.role("attach").rsplit('/').next().unwrap() });
        let listed =
            self.site.sandbox.call("root", "iam", "list_attached_role_policies", with).unwrap();
        listed["AttachedPolicies"].as_array().unwrap().len()
    }

    /// Asserts that, whatever happened, nothing that was issued lives on unmentioned, and that the evidence holds:
    /// every tape verifies, once what is left of it is shipped; every access is dead, or was said to be alive and is
    /// listed as such; and one `reconcile` later all of them are dead.
    pub fn settle(&self, said: &str) {
        self.heal();
        let pending = self.lines(&["sessions"]);
        for line in &pending {
            // What has no seal counts as live until it is not heard of.
            assert!(line["state"] == "pending" || line["state"] == "live", "{line}");
            assert!(line["until"].is_string(), "{line}");
            let spoken_of = said.contains("REVOKE PENDING") || said.contains("is not stored");
            assert!(spoken_of || self.issued().is_empty(), "{line}: {said}");
        }
        let told = said.contains("REVOKE PENDING") && said.contains("may live until");
        for keys in self.issued() {
            match self.call(&keys) {
                Ok(()) => {
                    assert!(
                        told && !pending.is_empty(),
                        "{} lives, and nobody says so: {said}",
                        keys[0]
                    )
                }
                // A gate that is shut refuses, too, until somebody opens it.
                Err(refused) => assert!(told || refused.contains("explicit deny"), "{refused}"),
            }
        }
        let recovered = self.run(&["recover"]);
        assert!(recovered.status.success(), "{}", stderr(&recovered));
        let reconciled = self.run(&["reconcile"]);
        assert!(matches!(reconciled.status.code(), Some(0 | 3)), "{}", stderr(&reconciled));
        for keys in self.issued() {
            until("the credentials are denied", || {
                self.call(&keys).is_err_and(|refused| refused.contains("explicit deny"))
            });
        }
        assert_eq!(self.attached(), 0, "{said}");
        let tapes = self.site.replay().args(["verify", "--all", "--json"]).output().unwrap();
        let lines = String::from_utf8_lossy(&tapes.stdout).into_owned();
        for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let verdict = line["verdict"].as_str().unwrap_or_default();
            assert!(["intact", "recovered"].contains(&verdict), "{line}: {said}");
        }
    }
}

/// Returns the credentials that STS issued over a wire, whoever got them.
pub fn issued(wire: &Wire) -> Vec<[String; 3]> {
    let texts = wire.actions("AssumeRole").into_iter();
    let texts = texts.map(|asked| String::from_utf8_lossy(&asked.answer).into_owned());
    let taken = texts.filter_map(|text| {
        let of = |name: &str| {
            Some(text.split_once(&format!("<{name}>"))?.1.split_once('<')?.0.to_owned())
        };
        Some([of("AccessKeyId")?, of("SecretAccessKey")?, of("SessionToken")?])
    });
    taken.collect()
}

/// Asserts that one error was told, in one line with its request id, and what to do.
pub fn told<'s>(said: &'s str, call: &str) -> &'s str {
    let lines: Vec<&str> = said.lines().collect();
    let errors: Vec<usize> =
        (0..lines.len()).filter(|at| lines[*at].starts_with("bg-shell: error: ")).collect();
    assert_eq!(errors.len(), 1, "{said}");
    let error = lines[errors[0]];
    assert!(
        error.contains(&format!("{call}: ")) && error.contains("(request id "),
        "{call}: {said}"
    );
    let hint = lines.get(errors[0] + 1).copied().unwrap_or_default();
    assert!(hint.starts_with("bg-shell: hint: "), "{said}");
    assert_ne!(lines.get(errors[0] + 2), Some(&hint), "{said}");
    error
}

/// Returns whether a request is that call.
pub fn is(request: &Request, call: &str) -> bool {
    let (service, action) = call.split_once(':').unwrap();
    let probe = request.action().is_none() && request.header("x-amz-security-token").is_some();
    match (service, action) {
        ("s3", "PutObject") => request.method == "PUT",
        ("s3", "GetObject") => request.method == "GET" && !request.target.contains("list-type"),
        ("s3", "ListBucket") => request.method == "GET" && request.target.contains("list-type"),
        ("s3", _) => probe && request.method == "GET" && request.target.starts_with("/?"),
        _ => request.action().as_deref() == Some(action),
    }
}

/// Returns how the service of a call refuses what a caller may not do.
pub fn denial(call: &str) -> Fault {
    if call.starts_with("kms:") {
        Fault::Status(400, "AccessDeniedException")
    } else {
        Fault::Status(403, "AccessDenied")
    }
}

/// The call that is made with a session's own credentials.
pub const PROBE: &str = "s3:ListAllMyBuckets";

fn wire(endpoint: &str) -> Wire {
    Wire::to(endpoint.rsplit(':').next().unwrap().parse().unwrap())
}
