//! KMS is away: sessions go on, and begin where that is allowed, sealed for the escrow key and signed by the standby
//! key; afterwards everything is in the store, and says so.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::bucket::{record, refused, replay};
use crate::support::emulator::Cloud;
use crate::support::sandbox::{Sandbox, Site};
use crate::support::wait::until;
use crate::support::wire::{Fault, Wire};
use crate::support::world::{World, stderr};

#[test]
fn a_session_outlives_its_key_service() {
    let scene = Scene::new("outlives", "");
    let script = "echo before; until test -e go; do sleep 0.1; done; head -c 70000000 /dev/urandom; \
                  until test -e on; do echo on; sleep 0.2; done; echo after";
    let shell = scene.open(script);
    until("it has begun", || scene.tape_has(1));
    scene.wire.refuse();
    fs::write(scene.world.home().join("go"), "").unwrap();
    until("the epoch is over", || {
        scene.said().contains("bg-shell: the key service gives no key; ")
    });
    fs::write(scene.world.home().join("on"), "").unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", scene.said());
    assert!(scene.world.spools().is_empty(), "{}", scene.said());
    scene.wire.restore();
    let (code, verdict, _) = replay(&scene.world, &["verify", "last"]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
    assert!(
        verdict.contains("epoch 1: made without KMS, only an escrow key opens it"),
        "{verdict}"
    );
    assert!(verdict.contains("sealed by the standby key: the key service was away"), "{verdict}");
    // KMS opens what it has wrapped, and the escrow key everything.
    scene.cloud.configure(&scene.world, "auditor", &scene.evidence);
    let (code, _, said) = replay(&scene.world, &["cat", "last"]);
    assert!(code == 2 && said.contains("opens with the escrow key"), "{said}");
    let shown = scene.opened("cat");
    assert!(shown.starts_with("before\n") && shown.ends_with("after\n"), "{}", shown.len());
    let notices = scene.notices();
    assert_eq!((&notices[0]["epoch"], &notices[0]["state"]), (&json!(1), &json!("escrow")));
    assert!(notices[0]["why"].as_str().unwrap().contains("kms:GenerateDataKey: "), "{notices:?}");
}

#[test]
fn a_session_begins_without_its_key_service_only_where_that_is_allowed() {
    let scene = Scene::new("allowed", "");
    scene.wire.refuse();
    let said = refused(&scene.world);
    assert!(said.contains("kms:GetPublicKey: ") && said.contains("start_keyless = true"), "{said}");
    let keyless = scene.evidence.replace("standby = ", "# ") + KEYLESS;
    scene.configure(&keyless);
    let said = refused(&scene.world);
    assert!(said.contains("hint: reach KMS; with [evidence] escrow and standby"), "{said}");
    scene.configure(&(scene.evidence.clone() + KEYLESS));
    let said = stderr(&record(&scene.world, "echo alone"));
    assert!(
        said.contains("bg-shell: warning: begun WITHOUT its key service (key service: kms:"),
        "{said}"
    );
    assert!(said.contains("bg-shell: the key service gives no key; "), "{said}");
    assert!(scene.world.spools().is_empty(), "{said}");
    scene.wire.restore();
    let (code, verdict, _) = replay(&scene.world, &["verify", "last"]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
    assert!(
        verdict.contains("signed by the standby key: begun while the key service was away"),
        "{verdict}"
    );
    assert!(verdict.contains("epoch 0: made without KMS"), "{verdict}");
    assert_eq!(scene.opened("cat"), "alone\n");
    assert_eq!(scene.notices()[0]["state"], "escrow");
    // Whoever trusts KMS alone does not take it.
    scene.configure(&scene.evidence.replace("trusted = ", "# "));
    let (code, verdict, _) = replay(&scene.world, &["verify", "last"]);
    assert!(
        code == 1 && verdict.contains("wrong signer: its signing key is not a trusted one"),
        "{verdict}"
    );
}

#[test]
fn a_session_that_began_with_nothing_there_is_in_the_store_when_both_are_back() {
    let scene = Scene::new("nothing", "");
    let store = Wire::to(scene.cloud.weed.port);
    let evidence = scene.evidence.replace(&scene.cloud.weed.url(), &store.endpoint());
    scene.configure(&(evidence + KEYLESS + "start_offline = true\n"));
    scene.wire.refuse();
    store.refuse();
    let said = stderr(&record(&scene.world, "echo nobody there"));
    assert!(
        said.contains("begun WITHOUT its key service")
            && said.contains("WITHOUT its evidence store"),
        "{said}"
    );
    assert_eq!(scene.world.spools().len(), 1, "{said}");
    store.restore();
    scene.wire.restore();
    let recovered = scene.world.recover();
    assert!(
        recovered.status.success() && scene.world.spools().is_empty(),
        "{}",
        stderr(&recovered)
    );
    let (code, verdict, _) = replay(&scene.world, &["verify", "last"]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
    assert_eq!(scene.opened("cat"), "nobody there\n");
}

#[test]
fn what_kms_refuses_is_no_outage() {
    let scene = Scene::new("no-outage", KEYLESS);
    let minting = |request: &crate::support::wire::Request| {
        request.action().as_deref() == Some("GenerateDataKey")
    };
    scene.wire.fault(minting, Fault::Status(400, "DisabledException"));
    assert!(refused(&scene.world).contains("DisabledException"));
    scene.wire.heal();
    // It was there when the session asked who signs, and then it was not: no session begins with half of it.
    scene.wire.fault(minting, Fault::Status(500, "KMSInternalException"));
    assert!(refused(&scene.world).contains("kms:GenerateDataKey: KMSInternalException"));
    scene.wire.heal();
    scene.wire.fault_all(Fault::Status(500, "KMSInternalException"));
    assert!(stderr(&record(&scene.world, "true")).contains("begun WITHOUT its key service"));
}

#[test]
fn a_killed_session_that_began_without_its_key_service_is_recovered_when_that_is_back() {
    let scene = Scene::new("killed", KEYLESS);
    scene.wire.refuse();
    let mut shell = scene.open("echo alone; sleep 1000");
    until("it has begun", || scene.tape_has(1));
    shell.kill().unwrap();
    shell.wait().unwrap();
    let alone = scene.world.recover();
    assert!(
        !alone.status.success() && stderr(&alone).contains("kms:GetPublicKey: "),
        "{}",
        stderr(&alone)
    );
    scene.wire.restore();
    let recovered = scene.world.recover();
    assert!(
        recovered.status.success() && scene.world.spools().is_empty(),
        "{}",
        stderr(&recovered)
    );
    let (code, verdict, _) = replay(&scene.world, &["verify", "last"]);
    assert!(code == 3 && verdict.starts_with("recovered: "), "{verdict}");
    assert!(verdict.contains("signed by the standby key"), "{verdict}");
}

#[test]
fn a_role_is_opened_without_the_key_service_and_all_of_its_facts_count() {
    let site = Sandbox::shared().site();
    let keys = Keys::make(&site.world);
    let wire = Wire::to(port(site.sandbox.aws()));
    site.configure(|text| {
        text.replace(site.sandbox.aws(), &wire.endpoint())
            .replace("object_lock = ", &format!("{}object_lock = ", keys.config()))
            + "\n[roles.drill.outage]\nstart_keyless = true\n"
    });
    wire.fault(
        |request| {
            request.header("x-amz-target").is_some_and(|target| target.starts_with("TrentService"))
        },
        Fault::ResetUpload,
    );
    let output = opened(&site, "aws sts get-caller-identity --query Account --output text");
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("begun WITHOUT its key service"), "{said}");
    assert!(said.contains("revoked"), "{said}");
    assert!(
        site.evidence().iter().any(|key| key.ends_with("/close/proved")),
        "{:?}",
        site.evidence()
    );
    wire.heal();
    let sessions = site.shell().args(["sessions", "--all", "--json"]).output().unwrap();
    let rows = String::from_utf8(sessions.stdout).unwrap();
    let row: Value = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    assert!(row.to_string().contains("revoked"), "{row}");
    let verdict = site.replay().args(["verify", "last"]).output().unwrap();
    assert!(String::from_utf8_lossy(&verdict.stdout).starts_with("intact: "), "{verdict:?}");
}

#[test]
fn doctor_looks_at_the_key_files() {
    let scene = Scene::new("doctor", KEYLESS);
    let found = |check: &str| {
        let output = scene.world.shell().args(["doctor", "--json"]).output().unwrap();
        let lines = String::from_utf8(output.stdout).unwrap();
        let found: Value = serde_json::from_str(&lines).unwrap();
        let findings = found["findings"].as_array().unwrap().clone().into_iter();
        findings.filter(|finding| finding["check"] == check).collect::<Vec<_>>()
    };
    assert_eq!(
        (&found("key escrow")[0]["verdict"], &found("key standby")[0]["verdict"]),
        (&"ok".into(), &"ok".into())
    );
    scene.configure(&(scene.evidence.replace("trusted = ", "# ") + KEYLESS));
    assert_eq!(found("key standby")[0]["verdict"], "warn");
    fs::set_permissions(&scene.keys.standby, fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(found("key standby")[0]["verdict"], "fail");
    scene.configure(
        &(scene.evidence.replace("escrow.pub.pem", "standby.pub.pem").replace("standby = ", "# ")
            + KEYLESS),
    );
    assert_eq!(
        (&found("key escrow")[0]["verdict"], &found("key files")[0]["verdict"]),
        (&"fail".into(), &"warn".into())
    );
}

/// A world whose KMS is at the end of a wire, and whose store is not.
struct Scene {
    cloud: &'static Cloud,
    world: World,
    wire: Wire,
    keys: Keys,
    evidence: String,
}

impl Scene {
    fn new(place: &str, more: &str) -> Self {
        let cloud = Cloud::shared();
        let world = World::new();
        let wire = Wire::to(cloud.aws.port);
        let keys = Keys::make(&world);
        let evidence = cloud.on_weed(&format!("keyless-{place}")) + &keys.config();
        let scene = Self { cloud, world, wire, keys, evidence };
        scene.configure(&(scene.evidence.clone() + more));
        scene
    }

    fn configure(&self, evidence: &str) {
        self.cloud.configure(&self.world, "recorder", evidence);
        let file = self.world.home().join(".config/bg-shell/config.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(&self.cloud.aws.url(), &self.wire.endpoint())).unwrap();
    }

    /// Begins a session that runs in the background.
    fn open(&self, script: &str) -> Child {
        let file = |name: &str| Stdio::from(File::create(self.world.home().join(name)).unwrap());
        let mut shell = self.world.shell();
        shell.args(["open", "--reason", "a test", "--", "sh", "-c", script]);
        shell.stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap()
    }

    fn said(&self) -> String {
        self.world.said()
    }

    /// Returns whether the spool has so many whole segments.
    fn tape_has(&self, segments: usize) -> bool {
        let spools = self.world.spools();
        let checkpoints = spools.first().map(|spool| spool.join("checkpoints"));
        checkpoints
            .and_then(|dir| fs::read_dir(dir).ok())
            .is_some_and(|dir| dir.count() >= segments)
    }

    /// Returns what `bg-replay` shows who has the escrow's private key.
    fn opened(&self, how: &str) -> String {
        let key = self.keys.open.to_str().unwrap();
        let output = self.world.replay().args([how, "last", "--key", key]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn notices(&self) -> Vec<Value> {
        let cast = self.world.home().join("cast");
        let key = self.keys.open.to_str().unwrap();
        let to = cast.to_str().unwrap();
        let export = ["export", "last", "--key", key, "--format", "jsonl", "--output", to];
        let output = self.world.replay().args(export).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let text = String::from_utf8_lossy(&fs::read(&cast).unwrap()).into_owned();
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let notices = events.filter(|event| event["code"] == "N");
        let notices =
            notices.map(|event| serde_json::from_str(event["data"].as_str().unwrap()).unwrap());
        notices.filter(|notice: &Value| notice["kind"] == "keys").collect()
    }
}

/// The key files of a host, and the one that the host does not have.
struct Keys {
    escrow: PathBuf,
    open: PathBuf,
    standby: PathBuf,
    public: PathBuf,
}

impl Keys {
    fn make(world: &World) -> Self {
        let at = |name: &str| world.home().join(name);
        let keys = Self {
            escrow: at("escrow.pub.pem"),
            open: at("escrow.pem"),
            standby: at("standby.pem"),
            public: at("standby.pub.pem"),
        };
        for (kind, option, private, public) in [
            ("RSA", "rsa_keygen_bits:3072", &keys.open, &keys.escrow),
            ("EC", "ec_paramgen_curve:P-256", &keys.standby, &keys.public),
        ] {
            openssl(&[
                "genpkey",
                "-quiet",
                "-algorithm",
                kind,
                "-pkeyopt",
                option,
                "-out",
                text(private),
            ]);
            openssl(&["pkey", "-in", text(private), "-pubout", "-out", text(public)]);
        }
        keys
    }

    fn config(&self) -> String {
        let escrow = text(&self.escrow);
        let standby = text(&self.standby);
        let public = text(&self.public);
        format!("escrow = \"{escrow}\"\nstandby = \"{standby}\"\ntrusted = [\"{public}\"]\n")
    }
}

fn opened(site: &Site, script: &str) -> std::process::Output {
    let mut shell = site.shell();
    shell.args(["open", "--role", "drill", "--reason", "a test", "--key"]);
    shell.arg(site.sandbox.key("alice")).args(["--", "sh", "-c", script]).output().unwrap()
}

fn openssl(args: &[&str]) {
    let output = Command::new("openssl").args(args).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

fn port(endpoint: &str) -> u16 {
    endpoint.rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap()
}

const KEYLESS: &str = "[practice.outage]\nstart_keyless = true\n";
