//! Credentials that are just there, renewed, and nobody else's.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;

use super::scene::Scene;
use crate::support::wait::until;
use crate::support::wire::{Fault, Request, Wire};
use crate::support::world::stderr;

#[test]
fn credentials_that_another_tool_renews_are_read_again() {
    let scene = Scene::without_mfa();
    let wire = scene.wire();
    let sandbox = scene.site.sandbox;
    let mut shell = scene.open(": >$HOME/started; until [ -e $HOME/go ]; do sleep 0.05; done");
    let shared = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
        (name == "AWS_SHARED_CREDENTIALS_FILE").then(|| PathBuf::from(value.unwrap()))
    };
    let shared = shell.get_envs().find_map(shared).unwrap();
    let old = std::fs::read_to_string(shared).unwrap();
    let mine = scene.place.join("credentials");
    std::fs::write(&mine, &old).unwrap();
    let shell = shell.env("AWS_SHARED_CREDENTIALS_FILE", &mine).stderr(Stdio::piped());
    let session = shell.stdout(Stdio::null()).spawn().unwrap();
    until("it runs", || scene.site.world.home().join("started").exists());
    let mut new = old.clone();
    let mut dead = Vec::new();
    let mut made = Vec::new();
    for user in ["bg-broker", "bg-revoker"] {
        let (id, secret) = keys_of(&old, user);
        let key = sandbox.call("root", "iam", "create_access_key", json!({"UserName": user}));
        let key = key.unwrap()["AccessKey"].clone();
        let text = |member: &str| key[member].as_str().unwrap().to_owned();
        new = new.replace(&id, &text("AccessKeyId")).replace(&secret, &text("SecretAccessKey"));
        dead.push(id);
        made.push((user, text("AccessKeyId")));
    }
    // What the other tool does: it writes beside the file, and renames.
    std::fs::write(scene.place.join("credentials.new"), new).unwrap();
    std::fs::rename(scene.place.join("credentials.new"), &mine).unwrap();
    let is_dead = move |request: &Request| {
        let authorized = request.header("authorization").unwrap_or_default();
        dead.iter().any(|id| authorized.contains(id))
    };
    let before = wire.requests().len();
    wire.fault(is_dead.clone(), Fault::Status(403, "ExpiredToken"));
    std::fs::write(scene.site.world.home().join("go"), "").unwrap();
    let output = session.wait_with_output().unwrap();
    for (user, id) in made {
        let with = json!({"UserName": user, "AccessKeyId": id});
        sandbox.call("root", "iam", "delete_access_key", with).unwrap();
    }
    let said = stderr(&output);
    assert!(said.contains("access revoked and proved"), "{said}");
    // Who records verifies, and does not read.
    assert!(said.contains("an auditor replays it   bg-replay play "), "{said}");
    let late = wire.requests();
    assert!(!late[before..].iter().any(is_dead), "the dead keys were used again");
    assert_eq!(scene.tape().verdict(), "intact");
}

