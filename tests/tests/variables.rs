//! What of the environment reaches a session, and what of it bg-shell itself obeys.

use crate::support::world::{World, stderr};

#[test]
fn a_practice_session_has_no_aws_credentials_and_keeps_what_carries_none() {
    let world = World::new();
    let aws = world.home().join(".aws");
    std::fs::create_dir(&aws).unwrap();
    std::fs::write(aws.join("credentials"), "[default]\naws_access_key_id = AKIAREAL\n").unwrap();
    let script = "env | grep ^AWS_ | sort; cat $AWS_CONFIG_FILE $AWS_SHARED_CREDENTIALS_FILE";
    let output = world
        .shell()
        .args(["open", "--", "sh", "-c", script])
        .env("AWS_ACCESS_KEY_ID", "AKIAREAL")
        .env("AWS_SECRET_ACCESS_KEY", "real")
        .env("AWS_PROFILE", "real")
        .env("AWS_CONFIG_FILE", aws.join("credentials"))
        .env("AWS_CA_BUNDLE", "/etc/company.pem")
        .env("AWS_MAX_ATTEMPTS", "7")
        .env("AWS_PAGER", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("no AWS credentials in here"), "{}", stderr(&output));
    let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let run = world.state().join("run").join(world.tape().id());
    let expected = [
        "AWS_CA_BUNDLE=/etc/company.pem".to_owned(),
        format!("AWS_CONFIG_FILE={}", run.join("config").display()),
        "AWS_EC2_METADATA_DISABLED=true".to_owned(),
        "AWS_MAX_ATTEMPTS=7".to_owned(),
        "AWS_PAGER=".to_owned(),
        format!("AWS_SHARED_CREDENTIALS_FILE={}", run.join("credentials").display()),
    ];
    assert_eq!(shown.lines().collect::<Vec<_>>(), expected);
    assert!(!run.exists(), "{run:?} is still there");
}

#[test]
fn variables_that_name_the_terminal_name_the_sessions() {
    let world = World::new();
    let script = "tty=$(readlink /proc/$$/fd/1); test $tty = \"$GPG_TTY\" && test $tty = \"$SSH_TTY\" && echo same";
    let mut shell = world.shell();
    shell.args(["open", "--", "sh", "-c", script]);
    let output = shell.env("GPG_TTY", "/dev/pts/99").env("SSH_TTY", "/dev/pts/99").output();
    assert_eq!(output.unwrap().stdout, b"same\n");
    let output = world.record("echo \"<$GPG_TTY$SSH_TTY>\"");
    assert_eq!(output.stdout, b"<>\n", "{}", stderr(&output));
}
