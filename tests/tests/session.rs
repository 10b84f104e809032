//! A session from the responder's side.

use std::process::{Command, Stdio};

use bg_recorder::chain::Digest;
use rustix::process::getuid;

use crate::support::driver::Driver;
use crate::support::tape::Tape;
use crate::support::world::{World, stderr};

#[test]
fn a_command_is_recorded_and_its_status_passed_through() {
    let world = World::new();
    let output = world.record("printf hello; exit 7");
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    assert_eq!(output.stdout, b"hello");
    assert_eq!(world.export("raw"), b"hello");
    assert_eq!(world.verify("last")["verdict"], "intact");
}

#[test]
fn a_shell_on_a_terminal_is_recorded_and_the_terminal_restored() {
    let world = World::new();
    let mut shell = world.shell();
    shell.env("PS1", "ready> ");
    let mut driver = Driver::spawn(shell);
    let before = driver.settings();
    driver.wait_for("ready> ");
    driver.send("echo $((6*7))\r");
    driver.wait_for("42");
    driver.send("exit 3\r");
    assert_eq!(driver.wait(), 3, "{}", driver.screen());
    assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
    assert!(String::from_utf8_lossy(&world.export("raw")).contains("42"));
}

#[test]
fn without_a_command_the_shell_of_the_environment_runs() {
    for args in [&[][..], &["open"][..]] {
        let world = World::new();
        let mut shell = world.shell();
        let mut driver = Driver::spawn({
            shell.args(args).env("SHELL", "/bin/bash").env("PS1", "ready> ");
            shell
        });
        driver.send("echo \"<${BASH_VERSION:+bash}>\"; exit\r");
        driver.wait_for("<bash>");
        assert_eq!(driver.wait(), 0);
        assert_eq!(world.tape().note("genesis")["about"]["program"], "/bin/bash");
    }
}

#[test]
fn a_shell_that_is_named_wins_over_the_environments() {
    let world = World::new();
    let mut shell = world.shell();
    shell.args(["--shell", "/bin/bash"]).env("SHELL", "/bin/false");
    let mut driver = Driver::spawn(shell);
    driver.send("echo \"<${BASH_VERSION:+bash}>\"; exit\r");
    driver.wait_for("<bash>");
    assert_eq!(driver.wait(), 0);
}

#[test]
fn an_end_by_a_signal_is_128_plus_its_number() {
    for (signal, number) in [("HUP", 1), ("KILL", 9), ("SEGV", 11), ("TERM", 15)] {
        let world = World::new();
        let output = world.record(&format!("kill -{signal} $$"));
        assert_eq!(output.status.code(), Some(128 + number), "{}", stderr(&output));
        let tape = world.tape();
        let about = &tape.note("seal")["about"];
        assert_eq!(
            (&about["ended"], &about["signal"], &about["exit"]),
            (&"exit".into(), &number.into(), &(128 + number).into())
        );
        let exit = tape.events().pop().unwrap();
        assert_eq!((exit.line.code, exit.line.data), ('x', (128 + number).to_string()));
    }
}

#[test]
fn a_command_that_no_kernel_can_start_is_told_apart_from_one_that_failed() {
    let world = World::new();
    let script = world.home().join("script");
    for (text, code) in [("#!/no/such/interpreter\n", 127), ("#!/etc/passwd\n", 126)] {
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
        let output = world.shell().args(["open", "--"]).arg(&script).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(
            stderr(&output).contains("bg-shell: error: cannot run the command"),
            "{}",
            stderr(&output)
        );
        world.tapes().last().unwrap().assert_intact();
    }
}

#[test]
fn the_session_knows_which_one_it_is() {
    let world = World::new();
    let output = world.record("printf %s \"$BG_SHELL_SESSION\"");
    let tape = world.tape();
    assert_eq!(String::from_utf8_lossy(&output.stdout), tape.id());
    assert_eq!(tape.note("genesis")["session"], tape.id());
    assert_eq!(tape.note("seal")["session"], tape.id());
}

#[test]
fn standard_output_has_the_sessions_bytes_and_standard_error_ours() {
    let world = World::new();
    let output = world.record("echo out; echo err >&2");
    // One terminal carries both. It leaves bytes as they are where ours go to a file or a pipe.
    assert_eq!(output.stdout, b"out\nerr\n");
    let said = stderr(&output);
    assert!(said.lines().all(|line| line.starts_with("bg-shell: ")), "{said}");
    for words in [
        "PRACTICE session",
        "recorded: output, and keys",
        "ends in 1h",
        "read back from the store: intact",
        "bg-replay play",
    ] {
        assert!(said.contains(words), "{words:?} in {said}");
    }
    assert_eq!(world.tape().output(), output.stdout);
}

#[test]
fn the_genesis_says_who_why_and_what() {
    let world = World::new();
    let mut shell = world.shell();
    shell.args([
        "open",
        "--reason",
        "disk \"full\" on db-3 \u{2014} again",
        "--incident",
        "INC-7",
        "--max-duration",
        "90m",
    ]);
    assert!(shell.args(["--", "sh", "-c", "true"]).status().unwrap().success());
    let genesis = world.tape().note("genesis");
    let about = &genesis["about"];
    assert_eq!(about["reason"], "disk \"full\" on db-3 \u{2014} again");
    assert_eq!(about["incident"], "INC-7");
    assert_eq!(about["role"], "practice");
    assert_eq!(about["max_duration_s"], 5_400);
    assert_eq!(about["uid"], getuid().as_raw());
    let program = about["program"].as_str().unwrap();
    assert!(program.ends_with("sh") && !program.contains(' '), "{program}");
    let command = format!("{program}\0-c\0true\0");
    assert_eq!(about["command_sha256"], Digest::of(command.as_bytes()).to_string());
    assert_eq!((&about["cols"], &about["rows"]), (&80.into(), &24.into()));
    assert_eq!(genesis["host"]["seq"], 1);
}