/// Returns access key and secret of a profile.
fn keys_of(credentials: &str, profile: &str) -> (String, String) {
    let (_, section) = credentials.split_once(&format!("[{profile}]")).unwrap();
    let of = |name: &str| {
        let line = section.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    (of("aws_access_key_id"), of("aws_secret_access_key"))
}

#[test]
fn the_tools_of_a_session_find_its_credentials_with_nothing_set_by_hand() {
    let scene = Scene::without_mfa();
    let output = scene.run(
        "aws sts get-caller-identity --query Arn --output text; aws s3 ls; \
         python -c 'import boto3; print(boto3.client(\"sts\").get_caller_identity()[\"Arn\"])'",
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tape = scene.tape();
    assert_eq!(tape.verdict(), "intact");
    let arn = format!(
        "assumed-role/{}/bg-{}",
        scene.site.role("drill").rsplit('/').next().unwrap(),
        tape.id()
    );
    assert_eq!(text.matches(&arn).count(), 2, "{text}");
    assert!(text.contains("bg-sandbox"), "{text}");
    let about = &tape.note("genesis")["about"];
    assert_eq!((&about["custody"], &about["mfa"]), (&"exported".into(), &"none".into()));
    let active = scene.fact("active");
    assert!(active["assumed_role_id"].as_str().unwrap().ends_with(&format!(":bg-{}", tape.id())));
    let issued = &tape.notices("credentials")[0];
    assert_eq!(
        (&issued["state"], &issued["access_key_id"]),
        (&"issued".into(), &active["access_key_id"])
    );
    assert_eq!(issued["request_id"], active["request_ids"]["assume_role"]);
    let seal = &tape.note("seal")["about"];
    assert!(seal["served"].as_u64().unwrap() >= 3, "{seal}");
    assert_eq!((&seal["issued"], &seal["revocation"]["state"]), (&1.into(), &"revoked".into()));
}

#[test]
fn nothing_of_the_users_aws_configuration_reaches_the_session() {
    let scene = Scene::without_mfa();
    let home = scene.site.world.home().join(".aws");
    std::fs::create_dir_all(&home).unwrap();
    let keys = "[default]\naws_access_key_id = AKIAHIDDEN\naws_secret_access_key = hidden\n";
    std::fs::write(home.join("credentials"), keys).unwrap();
    std::fs::write(home.join("config"), "[profile other]\nregion = eu-west-3\n").unwrap();
    let mut open = scene.open(
        "env | cut -d= -f1 | grep -i ^AWS_ | sort; aws configure list-profiles; \
         aws --profile default s3 ls 2>&1 | cat; aws configure list; \
         ls -la $(dirname $AWS_CONFIG_FILE); echo $AWS_CONFIG_FILE >$HOME/where",
    );
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIAHIDDEN"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ("AWS_SESSION_TOKEN", "hidden"),
        ("AWS_PROFILE", "root"),
        ("AWS_DEFAULT_PROFILE", "root"),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/x"),
        ("AWS_EXECUTION_ENV", "x"),
        ("aws_secret", "hidden"),
    ] {
        open.env(name, value);
    }
    let output = open.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let names: Vec<&str> = text.lines().take_while(|line| line.starts_with("AWS_")).collect();
    let expected = [
        "AWS_CONFIG_FILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SHARED_CREDENTIALS_FILE",
    ];
    assert_eq!(names, expected, "{text}");
    assert!(!text.contains("HIDDEN") && !text.contains("other"), "{text}");
    assert!(
        text.contains("(default) could not be found") && text.contains("container-role"),
        "{text}"
    );
    let dir = PathBuf::from(scene.file("where").trim());
    assert!(!dir.parent().unwrap().exists(), "{dir:?} is still there");
}

#[test]
fn what_carries_no_credentials_reaches_the_session_and_no_proxy_sees_its_token() {
    let scene = Scene::without_mfa();
    let mut open = scene.open("echo $AWS_MAX_ATTEMPTS; echo $no_proxy; echo $NO_PROXY");
    open.env("AWS_MAX_ATTEMPTS", "7").env("no_proxy", "127.0.0.1,.corp.example");
    let output = open.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let hosts = "127.0.0.1,.corp.example,127.0.0.1";
    let expected = format!("7\n{hosts}\n{hosts}\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn bg_shell_goes_to_aws_by_the_way_that_the_environment_prescribes() {
    let scene = Scene::without_mfa();
    let aws = scene.site.sandbox.aws();
    let port: u16 = aws.rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Wire::to(port);
    // Nobody but the proxy knows this name.
    let named = format!("http://aws.bg-shell.invalid:{port}");
    scene.site.configure(|text| text.replace(aws, &named));
    let output = scene.open("true").env("HTTP_PROXY", proxy.endpoint()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(proxy.actions("AssumeRole").len(), 1);
    assert!(stderr(&output).contains("access revoked and proved"), "{}", stderr(&output));

    let seen = proxy.requests().len();
    let mut open = scene.open("true");
    let refused =
        open.env("http_proxy", proxy.endpoint()).env("no_proxy", ".invalid").output().unwrap();
    assert_ne!(refused.status.code(), Some(0), "{}", stderr(&refused));
    assert_eq!(proxy.requests().len(), seen);

    let mut doctor = scene.site.shell();
    let secret = proxy.endpoint().replace("http://", "http://me:pass@");
    let output = doctor.arg("doctor").env("HTTP_PROXY", secret).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = said.lines().find(|line| line.contains("reach proxy")).unwrap_or_default();
    assert!(row.starts_with("ok") && row.ends_with(&proxy.endpoint()), "{said}");
    assert!(!said.contains("pass"), "{said}");
}
