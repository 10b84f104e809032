//! What deploy/ has: the template, its policies as JSON, the configuration examples.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::support::sandbox::{program, root};
use crate::support::world::{World, stderr};

#[test]
fn the_template_has_no_fault_that_a_linter_knows() {
    let output = program("cfn-lint").arg(root().join("deploy/bg-shell.yaml")).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        stderr(&output)
    );
}

#[test]
fn the_json_policies_are_what_the_template_has() {
    let output =
        program("python").arg(root().join("deploy/policies.py")).arg("--check").output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        stderr(&output)
    );
}

#[test]
fn what_is_deployed_is_for_every_partition() {
    let deploy = root().join("deploy");
    let policies = fs::read_dir(deploy.join("policies")).unwrap();
    let mut files: Vec<PathBuf> = policies.map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 10, "{files:?}");
    files.push(deploy.join("bg-shell.yaml"));
    for file in files {
        assert!(!fs::read_to_string(&file).unwrap().contains("arn:aws:"), "{}", file.display());
    }
    let world = World::new();
    let config = world.home().join("config.toml");
    let text = fs::read_to_string(deploy.join("config/single-account.toml")).unwrap();
    for (partition, region) in [("aws-us-gov", "us-gov-west-1"), ("aws-eusc", "eusc-de-east-1")] {
        let there = text.replace("arn:aws:", &format!("arn:{partition}:"));
        fs::write(&config, there.replace("us-east-1", region)).unwrap();
        let output =
            world.shell().args(["config", "check", "--config"]).arg(&config).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("role      prod: arn:{partition}:iam::")), "{output:?}");
    }
}

#[test]
fn no_policy_is_longer_than_aws_takes() {
    for (name, most) in [
        ("emergency-boundary", 6_144),
        ("broker", 6_144),
        ("doctor", 6_144),
        ("emergency-trust", 2_048),
    ] {
        let text = fs::read_to_string(root().join(format!("deploy/policies/{name}.json"))).unwrap();
        let characters = text.chars().filter(|c| !c.is_whitespace()).count();
        assert!(characters < most, "{name}: {characters}");
    }
}

#[test]
fn every_configuration_example_is_read() {
    let mut checked = 0;
    for entry in fs::read_dir(root().join("deploy/config")).unwrap() {
        let world = World::new();
        let mut command: Command = world.shell();
        let output = command
            .args(["config", "check", "--config"])
            .arg(entry.unwrap().path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("role      prod: arn:aws:iam::"), "{output:?}");
        // It fits together; what it names is not on this machine, and that is all that is wrong.
        let mut wrong = said.lines().filter(|line| line.contains("WRONG"));
        assert!(wrong.all(|line| line.contains("/etc/bg-shell/")), "{said}");
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        checked += 1;
    }
    assert!(checked >= 3);
}