#[test]
fn the_arguments_of_a_command_are_nowhere_in_the_clear() {
    let world = World::new();
    let secret = "-pcorrect-horse-battery";
    let status = world.shell().args(["--", "sh", "-c", ": fine", "it's", secret]).status().unwrap();
    assert!(status.success());
    let mut looked = 0;
    let mut dirs = vec![world.state()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
                continue;
            }
            looked += 1;
            let bytes = std::fs::read(entry.path()).unwrap();
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} has it", entry.path().display());
        }
    }
    assert!(looked > 3, "genesis, segment, checkpoint, seal");
    let cast = String::from_utf8(world.export("cast")).unwrap();
    let header: serde_json::Value = serde_json::from_str(cast.lines().next().unwrap()).unwrap();
    let command = header["command"].as_str().unwrap();
    assert!(command.ends_with(&format!("sh -c ': fine' 'it'\\''s' {secret}")), "{command}");
    world.tape().assert_intact();
}

#[test]
fn sessions_of_a_host_are_counted_and_linked() {
    let world = World::new();
    for _ in 0..3 {
        assert!(world.record("true").status.success());
    }
    let notes: Vec<_> =
        world.tapes().iter().map(|tape| (tape.note("genesis"), tape.note("seal"))).collect();
    for (seq, pair) in (2..).zip(notes.windows(2)) {
        let host = &pair[1].0["host"];
        assert_eq!((&host["seq"], &host["previous"]["link"]), (&seq.into(), &pair[0].1["link"]));
    }
}

#[test]
fn sessions_that_begin_at_once_do_not_disturb_each_other() {
    let world = World::new();
    let start = || {
        world
            .shell()
            .args(["open", "--", "sh", "-c", "printf here"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let started: Vec<_> = (0..16).map(|_| start()).collect();
    for child in started {
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), &*output.stdout),
            (Some(0), &b"here"[..]),
            "{}",
            stderr(&output)
        );
    }
    let tapes = world.tapes();
    tapes.iter().for_each(Tape::assert_intact);
    let mut counts: Vec<u64> =
        tapes.iter().map(|tape| tape.note("genesis")["host"]["seq"].as_u64().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=16).collect::<Vec<u64>>());
}

#[test]
fn nothing_of_a_session_outlives_it() {
    let world = World::new();
    // What ignores the hang-up of its terminal is there to be killed; the shell waits until both do.
    let stubborn = |how: &str| {
        format!(
            "mkfifo $HOME/{how}; {how} sh -c 'trap \"\" HUP; : >$HOME/{how}; exec sleep 1000' >/dev/null 2>&1 & : <$HOME/{how}; "
        )
    };
    let output =
        world.record(&format!("{}{}(sleep 1000 &); exit 4", stubborn("setsid"), stubborn("nohup")));
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert_eq!(world.processes(), []);
    assert_eq!(world.spools().len(), 0);
    let tape = world.tape();
    assert_eq!(tape.notices("killed")[0]["processes"], tape.note("seal")["about"]["killed"]);
    assert!(tape.note("seal")["about"]["killed"].as_u64().unwrap() >= 2);
}

#[test]
fn the_session_has_the_signals_that_a_login_gives() {
    let world = World::new();
    // Ignored signals and masks are inherited through execve(2): an ignored SIGPIPE would make `yes | head` hang.
    let signals = "grep -E '^Sig(Ign|Blk)' /proc/self/status; yes | head -n 1";
    // Who runs the suite in the background ignores what a keyboard sends; a login does not.
    let login = ["--default-signal=HUP,INT,QUIT", "sh", "-c", signals];
    let expected = Command::new("env").args(login).output().unwrap().stdout;
    let text = String::from_utf8(world.record(signals).stdout).unwrap();
    assert_eq!(text.replace('\r', ""), String::from_utf8_lossy(&expected));
}

#[test]
fn no_signal_is_blocked_in_a_session_whoever_blocks_some_outside() {
    let world = World::new();
    let shell = env!("CARGO_BIN_EXE_shell-under-test");
    let mut blocked = world.command("env");
    blocked.args(["--block-signal=TERM,HUP,INT,CHLD,USR1", shell, "open", "--"]);
    let output = blocked.args(["grep", "^SigBlk", "/proc/self/status"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(shown.trim_end(), "SigBlk:\t0000000000000000", "{}", stderr(&output));
}

#[test]
fn it_can_be_a_login_shell() {
    let world = World::new();
    let output = world.shell().args(["-c", "printf via-c; exit 3"]).output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(3), &b"via-c"[..]), "{output:?}");
    let said = stderr(&output);
    assert!(said.contains(" in 1 segment, "), "{said}");
    let shell = env!("CARGO_BIN_EXE_shell-under-test");
    let output = world.shell().env("SHELL", shell).args(["-c", "printf inner"]).output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"inner"[..]), "{output:?}");
}
