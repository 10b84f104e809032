//! The configuration file.

use std::process::Output;

use crate::support::desk::Desk;
use crate::support::world::{World, stderr};

#[test]
fn the_users_file_is_read_and_its_limit_kept() {
    let world = World::new();
    let home = world.home().join("config");
    std::fs::create_dir_all(home.join("bg-shell")).unwrap();
    std::fs::write(
        home.join("bg-shell/config.toml"),
        "[practice]\nmax_duration = \"10m\"\nsecrets = \"record\"\n",
    )
    .unwrap();
    let output =
        world.shell().env("XDG_CONFIG_HOME", &home).args(["open", "--", "true"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let genesis = world.tape().note("genesis");
    assert_eq!(
        (&genesis["about"]["max_duration_s"], &genesis["about"]["secrets"]),
        (&600.into(), &"record".into())
    );
    assert!(stderr(&output).contains("secret prompts, too"), "{}", stderr(&output));
}

#[test]
fn the_command_line_wins_over_the_file() {
    let world = World::new();
    let output = with(&world, "[practice]\nmax_duration = \"10m\"\n", &["--max-duration", "5m"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(world.tape().note("genesis")["about"]["max_duration_s"], 300);
}

#[test]
fn a_file_that_says_something_unknown_is_refused_with_its_line() {
    for (text, line, word) in [
        ("[practice]\nmax_duration = \"10m\"\nsecret = \"record\"\n", 3, "secret"),
        ("[practise]\n", 1, "practise"),
        ("\n[practice]\nsecrets = \"maybe\"\n", 3, "maybe"),
        ("[practice]\nmax_duration = \"soon\"\n", 2, "number"),
        ("[practice]\nmax_duration = \"0s\"\n", 2, "some time"),
        ("[practice\n", 1, "]"),
    ] {
        let world = World::new();
        let output = with(&world, text, &[]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(125), "{text:?}: {said}");
        assert!(
            said.contains(&format!("config.toml, line {line}: ")) && said.contains(word),
            "{text:?}: {said}"
        );
        assert!(said.contains("bg-shell: hint: "), "{text:?}: {said}");
        assert_eq!(world.tapes().len(), 0);
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let world = World::new();
    for (args, variable) in [(&["--config", "/no/such/file"][..], ""), (&[], "/no/such/file")] {
        let mut shell = world.shell();
        if !variable.is_empty() {
            shell.env("BG_SHELL_CONFIG", variable);
        }
        let output = shell.arg("open").args(args).args(["--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        assert!(
            stderr(&output).contains("cannot read the configuration /no/such/file"),
            "{}",
            stderr(&output)
        );
    }
    assert_eq!(world.tapes().len(), 0);
}

#[test]
fn what_is_no_file_of_a_persons_size_is_no_configuration() {
    let world = World::new();
    let big = world.home().join("big.toml");
    std::fs::write(&big, "# much\n".repeat(200_000)).unwrap();
    for (file, why) in [
        ("/dev/zero", "not a regular file"),
        ("/tmp", "not a regular file"),
        (big.to_str().unwrap(), "file too large"),
    ] {
        let output =
            world.shell().env("BG_SHELL_CONFIG", file).args(["open", "--", "true"]).output();
        let said = stderr(&output.unwrap());
        assert!(said.contains("cannot read the configuration") && said.contains(why), "{said}");
    }
}

#[test]
fn what_a_configuration_names_is_read_by_its_check() {
    let desk = Desk::with("quorum = 2\n");
    let check = || {
        let output = desk.shell().args(["config", "check"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &stderr(&output);
        (output.status.code(), said)
    };
    assert_eq!(check().0, Some(0), "{}", check().1);
    desk.configure("quorum = 3\n");
    let (code, said) = check();
    assert!(code == Some(1) && said.contains("2 people besides a requester"), "{said}");
    desk.configure("quorum = 1\nsession_policy = \"/no/policy\"\n[drill]\nrole = \"no\"\n");
    let (code, said) = check();
    assert!(code == Some(1) && said.contains("session_policy is /no/policy"), "{said}");
    assert!(said.contains("there is no such role"), "{said}");
    desk.configure("quorum = 1\nsession_policy = \"policy.json\"\n");
    let (code, said) = check();
    assert!(code == Some(125) && said.contains("a relative path is another file"), "{said}");
    let file = desk.world.home().join("config.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"none\"", "\"nome\"")).unwrap();
    let (code, said) = check();
    assert!(code == Some(125) && !said.contains("did you mean none"), "{said}");
}

fn with(world: &World, text: &str, args: &[&str]) -> Output {
    let file = world.home().join("config.toml");
    std::fs::write(&file, text).unwrap();
    world
        .shell()
        .arg("open")
        .args(args)
        .arg("--config")
        .arg(file)
        .args(["--", "true"])
        .output()
        .unwrap()
}
