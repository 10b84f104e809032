//! Inside is like outside: everyday programs do in a session what they do without one, whoever runs them.

mod gpg;
mod ssh;
mod vim;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::support::driver::{Driver, find};
use crate::support::resident::{PASSWORD, Resident};
use crate::support::world::World;

#[test]
fn everyday_programs_of_an_ordinary_user_do_inside_what_they_do_outside() {
    for by in ["subreaper", "cgroup"] {
        let world = World::new();
        let Some(resident) = Resident::of(&world) else { return };
        let _sudoers = Sudoers::allow(&resident);
        let cgroup = (by == "cgroup").then(|| Delegated::to(&resident));
        if cgroup.as_ref().is_some_and(Option::is_none) {
            println!("skipped: no cgroup v2 to delegate");
            continue;
        }
        world.contain(by);
        let shell = resident.shell(&world);
        resident.moves_in(&world);
        let neighbour = Neighbour(resident.command(&world, "sleep").arg("1000").spawn().unwrap());
        let bare = || match cgroup.iter().flatten().next() {
            Some(cgroup) => cgroup.command(resident.command(&world, "sh")),
            None => resident.command(&world, "sh"),
        };
        let script = format!("neighbour={}; group={}; {EVERYDAY}", neighbour.0.id(), resident.name);
        agree(&world, &bare, &shell, &script);
        assert_eq!(world.tape().note("genesis")["about"]["containment"], by);
    }
}

#[test]
fn everyday_programs_of_root_do_inside_what_they_do_outside() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: this is about root");
        return;
    }
    for by in ["subreaper", "cgroup"] {
        let world = World::new();
        world.contain(by);
        if by == "cgroup" && !crate::contain::cgroups_here() {
            continue;
        }
        let neighbour = std::process::id();
        let script = format!("neighbour={neighbour}; group=root; {EVERYDAY}{OF_ROOT}");
        agree(&world, &|| world.command("sh"), Path::new(SHELL), &script);
        assert_eq!(world.tape().note("genesis")["about"]["containment"], by);
    }
}

#[test]
fn what_root_unmounts_inside_is_unmounted() {
    if !rustix::process::getuid().is_root() {
        println!("skipped: this is about root");
        return;
    }
    let world = World::new();
    let place = world.home().join("mounted");
    fs::create_dir(&place).unwrap();
    let mount = ["-t", "tmpfs", "none"];
    assert!(Command::new("mount").args(mount).arg(&place).status().unwrap().success());
    let output = world.record("umount mounted");
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let still = mounts.contains(place.to_str().unwrap());
    if still {
        Command::new("umount").arg(&place).status().unwrap();
    }
    assert!(!still && output.status.success(), "{}", crate::support::world::stderr(&output));
}

/// Runs a script on a terminal without and within a session; both must say the same.
fn agree(world: &World, bare: &dyn Fn() -> Command, shell: &Path, script: &str) {
    let shown = |args: &[&OsStr]| {
        let mut command = bare();
        command.args(args).current_dir(world.home());
        let mut driver = Driver::spawn(command);
        let shown = driver.shown();
        String::from_utf8_lossy(&shown).replace('\r', "")
    };
    let outside = shown(&["-c".as_ref(), script.as_ref()]);
    let quiet = r#"exec "$0" open -- sh -c "$1" 2>$HOME/stderr"#;
    let inside = shown(&["-c".as_ref(), quiet.as_ref(), shell.as_ref(), script.as_ref()]);
    assert!(outside.contains("last = 0"), "{outside}");
    assert_eq!(inside, outside, "{}", world.said());
}

