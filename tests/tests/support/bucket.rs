//! Sessions whose evidence is in a bucket, and the bucket itself.

use std::process::Output;

use aws_credential_types::Credentials;
use bg_aws::edge::{Edge, Reach};
use bg_aws::evidence::EvidenceConfig;
use bg_aws::s3::{S3Config, S3Store};

use super::emulator::{Cloud, WEED_KEYS};
use super::world::{World, stderr};

/// Records `sh -c SCRIPT`, which must go well.
pub fn record(world: &World, script: &str) -> Output {
    let output = world.record(script);
    assert!(output.status.success(), "{output:?}");
    output
}

/// Runs `bg-replay`; returns its exit code and what it said.
pub fn replay(world: &World, args: &[&str]) -> (i32, String, String) {
    let output = world.replay().args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Fails to open a session, and returns what was said.
pub fn refused(world: &World) -> String {
    let output = world.record("echo never");
    assert_eq!(output.status.code(), Some(125), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let said = stderr(&output);
    let errors = said.lines().filter(|line| line.starts_with("bg-shell: error: ")).count();
    assert_eq!(errors, 1, "{said}");
    said
}

/// Returns a place in the SeaweedFS of this test run.
pub fn weed(cloud: &Cloud, prefix: &str) -> S3Store {
    store(&edge(&cloud.weed.url()), prefix)
}

/// Returns a place in the bucket that is reached so.
pub fn store(edge: &Edge, prefix: &str) -> S3Store {
    let config = EvidenceConfig { path_style: true, ..EvidenceConfig::default() };
    S3Store::open(S3Config::parse(&format!("s3://evidence/{prefix}"), &config).unwrap(), edge)
}

/// Reaches a SeaweedFS.
pub fn edge(endpoint: &str) -> Edge {
    let reach = Reach {
        region: Some("us-east-1".into()),
        endpoint: Some(endpoint.to_owned()),
        ..Reach::default()
    };
    Edge::open(&reach).unwrap().with_credentials(Credentials::new(
        WEED_KEYS[0],
        WEED_KEYS[1],
        None,
        None,
        "tests",
    ))
}
