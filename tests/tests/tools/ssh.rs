//! Programs that go elsewhere over ssh, to a real sshd on loopback.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::agree;
use crate::support::driver::{Driver, find};
use crate::support::resident::{PASSWORD, Resident};
use crate::support::wait::until;
use crate::support::world::World;

#[test]
fn ssh_and_what_goes_over_it_reach_another_host_from_inside() {
    let world = World::new();
    let Some(resident) = Resident::of(&world) else { return };
    let _configuration = RootsFile::write();
    let sshd = Sshd::start(&world, &resident.name);
    let shell = resident.shell(&world);
    resident.moves_in(&world);
    let script = format!("who={}; port={}; {ELSEWHERE}", resident.name, sshd.port);
    agree(&world, &|| resident.command(&world, "sh"), &shell, &script);
    world.tape().assert_intact();
}

#[test]
fn a_password_that_is_asked_for_on_the_far_side_is_not_on_the_tape() {
    let world = World::new();
    let Some(resident) = Resident::of(&world) else { return };
    let sshd = Sshd::start(&world, &resident.name);
    let shell = resident.shell(&world);
    resident.moves_in(&world);
    let mut shell = resident.command(&world, shell.to_str().unwrap());
    let who = &resident.name;
    let script =
        format!("who={who}; port={}; {SSH}; ssh -t $who@127.0.0.1 su $who -c id", sshd.port);
    shell.args(["open", "--", "sh", "-c", &script]);
    let mut driver = Driver::spawn(shell);
    driver.wait_for("assword: ");
    driver.send(format!("{PASSWORD}\r"));
    driver.wait_for("uid=");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    let tape = world.tape();
    assert!(find(&tape.input(), PASSWORD.as_bytes()).is_none());
    assert_eq!(tape.notices("redacted")[0]["by"], "prompt");
}

/// A file of root's that ssh(1) reads: where it sees another owner, it does not begin.
struct RootsFile(PathBuf);

impl RootsFile {
    fn write() -> Self {
        let name = format!("bg-shell-test-{}.conf", std::process::id());
        let file = PathBuf::from("/etc/ssh/ssh_config.d").join(name);
        fs::write(&file, "Host nothing.invalid\n").unwrap();
        Self(file)
    }
}

impl Drop for RootsFile {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap_or(());
    }
}

/// An sshd of its own, into which one user may.
struct Sshd {
    daemon: Child,
    port: u16,
}

impl Sshd {
    fn start(world: &World, user: &str) -> Self {
        // Where it leaves its privileges.
        fs::create_dir_all("/run/sshd").unwrap();
        let home = world.home();
        for key in ["host", "key"] {
            let mut keygen = Command::new("ssh-keygen");
            let made = keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.join(key));
            assert!(made.status().unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let said = home.join("sshd.log");
        let configuration = configuration(home, user, port);
        fs::write(home.join("sshd.conf"), configuration).unwrap();
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"]).arg(home.join("sshd.conf")).stdin(Stdio::null());
        let daemon = sshd.stderr(fs::File::create(&said).unwrap()).spawn().unwrap();
        until("sshd listens", || {
            fs::read_to_string(&said).is_ok_and(|said| said.contains("Server listening"))
        });
        Self { daemon, port }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.daemon.kill().unwrap_or(());
        self.daemon.wait().map(drop).unwrap_or(());
    }
}

fn configuration(home: &Path, user: &str, port: u16) -> String {
    let home = home.display();
    format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {home}/host\nPidFile none\nUsePAM no\nStrictModes no\n\
         PasswordAuthentication no\nAuthorizedKeysFile {home}/key.pub\nAllowUsers {user}\n\
         Subsystem sftp internal-sftp\n"
    )
}

/// The client's options, with the host's own configuration.
const SSH: &str = r#"ssh() { command ssh -p $port $options "$@"; }
options="-i $HOME/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR""#;
const ELSEWHERE: &str = r#"
options="-i $HOME/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
export GIT_SSH_COMMAND="ssh $options" GIT_CONFIG_NOSYSTEM=1
each() { name=$1; shift; "$@" 2>&1; echo "$name = $?"; }
rm -rf there copy clone; mkdir there; head -c 100000 /dev/zero >there/bytes
each configuration sh -c 'ssh -G example.org | head -1'
each command ssh -p $port $options $who@127.0.0.1 'echo far; exit 7'
each bytes sh -c "ssh -p $port $options $who@127.0.0.1 cat $HOME/there/bytes | md5sum"
each scp scp -q -P $port $options $who@127.0.0.1:$HOME/there/bytes copy
each rsync rsync -e "ssh -p $port $options" $who@127.0.0.1:$HOME/there/bytes copy
git init -q -b main --bare there/repository
each git git clone -q ssh://$who@127.0.0.1:$port$HOME/there/repository clone
each copied cmp there/bytes copy
each last true
"#;