#[test]
fn a_password_that_su_asks_for_reaches_it_and_no_tape() {
    let world = World::new();
    let Some(resident) = Resident::of(&world) else { return };
    let shell = resident.shell(&world);
    resident.moves_in(&world);
    let mut shell = resident.command(&world, shell.to_str().unwrap());
    let who = "id -un; exit 4".to_owned();
    shell.args(["open", "--", "su", &resident.name, "-c", &who]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("assword: ");
    driver.send(format!("{PASSWORD}\r"));
    driver.wait_for(&resident.name);
    assert_eq!(driver.wait(), 4, "{}", driver.screen());
    let tape = world.tape();
    assert!(find(&tape.input(), PASSWORD.as_bytes()).is_none());
    assert_eq!(tape.notices("redacted")[0]["bytes"], PASSWORD.len() + 1);
}

/// A process outside that a session's user may see and signal.
struct Neighbour(Child);

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.kill().unwrap_or(());
        self.0.wait().map(drop).unwrap_or(());
    }
}

/// Somebody may become anybody, without a password.
struct Sudoers(PathBuf);

impl Sudoers {
    fn allow(resident: &Resident) -> Self {
        let file = PathBuf::from("/etc/sudoers.d").join(&resident.name);
        let line = format!("{} ALL=(ALL) NOPASSWD: ALL\n", resident.name);
        fs::write(&file, line).unwrap();
        Self(file)
    }
}

impl Drop for Sudoers {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap_or(());
    }
}

/// A cgroup that somebody may make others in, as systemd gives its users one.
struct Delegated(PathBuf);

impl Delegated {
    fn to(resident: &Resident) -> Option<Self> {
        let place = Command::new("sh").args(["-c", PLACE]).output().unwrap();
        let place = PathBuf::from(String::from_utf8_lossy(&place.stdout).trim());
        let cgroup = Self(place.join(format!("test-{}", resident.name)));
        fs::create_dir(&cgroup.0).ok()?;
        let owner = &resident.name;
        let files = ["", "cgroup.procs", "cgroup.subtree_control"].map(|file| cgroup.0.join(file));
        let given = Command::new("chown").arg(owner).args(files).status().unwrap().success();
        (given && cgroup.0.join("cgroup.kill").exists()).then_some(cgroup)
    }

    fn command(&self, command: Command) -> Command {
        let mut inside = Command::new("sh");
        inside.args(["-c", "echo $$ >$0/cgroup.procs && exec \"$@\""]).arg(&self.0);
        inside.arg(command.get_program()).args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).unwrap_or(());
    }
}

const SHELL: &str = env!("CARGO_BIN_EXE_shell-under-test");
/// Says where this process's cgroup v2 is.
const PLACE: &str = r#"echo $(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)$(sed -n 's/^0:://p' /proc/self/cgroup)"#;
/// What people run, each with how it ended. What is not installed says the same on both sides.
const EVERYDAY: &str = r#"
each() { name=$1; shift; "$@" 2>&1; echo "$name = $?"; }
each id id
each sudo sudo -n id -u
each sudo-u sudo -n -u nobody id -un
each ping sh -c 'ping -c 1 -W 2 127.0.0.1 >/dev/null'
each crontab sh -c 'echo "@yearly true" | crontab - && crontab -l && crontab -r'
each newgrp sh -c "echo id -gn | newgrp $group"
each sg sg $group -c 'id -gn'
each chgrp sh -c "touch one && chgrp $group one && stat -c %G one"
each owners stat -c '%U %G %a' /etc /etc/passwd /etc/shadow /usr/bin/sudo
each neighbour kill -0 $neighbour
each seen test -e /proc/$neighbour/stat
each keyring sh -c 'keyctl add user bg-shell-test word @u >/dev/null; keyctl print $(keyctl search @u user bg-shell-test)'
each script sh -c 'script -qc tty /dev/null | sed s/[0-9].*//'
each nobody-else sh -c "kill -0 1 2>/dev/null"
each last true
"#;
/// What only root does.
const OF_ROOT: &str = r#"
each mount sh -c 'mkdir -p m && mount -t tmpfs none m && touch m/here && umount m && ls m'
each su su nobody -s /bin/sh -c 'id -un'
each host-name sh -c 'cat /proc/1/comm'
each last true
"#;
