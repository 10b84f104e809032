//! Evidence on S3 and keys in KMS, through the real binaries.

use std::process::Output;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use aws_credential_types::Credentials;
use bg_aws::edge::{Edge, Reach};
use bg_aws::evidence::EvidenceConfig;
use bg_aws::s3::{S3Config, S3Store};
use bg_recorder::store::{ObjectStore, StoreError};

use crate::support::driver::Driver;
use crate::support::emulator::{Cloud, WEED_KEYS, Weed, bucket, weed_store};
use crate::support::proxy::{Proxy, Weather};
use crate::support::wait::until;
use crate::support::world::{World, stderr};

fn record(world: &World, script: &str) -> Output {
    let output = world.record(script);
    assert!(output.status.success(), "{output:?}");
    output
}

fn replay(world: &World, args: &[&str]) -> (i32, String, String) {
    let output = world.replay().args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Fails to open a session, and returns what was said.
fn refused(world: &World) -> String {
    let output = world.record("echo never");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = stderr(&output);
    let errors = said.lines().filter(|line| line.starts_with("bg-shell: error: ")).count();
    assert_eq!(errors, 1, "{said}");
    said
}

#[test]
fn a_session_on_s3_with_kms_keys_is_intact_and_plays() {
    let cloud = Cloud::shared();
    let world = cloud.world("recorder", &cloud.on_weed("plain"));
    let said = stderr(&record(&world, "echo over the rainbow"));
    assert!(said.contains("read back from the store: intact"), "{said}");
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
    assert!(world.spools().is_empty() && world.tapes().is_empty());
    cloud.configure(&world, "auditor", &cloud.on_weed("plain"));
    assert_eq!(replay(&world, &["verify", "--all"]).0, 0);
    assert_eq!(replay(&world, &["cat", "last"]).1, "over the rainbow\n");
    assert!(replay(&world, &["play", "last"]).1.contains("over the rainbow"));
    assert!(replay(&world, &["export", "last", "--format", "cast"]).1.contains("over the rainbow"));
    assert!(replay(&world, &["ls"]).1.contains("a test"));
}

#[test]
fn who_may_not_decrypt_verifies_all_the_same() {
    let cloud = Cloud::shared();
    let world = cloud.world("recorder", &cloud.versioned("denied"));
    record(&world, "echo hidden");
    let (code, out, said) = replay(&world, &["cat", "last"]);
    assert!(code == 2 && out.is_empty(), "{said}");
    assert!(
        said.contains("kms:Decrypt: AccessDenied") && said.contains("hint: the calling principal needs"),
        "{said}"
    );
    // Compliance has no right in KMS at all, only the public key in a file.
    cloud.configure(&world, "compliance", &cloud.versioned("denied"));
    let (code, _, said) = replay(&world, &["verify", "last"]);
    assert!(code == 2 && said.contains("kms:GetPublicKey") && said.contains("--trust FILE"), "{said}");
    let trust = world.home().join("sign.pem");
    std::fs::write(&trust, public_key(cloud)).unwrap();
    let (code, verdict, _) = replay(&world, &["verify", "last", "--trust", trust.to_str().unwrap()]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
}

#[test]
fn another_store_is_named_on_the_command_line() {
    let cloud = Cloud::shared();
    let world = cloud.world("recorder", &cloud.on_weed("named"));
    record(&world, "echo elsewhere");
    // An auditor's machine: no configuration of ours, only what the command line says.
    let auditor = cloud.world("auditor", "");
    let weed = cloud.weed.url();
    let store = ["--store", "s3://evidence/named", "--endpoint", &weed];
    let tape = |args: &[&str]| {
        let mut command = auditor.replay();
        command.env("AWS_ACCESS_KEY_ID", WEED_KEYS[0]).env("AWS_SECRET_ACCESS_KEY", WEED_KEYS[1]);
        std::fs::write(
            auditor.home().join(".config/bg-shell/config.toml"),
            "[aws]\nregion = \"us-east-1\"\n",
        )
        .unwrap();
        command.args(args).args(store).output().unwrap()
    };
    let listed = tape(&["ls", "--json"]);
    let row: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(row["reason"], "a test", "{listed:?}");
    let verdict = tape(&["verify", "last"]);
    assert!(String::from_utf8_lossy(&verdict.stdout).starts_with("unverifiable: "), "{verdict:?}");
}

#[test]
fn an_escrow_key_opens_what_kms_wrapped() {
    let cloud = Cloud::shared();
    // The practice world of another home makes a key pair of the right kind.
    let keeper = World::new();
    record(&keeper, "true");
    let escrow = keeper.state().join("keys/wrap.pub.pem");
    let evidence = format!("{}escrow = \"{}\"\n", cloud.on_weed("escrow"), escrow.display());
    let world = cloud.world("recorder", &evidence);
    record(&world, "echo kept for later");
    let key = keeper.practice().open_key();
    let (code, out, said) = replay(&world, &["cat", "last", "--key", key.to_str().unwrap()]);
    assert!(code == 0 && out == "kept for later\n", "{said}");
    let stranger = World::new();
    record(&stranger, "true");
    let key = stranger.practice().open_key();
    let (code, _, said) = replay(&world, &["cat", "last", "--key", key.to_str().unwrap()]);
    assert!(code == 2 && said.contains("wrapped to arn:aws:kms:"), "{said}");
}

#[test]
fn a_second_version_and_a_delete_marker_are_found() {
    let cloud = Cloud::shared();
    let world = cloud.world("recorder", &cloud.versioned("twice"));
    record(&world, "echo once");
    assert_eq!(replay(&world, &["verify", "last"]).0, 0);
    // The same bytes again: nothing but the versions can show it.
    cloud.owner(
        "key = s3.list_objects_v2(Bucket='versioned', Prefix='twice/sessions')['Contents'][-1]['Key']
s3.put_object(Bucket='versioned', Key=key, Body=s3.get_object(Bucket='versioned', Key=key)['Body'].read())",
    );
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 1 && verdict.contains("more than one version"), "{verdict}");
    let world = cloud.world("recorder", &cloud.versioned("gone"));
    record(&world, "echo gone");
    cloud.owner(
        "key = s3.list_objects_v2(Bucket='versioned', Prefix='gone/sessions')['Contents'][-1]['Key']
s3.delete_object(Bucket='versioned', Key=key)",
    );
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 1 && verdict.contains("a delete marker"), "{verdict}");
}

