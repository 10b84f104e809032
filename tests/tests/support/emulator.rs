//! AWS on loopback: ministack for IAM, STS and KMS, SeaweedFS for S3. Both run for as long as somebody needs them.

use std::fs;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::wait::until;
use super::world::World;

/// A server that dies with us, however we die: `sh` ends it when its standard input ends.
pub struct Server {
    watch: Child,
    leash: Option<ChildStdin>,
    /// Its port on loopback.
    pub port: u16,
}

impl Server {
    /// Starts a program and waits until its port takes connections.
    fn start(command: &mut Command, port: u16) -> Self {
        let mut watch = Command::new("sh");
        watch.args(["-c", r#""$@" & read -r _; kill -9 $!; wait"#, "sh"]);
        watch.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            watch.env(name, value.unwrap_or_default());
        }
        if let Some(dir) = command.get_current_dir() {
            watch.current_dir(dir);
        }
        let mut watch = watch
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let leash = watch.stdin.take();
        until("the server listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { watch, leash, port }
    }

    /// Kills it as `kill -9` does.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.leash.take());
        self.watch.wait().map(drop).unwrap_or(());
    }

    /// Returns its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A SeaweedFS with one user, who may do everything.
pub struct Weed {
    dir: PathBuf,
    ports: [u16; 9],
}

impl Weed {
    /// Takes a directory for it, which outlives the server.
    pub fn new(dir: &Path) -> Self {
        let user = format!(
            r#"{{"identities":[{{"name":"bg","credentials":[{{"accessKey":"{}","secretKey":"{}"}}],"actions":["Admin"]}}]}}"#,
            WEED_KEYS[0], WEED_KEYS[1]
        );
        fs::write(dir.join("s3.json"), user).unwrap();
        let made = Command::new("openssl").args(CERTIFICATE).current_dir(dir).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        Self { dir: dir.to_owned(), ports: ports() }
    }

    /// Returns its address with TLS, and the certificate to trust.
    pub fn tls(&self) -> (String, PathBuf) {
        (format!("https://127.0.0.1:{}", self.ports[8]), self.dir.join("cert.pem"))
    }

    /// Starts it, or starts it again.
    pub fn start(&self) -> Server {
        let mut command = tool("weed");
        command
            .current_dir(&self.dir)
            .arg("-logtostderr=false")
            .arg("-logdir=.")
            .arg("server")
            .args([
                "-dir=.",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-filer",
                "-s3",
                "-s3.config=s3.json",
                "-s3.cert.file=cert.pem",
                "-s3.key.file=key.pem",
                "-s3.iam.config=",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-volume.max=100",
                "-master.volumeSizeLimitMB=64",
                "-master.telemetry=false",
            ]);
        command.arg(format!("-s3.port.https={}", self.ports[8]));
        let names = ["master.port", "volume.port", "filer.port", "s3.port"];
        for (name, ports) in names.iter().zip(self.ports.chunks(2)) {
            command.arg(format!("-{name}={}", ports[0])).arg(format!("-{name}.grpc={}", ports[1]));
        }
        Server::start(&mut command, self.ports[6])
    }
}

/// Both servers, with keys, users and buckets in them.
pub struct Cloud {
    /// IAM, STS, KMS, and an S3 that keeps versions.
    pub aws: Server,
    /// S3.
    pub weed: Server,
    /// The address of the same S3 with TLS, and the certificate to trust.
    pub tls: (String, PathBuf),
    /// The ARN of the key that data keys come from.
    pub data: String,
    /// The ARN of the key that signs.
    pub sign: String,
    profiles: String,
    _dir: TempDir,
}

impl Cloud {
    /// Returns the one of this test run. It is started by the first who asks.
    pub fn shared() -> &'static Self {
        static CLOUD: OnceLock<Cloud> = OnceLock::new();
        CLOUD.get_or_init(Self::start)
    }

    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let weed = Weed::new(dir.path());
        let tls = weed.tls();
        let weed = weed.start();
        let aws = ministack();
        let made: Value = serde_json::from_str(&python(MAKE, &[&aws.url()])).unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        let mut profiles = profile("weed", &WEED_KEYS);
        for (name, keys) in made["profiles"].as_object().unwrap() {
            profiles += &profile(name, &[keys[0].as_str().unwrap(), keys[1].as_str().unwrap()]);
        }
        bucket(&weed);
        Self { aws, weed, tls, data: text("data"), sign: text("sign"), profiles, _dir: dir }
    }

    /// Makes a world whose evidence goes where `evidence` says, with AWS as `user`.
    pub fn world(&self, user: &str, evidence: &str) -> World {
        let world = World::new();
        self.configure(&world, user, evidence);
        world
    }

