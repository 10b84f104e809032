//! Manual pages and completion, through the real programs and the shells that complete.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::desk::Desk;
use crate::support::world::{World, stderr};

/// Returns the subcommands that a program's help lists.
fn subcommands(mut program: Command) -> Vec<String> {
    let help = program.arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn parses(page: &Path) {
    let Ok(output) = Command::new("groff").args(["-man", "-Tutf8", "-ww"]).arg(page).output()
    else {
        eprintln!("no groff here: {} is not parsed", page.display());
        return;
    };
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
    assert!(output.stdout.len() > 500, "{}", page.display());
}

#[test]
fn each_subcommand_has_a_manual_page_that_parses() {
    let world = World::new();
    for (name, program) in
        [("bg-shell", World::shell as fn(&World) -> Command), ("bg-replay", World::replay)]
    {
        let dir = world.home().join(name).join("man1");
        let made = program(&world).arg("man").arg(&dir).output().unwrap();
        assert!(made.status.success() && made.stdout.is_empty(), "{}", stderr(&made));
        let subcommands = subcommands(program(&world));
        assert!(subcommands.len() > 5 && subcommands.contains(&"man".to_owned()));
        parses(&dir.join(format!("{name}.1")));
        for subcommand in subcommands {
            parses(&dir.join(format!("{name}-{subcommand}.1")));
        }
    }
}

#[test]
fn a_page_says_what_help_says() {
    let world = World::new();
    let dir = world.home().join("man1");
    assert!(world.shell().arg("man").arg(&dir).output().unwrap().status.success());
    let page = fs::read_to_string(dir.join("bg-shell-revoke.1")).unwrap();
    assert!(page.contains("bg\\-shell revoke 01a207f7"), "{page}");
    assert!(page.contains(".SH NOTES"), "{page}");
}

#[test]
fn pages_that_cannot_be_written_are_told_of() {
    let world = World::new();
    fs::write(world.home().join("file"), "").unwrap();
    let made = world.shell().args(["man", "file"]).output().unwrap();
    assert_eq!(made.status.code(), Some(125));
    assert!(stderr(&made).contains("error: cannot write the manual pages into file"));
    let made = world.replay().args(["man", "file"]).output().unwrap();
    assert_eq!(made.status.code(), Some(2));
}

/// A world whose programs have their own names, as a completion script calls them.
struct Prompt {
    world: World,
    programs: PathBuf,
}

impl Prompt {
    fn new() -> Self {
        let world = World::new();
        let programs = world.home().join("bin");
        fs::create_dir(&programs).unwrap();
        symlink(env!("CARGO_BIN_EXE_shell-under-test"), programs.join("bg-shell")).unwrap();
        symlink(env!("CARGO_BIN_EXE_replay-under-test"), programs.join("bg-replay")).unwrap();
        Self { world, programs }
    }

    /// Runs a shell's script; `None` where there is no such shell.
    fn run(&self, shell: &str, args: &[&str], script: &str) -> Option<Output> {
        let inherited = std::env::var("PATH").unwrap();
        let mut command = self.world.command(shell);
        command.env("PATH", format!("{}:{inherited}", self.programs.display()));
        let Ok(output) = command.args(args).args(["-c", script]).output() else {
            eprintln!("no {shell} here: its completion is not tried");
            return None;
        };
        assert!(stderr(&output).is_empty(), "{}", stderr(&output));
        Some(output)
    }

    /// Returns what bash offers for the last of these words.
    fn bash(&self, words: &[&str]) -> Vec<String> {
        let program = words[0];
        let function = program.replace('-', "_");
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let last = words.len() - 1;
        let script = format!(
            "source <({program} completions bash); COMP_WORDS=({}); COMP_CWORD={last}; \
             _{function}_ids {program} \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{}]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            quoted.join(" "),
            last - 1,
        );
        lines(&self.run("bash", &["--norc"], &script).unwrap())
    }

    fn session(&self) -> String {
        self.world.record("true");
        let dir = self.world.tape().dir;
        dir.file_name().unwrap().to_str().unwrap().to_owned()
    }
}

fn lines(output: &Output) -> Vec<String> {
    String::from_utf8(output.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_the_id_of_a_recorded_session() {
    let prompt = Prompt::new();
    let session = prompt.session();
    assert_eq!(prompt.bash(&["bg-replay", "play", ""]), [&*session]);
    assert_eq!(
        prompt.bash(&["bg-replay", "export", "--format", "txt", &session[..5]]),
        [&*session]
    );
    assert_eq!(prompt.bash(&["bg-shell", "report", ""]), [&*session]);
    // What is no id is what the definition says.
    assert_eq!(prompt.bash(&["bg-replay", "pl"]), ["play"]);
    assert!(prompt.bash(&["bg-replay", "play", "--"]).contains(&"--idle-limit".to_owned()));
    assert_eq!(prompt.bash(&["bg-replay", "export", "--format", "js"]), ["jsonl"]);
    let none = prompt.bash(&["bg-replay", "play", "zz"]);
    assert!(none.iter().all(String::is_empty), "{none:?}");
}

#[test]
fn zsh_and_fish_complete_the_id_of_a_recorded_session() {
    let prompt = Prompt::new();
    let session = prompt.session();
    let zsh = "compdef() { : }; compadd() { print -l -- $ids }; source <(bg-replay completions zsh); \
        words=(bg-replay play ''); CURRENT=3; _bg-replay";
    if let Some(offered) = prompt.run("zsh", &["-f"], zsh) {
        assert_eq!(lines(&offered), [&*session]);
    }
    let fish = "bg-replay completions fish | source; complete -C 'bg-replay play '; \
        complete -C 'bg-replay pl'";
    if let Some(offered) = prompt.run("fish", &["--no-config"], fish) {
        let offered = lines(&offered);
        assert!(offered.contains(&session), "{offered:?}");
        assert!(offered.iter().any(|line| line.starts_with("play\t")), "{offered:?}");
    }
}

#[test]
fn the_question_of_a_script_has_an_answer_and_never_an_error() {
    let prompt = Prompt::new();
    let session = prompt.session();
    let ask = |args: &[&str]| {
        let answer = prompt.world.replay().arg("complete-ids").args(args).output().unwrap();
        assert!(answer.status.success() && answer.stderr.is_empty(), "{}", stderr(&answer));
        lines(&answer)
    };
    let store = prompt.world.state().join("evidence");
    fs::write(prompt.world.home().join("bad.toml"), "evidence = 7").unwrap();
    assert_eq!(ask(&["--store", store.to_str().unwrap(), "play", ""]), [&*session]);
    for silent in [
        &[][..],
        &["play"],
        &["--store", "/nowhere", "play", ""],
        &["--config", "bad.toml", "play", ""],
        &["--config", "/nowhere", "play", ""],
        &["--store", "s3://bucket", "--endpoint", "http://127.0.0.1:1", "play", ""],
    ] {
        assert!(ask(silent).is_empty(), "{silent:?}");
    }
}

#[test]
fn the_id_of_a_request_is_offered_where_one_belongs() {
    let desk = Desk::new();
    let filed = desk.run("alice", &["request", "--role", "prod", "--reason", "x"]);
    let id = String::from_utf8(filed.stdout).unwrap();
    let ask = |args: &[&str]| {
        let answer = desk.shell().arg("complete-ids").args(args).output().unwrap();
        assert!(answer.status.success() && answer.stderr.is_empty(), "{}", stderr(&answer));
        String::from_utf8(answer.stdout).unwrap()
    };
    assert!(!id.is_empty());
    for line in [&["approve", ""][..], &["requests", "--watch", ""], &["open", "--request", ""]] {
        assert_eq!(ask(line), id, "{line:?}");
    }
    assert_eq!(ask(&["approve", id.trim(), ""]), "");
    assert_eq!(ask(&["open", "--reason", ""]), "");
    assert_eq!(ask(&["revoke", ""]), "", "no session");
}