#[test]
fn of_twenty_racing_puts_one_wins() {
    let cloud = Cloud::shared();
    let store = Arc::new(weed(cloud, "race"));
    for round in 0..5 {
        let start = Arc::new(Barrier::new(20));
        let puts: Vec<_> = (0..20u8)
            .map(|n| {
                let (store, start) = (Arc::clone(&store), Arc::clone(&start));
                std::thread::spawn(move || {
                    start.wait();
                    store.put_new(&format!("claims/{round}"), &[n; 100])
                })
            })
            .collect();
        let results: Vec<_> = puts.into_iter().map(|put| put.join().unwrap()).collect();
        let won: Vec<_> = (0..20u8).filter(|n| results[usize::from(*n)].is_ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        assert!(results.iter().all(|put| matches!(put, Ok(()) | Err(StoreError::Exists(_)))), "{results:?}");
        assert_eq!(store.get(&format!("claims/{round}"), 100).unwrap(), [won[0]; 100]);
    }
}

#[test]
fn a_bucket_behaves_as_a_directory_does() {
    let store = weed(Cloud::shared(), "behaves");
    for n in 0..1_100u32 {
        store.put_new(&format!("many/{n:05}"), b"x").unwrap();
    }
    let many = store.list("many/").unwrap();
    assert_eq!(many.len(), 1_100, "more than a page");
    assert!(many.is_sorted() && many[7].key == "many/00007" && many[7].len == 1);
    assert_eq!(store.list("man/").unwrap(), [], "a prefix ends with a slash");
    store.put_new("a/b", b"one").unwrap();
    assert!(matches!(store.put_new("a/b", b"one"), Err(StoreError::Exists(_))));
    assert_eq!(store.get("a/b", 3).unwrap(), b"one");
    assert!(matches!(store.get("a/b", 2), Err(StoreError::TooLarge(_))));
    assert!(matches!(store.get("a/c", 2), Err(StoreError::Missing(_))));
    for key in ["../x", "/etc/passwd", "a/../b", "a//b", "a/", "", "./a"] {
        assert!(matches!(store.get(key, 1), Err(StoreError::NotAKey(_))), "{key}");
        assert!(matches!(store.put_new(key, b""), Err(StoreError::NotAKey(_))), "{key}");
    }
}

#[test]
fn each_refusal_is_one_line_with_a_hint() {
    let cloud = Cloud::shared();
    let world =
        cloud.world("recorder", &cloud.versioned("refused").replace("s3://versioned", "s3://no-such-bucket"));
    let said = refused(&world);
    assert!(said.contains("s3:PutObject: NoSuchBucket") && said.contains("(request id "), "{said}");
    assert!(said.contains("hint: check the name and the region"), "{said}");

    let world = cloud.world("nobody", &cloud.versioned("refused"));
    let said = refused(&world);
    assert!(
        said.contains("kms:GetPublicKey: AccessDenied") && said.contains("needs kms:GetPublicKey"),
        "{said}"
    );

    let world = cloud.world("nobody", "store = \"s3://versioned/refused\"\npath_style = true\n");
    let said = refused(&world);
    assert!(said.contains("s3:PutObject: AccessDenied") && said.contains("needs s3:PutObject"), "{said}");

    let world = cloud.world("recorder", &cloud.on_weed("refused").replace(&cloud.sign, &cloud.data));
    let said = refused(&world);
    assert!(said.contains("kms:GetPublicKey: ") && said.contains("(request id "), "{said}");

    let world = cloud.world("recorder", &weed_store("http://127.0.0.1:9", "refused"));
    let said = refused(&world);
    assert!(said.contains("s3:PutObject: ") && said.contains("hint: check the network"), "{said}");
}

#[test]
fn a_disabled_key_is_told_as_such() {
    let cloud = Cloud::shared();
    let key = cloud.owner(
        "key = kms.create_key()['KeyMetadata']['Arn']\nkms.disable_key(KeyId=key)\nprint(key, end='')",
    );
    let world = cloud.world("recorder", &cloud.on_weed("disabled").replace(&cloud.data, &key));
    let said = refused(&world);
    assert!(said.contains("kms:GenerateDataKey: ") && said.contains("DisabledException"), "{said}");
    assert!(said.contains("(request id ") && said.contains("hint: the KMS key is not usable"), "{said}");
}

#[test]
fn expired_credentials_are_told_as_such() {
    let cloud = Cloud::shared();
    let world = cloud.world("expired", &cloud.versioned("expired"));
    let profile = cloud.owner(
        "import botocore.config, time
config = botocore.config.Config(parameter_validation=False)
made = boto3.client('sts', region_name='us-east-1', config=config, **keys).get_session_token(DurationSeconds=1)
made = made['Credentials']
mine = dict(keys, aws_access_key_id=made['AccessKeyId'], aws_secret_access_key=made['SecretAccessKey'])
mine = boto3.client('kms', region_name='us-east-1', aws_session_token=made['SessionToken'], **mine)
while True:
    try:
        mine.list_keys()
        time.sleep(0.05)
    except mine.exceptions.ClientError:
        break
print('[expired]', 'aws_access_key_id = ' + made['AccessKeyId'], 'aws_secret_access_key = ' + made['SecretAccessKey'],
    'aws_session_token = ' + made['SessionToken'], sep='\\n')",
    );
    std::fs::write(world.home().join(".aws/credentials"), profile).unwrap();
    let said = refused(&world);
    assert!(said.contains("ExpiredToken") && said.contains("hint: the credentials have expired"), "{said}");
}

#[test]
fn the_store_dies_in_the_middle_and_recover_finishes() {
    let cloud = Cloud::shared();
    let dir = tempfile::tempdir().unwrap();
    let weed = Weed::new(dir.path());
    let server = weed.start();
    bucket(&server);
    let evidence = weed_store(&server.url(), "died") + &cloud.keys();
    let world = cloud.world("recorder", &evidence);
    let go = world.home().join("go");
    let script = format!("echo before; until test -e {}; do sleep 0.05; done; echo after", go.display());
    let shell =
        world.shell().args(["open", "--reason", "a test", "--", "sh", "-c", &script]).spawn().unwrap();
    until("something is shipped", || !world.spools().is_empty() && stored(&server.url()) > 2);
    server.kill();
    std::fs::write(&go, "").unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(world.spools().len(), 1, "what was not shipped waits");
    let server = weed.start();
    bucket(&server);
    until("the old volumes are there again", || readable(&server.url()));
    let recovered = world.recover();
    assert!(recovered.status.success() && world.spools().is_empty(), "{recovered:?}");
    let (_, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(verdict.starts_with("intact: "), "{verdict}");
    cloud.configure(&world, "auditor", &evidence);
    assert_eq!(replay(&world, &["cat", "last"]).1, "before\nafter\n");
}

#[test]
fn a_lost_answer_is_no_lost_race() {
    let cloud = Cloud::shared();
    let proxy = Proxy::start(cloud.weed.port);
    let (mine, direct) = (store(&edge(&proxy.url()), "lost"), weed(cloud, "lost"));
    proxy.turn(Weather::LosePut);
    mine.put_new("claims/1", b"mine").unwrap();
    assert_eq!(direct.get("claims/1", 9).unwrap(), b"mine", "stored by the attempt whose answer was lost");
    direct.put_new("claims/2", b"theirs").unwrap();
    proxy.turn(Weather::LosePut);
    assert!(matches!(mine.put_new("claims/2", b"mine"), Err(StoreError::Exists(_))));
    assert!(matches!(mine.put_new("claims/1", b"mine"), Err(StoreError::Exists(_))), "one attempt: not ours");
}

#[test]
fn a_store_that_says_nothing_is_noticed_and_holds_nobody_up() {
    let cloud = Cloud::shared();
    let proxy = Proxy::start(cloud.weed.port);
    let evidence = weed_store(&proxy.url(), "silent") + &cloud.keys();
    let world = cloud.world("recorder", &evidence);
    proxy.turn(Weather::Hang);
    let began = Instant::now();
    let said = refused(&world);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(said.contains("s3:PutObject: ") && said.contains("hint: check the network"), "{said}");
    proxy.turn(Weather::Fair);
    // What was begun ends as a recovered tape, not as a hole in the host's count.
    assert!(world.recover().status.success() && world.spools().is_empty());
    let (_, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(verdict.starts_with("recovered: "), "{verdict}");
}

#[test]
fn a_store_that_falls_silent_is_told_on_the_terminal_and_the_session_goes_on() {
    let cloud = Cloud::shared();
    let proxy = Proxy::start(cloud.weed.port);
    let world = cloud.world("recorder", &(weed_store(&proxy.url(), "fell") + &cloud.keys()));
    let mut shell = world.quiet_shell();
    shell.args(["open", "--reason", "a test", "--", "sh"]);
    let mut driver = Driver::spawn(shell);
    driver.send("echo be''fore\n");
    driver.wait_for("before");
    proxy.turn(Weather::Hang);
    let began = Instant::now();
    driver.send("echo dur''ing\n");
    driver.wait_for("during");
    driver.wait_for("bg-shell: the evidence store does not answer");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    proxy.turn(Weather::Fair);
    driver.wait_for("bg-shell: the evidence store answers again");
    driver.send("exit\n");
    assert_eq!(driver.wait(), 0, "{}", world.said());
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 0 && verdict.starts_with("intact: "), "{verdict}");
}

#[test]
fn a_key_service_that_dies_leaves_a_tape_that_recover_ends() {
    let cloud = Cloud::shared();
    let proxy = Proxy::start(cloud.aws.port);
    let world = cloud.world("recorder", &cloud.on_weed("keyless"));
    let config = world.home().join(".config/bg-shell/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace(&cloud.aws.url(), &proxy.url())).unwrap();
    let go = world.home().join("go");
    let script = format!("echo on; until test -e {}; do sleep 0.05; done", go.display());
    let mut shell = world.quiet_shell();
    shell.args(["open", "--reason", "a test", "--", "sh", "-c", &script]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("on");
    proxy.turn(Weather::Hang);
    let began = Instant::now();
    std::fs::write(&go, "").unwrap();
    assert_eq!(driver.wait(), 125, "{}", world.said());
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    let said = world.said();
    assert!(said.contains("kms:Sign: ") && said.contains("hint: check the network"), "{said}");
    proxy.turn(Weather::Fair);
    assert!(world.recover().status.success() && world.spools().is_empty());
    let (_, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(verdict.starts_with("recovered: "), "{verdict}");
}

#[test]
fn objects_are_locked_where_that_is_configured() {
    let cloud = Cloud::shared();
    cloud.owner("s3.create_bucket(Bucket='locked', ObjectLockEnabledForBucket=True)");
    let lock = "object_lock = \"governance\"\nobject_lock_days = 2\n";
    let evidence = cloud.versioned("tapes").replace("s3://versioned", "s3://locked") + lock;
    let world = cloud.world("recorder", &evidence);
    record(&world, "echo kept");
    assert_eq!(replay(&world, &["verify", "last"]).0, 0);
    let modes = cloud.owner(
        "import datetime
for entry in s3.list_objects_v2(Bucket='locked', Prefix='tapes/sessions')['Contents']:
    head = s3.head_object(Bucket='locked', Key=entry['Key'], ChecksumMode='ENABLED')
    days = (head['ObjectLockRetainUntilDate'] - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400
    print(head['ObjectLockMode'], round(days, 1), len(head['ChecksumSHA256']), head['ContentType'])",
    );
    assert!(modes.lines().count() >= 4, "{modes}");
    assert!(modes.lines().all(|line| line == "GOVERNANCE 2.0 44 application/octet-stream"), "{modes}");
}

/// Returns how many objects of tapes there are.
fn stored(endpoint: &str) -> usize {
    let edge = edge(endpoint);
    store(&edge, "died").list("sessions/").map_or(0, |entries| entries.len())
}

/// Returns whether all of them can be read.
fn readable(endpoint: &str) -> bool {
    let edge = edge(endpoint);
    let store = store(&edge, "died");
    let entries = store.list("sessions/").unwrap_or_default();
    !entries.is_empty() && entries.iter().all(|entry| store.get(&entry.key, 1 << 20).is_ok())
}

fn weed(cloud: &Cloud, prefix: &str) -> S3Store {
    store(&edge(&cloud.weed.url()), prefix)
}

fn store(edge: &Edge, prefix: &str) -> S3Store {
    let config = EvidenceConfig { path_style: true, ..EvidenceConfig::default() };
    S3Store::open(S3Config::parse(&format!("s3://evidence/{prefix}"), &config).unwrap(), edge)
}

fn edge(endpoint: &str) -> Edge {
    let reach =
        Reach { region: Some("us-east-1".into()), endpoint: Some(endpoint.to_owned()), ..Reach::default() };
    Edge::open(&reach).unwrap().with_credentials(Credentials::new(
        WEED_KEYS[0],
        WEED_KEYS[1],
        None,
        None,
        "tests",
    ))
}

/// Returns the public half of the signing key as `openssl` reads it.
fn public_key(cloud: &Cloud) -> String {
    let script = format!(
        "import base64, textwrap\nder = kms.get_public_key(KeyId='{}')['PublicKey']
print('-----BEGIN PUBLIC KEY-----', *textwrap.wrap(base64.b64encode(der).decode(), 64), '-----END PUBLIC KEY-----', sep='\\n')",
        cloud.sign
    );
    cloud.owner(&script)
}