    /// Writes the configuration of a world anew.
    pub fn configure(&self, world: &World, user: &str, evidence: &str) {
        let config = format!(
            "[aws]\nregion = \"us-east-1\"\nendpoint = \"{}\"\nprofile = \"{user}\"\n[evidence]\n{evidence}\n",
            self.aws.url()
        );
        write(&world.home().join(".config/bg-shell/config.toml"), &config);
        write(&world.home().join(".aws/credentials"), &self.profiles);
    }

    /// Returns what names both keys.
    pub fn keys(&self) -> String {
        format!("kms_key = \"{}\"\nsigning_key = \"{}\"\n", self.data, self.sign)
    }

    /// Returns what names a place in SeaweedFS, and both keys.
    pub fn on_weed(&self, prefix: &str) -> String {
        weed_store(&self.weed.url(), prefix) + &self.keys()
    }

    /// Returns what names a place in the bucket that keeps versions, and both keys.
    pub fn versioned(&self, prefix: &str) -> String {
        format!("store = \"s3://versioned/{prefix}\"\npath_style = true\n") + &self.keys()
    }

    /// Runs statements of Python with `s3` and `kms` as the owner; returns what they print.
    pub fn owner(&self, script: &str) -> String {
        let keys = self.profiles.split("[owner]").nth(1).unwrap();
        let mut keys =
            keys.lines().filter_map(|line| line.split_once(" = ").map(|(_, value)| value));
        let script = format!("{CLIENTS}\n{script}");
        python(&script, &[&self.aws.url(), keys.next().unwrap(), keys.next().unwrap()])
    }
}

/// Returns what names a place in a SeaweedFS.
pub fn weed_store(endpoint: &str, prefix: &str) -> String {
    format!(
        "store = \"s3://evidence/{prefix}\"\nendpoint = \"{endpoint}\"\npath_style = true\nprofile = \"weed\"\n"
    )
}

/// Makes the bucket of a SeaweedFS, once it takes one.
pub fn bucket(weed: &Server) {
    python(BUCKET, &[&weed.url(), WEED_KEYS[0], WEED_KEYS[1]]);
}

fn ministack() -> Server {
    let [port, ..] = ports();
    let mut command = tool("ministack");
    command
        .env("AUTH", "true")
        .env("BIND_HOST", "127.0.0.1")
        .env("MINISTACK_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("SFTP_ENABLED", "0")
        .env("IOT_MTLS_ENABLED", "0")
        .env("LOG_LEVEL", "ERROR");
    Server::start(&mut command, port)
}

/// Runs Python with boto3; returns what it prints.
pub fn python(script: &str, args: &[&str]) -> String {
    let output = tool("python").arg("-c").arg(script).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn tool(name: &str) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin").join(name);
    assert!(path.exists(), "{} is missing: tests/run makes it", path.display());
    Command::new(path)
}

/// Returns ports that were free just now. All are held until all are known.
fn ports() -> [u16; 9] {
    let held = [(); 9].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.each_ref().map(|listener| listener.local_addr().unwrap().port())
}

fn profile(name: &str, [key, secret]: &[&str; 2]) -> String {
    format!("[{name}]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// The keys of SeaweedFS's one user.
pub const WEED_KEYS: [&str; 2] = ["AKIAWEEDWEEDWEEDWEED", "weedsecretweedsecretweedsecret"];
const MAKE: &str = include_str!("cloud.py");
const CLIENTS: &str = "
import boto3, sys
keys = dict(endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3])
s3, kms = (boto3.client(name, region_name='us-east-1', **keys) for name in ('s3', 'kms'))
";
/// A certificate for loopback, in cert.pem and key.pem.
const CERTIFICATE: [&str; 19] = [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    "key.pem",
    "-out",
    "cert.pem",
    "-days",
    "2",
    "-subj",
    "/CN=127.0.0.1",
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-addext",
    "basicConstraints=critical,CA:FALSE",
];
/// A SeaweedFS listens before it can make buckets.
const BUCKET: &str = "
import boto3, sys, time
keys = dict(endpoint_url=sys.argv[1], aws_access_key_id=sys.argv[2], aws_secret_access_key=sys.argv[3])
s3 = boto3.client('s3', region_name='us-east-1', **keys)
for _ in range(600):
    try:
        s3.create_bucket(Bucket='evidence')
        s3.put_object(Bucket='evidence', Key='ready', Body=b'')
        break
    except Exception as error:
        if 'BucketAlready' in str(error):
            s3.put_object(Bucket='evidence', Key='ready', Body=b'')
            break
        time.sleep(0.1)
else:
    sys.exit('SeaweedFS is not ready')
";
