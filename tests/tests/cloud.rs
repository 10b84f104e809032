//! Evidence on S3 and keys in KMS, through the real binaries.

use crate::support::bucket::{record, refused, replay};
use crate::support::emulator::{Cloud, WEED_KEYS, weed_store};
use crate::support::world::{World, stderr};

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
        said.contains("kms:Decrypt: AccessDenied")
            && said.contains("hint: the calling principal needs"),
        "{said}"
    );
    // Compliance has no right in KMS at all, only the public key in a file.
    cloud.configure(&world, "compliance", &cloud.versioned("denied"));
    let (code, _, said) = replay(&world, &["verify", "last"]);
    assert!(
        code == 2 && said.contains("kms:GetPublicKey") && said.contains("--trust FILE"),
        "{said}"
    );
    let trust = world.home().join("sign.pem");
    std::fs::write(&trust, public_key(cloud)).unwrap();
    let (code, verdict, _) =
        replay(&world, &["verify", "last", "--trust", trust.to_str().unwrap()]);
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
fn a_store_with_its_own_certificate_is_trusted_only_with_it() {
    let cloud = Cloud::shared();
    let (url, ca) = &cloud.tls;
    let evidence = weed_store(url, "tls") + &cloud.keys();
    let world = cloud.world("recorder", &evidence);
    let said = refused(&world);
    assert!(said.contains("s3:PutObject: ") && said.contains("certificate"), "{said}");
    assert!(said.contains("ca in [aws], in AWS_CA_BUNDLE"), "{said}");
    let output = world.shell().env("AWS_CA_BUNDLE", ca).args(["open", "--", "true"]).output();
    let said = stderr(&output.unwrap());
    assert!(said.contains("read back from the store: intact"), "{said}");
    let verified = world.replay().env("AWS_CA_BUNDLE", ca).args(["verify", "last"]).output();
    assert_eq!(verified.unwrap().status.code(), Some(0));
    let profile = format!("[profile weed]\nca_bundle = {}\n", ca.display());
    std::fs::write(world.home().join(".aws/config"), profile).unwrap();
    record(&world, "echo by the profile");
    assert_eq!(replay(&world, &["verify", "last"]).0, 0);
    std::fs::remove_file(world.home().join(".aws/config")).unwrap();
    cloud.configure(&world, "recorder", &format!("{evidence}ca = \"{}\"\n", ca.display()));
    record(&world, "echo encrypted");
    assert_eq!(replay(&world, &["verify", "last"]).0, 0);
    cloud.configure(&world, "recorder", &format!("{evidence}ca = \"/nonexistent.pem\"\n"));
    let said = refused(&world);
    assert!(said.contains("cannot use the certificates in /nonexistent.pem"), "{said}");
}

#[test]
fn each_refusal_is_one_line_with_a_hint() {
    let cloud = Cloud::shared();
    let world = cloud.world(
        "recorder",
        &cloud.versioned("refused").replace("s3://versioned", "s3://no-such-bucket"),
    );
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
    assert!(
        said.contains("s3:PutObject: AccessDenied") && said.contains("needs s3:PutObject"),
        "{said}"
    );

    let world =
        cloud.world("recorder", &cloud.on_weed("refused").replace(&cloud.sign, &cloud.data));
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
    assert!(
        said.contains("(request id ") && said.contains("hint: the KMS key is not usable"),
        "{said}"
    );
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
    assert!(
        said.contains("ExpiredToken") && said.contains("hint: the credentials have expired"),
        "{said}"
    );
}

/// Returns the public half of the signing key as `openssl` reads it.
pub fn public_key(cloud: &Cloud) -> String {
    let script = format!(
        "import base64, textwrap\nder = kms.get_public_key(KeyId='{}')['PublicKey']
print('-----BEGIN PUBLIC KEY-----', *textwrap.wrap(base64.b64encode(der).decode(), 64), '-----END PUBLIC KEY-----', sep='\\n')",
        cloud.sign
    );
    cloud.owner(&script)
}
