//! What a recorder and its keeper say to each other: the keeper's arguments, and single lines on the control socket.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use bg_relay::session::{Ended, Ending};
use rustix::process::WaitStatus;

use crate::os::family::Toll;

/// Returns this program again, under its own name in the process list.
pub fn this_program() -> Command {
    let mut program = Command::new("/proc/self/exe");
    program.arg0("bg-shell");
    program
}

/// Reads a keeper's last word.
pub fn parse(line: &str) -> Option<Ended> {
    let mut words = line.splitn(4, ' ');
    let what = words.next()?;
    let number = words.next()?.parse().ok()?;
    let killed = words.next()?.parse().ok()?;
    let how = match what {
        "exited" => Ending::Exited(number),
        "signalled" => Ending::Signalled(number),
        "unheard" => Ending::Unheard,
        "not-started" => {
            let kind = io::Error::from_raw_os_error(number).kind();
            Ending::NotStarted(kind, words.next()?.to_owned())
        }
        _ => return None,
    };
    let survivors = match how {
        Ending::NotStarted(..) => Vec::new(),
        _ => serde_json::from_str(words.next().unwrap_or("[]")).ok()?,
    };
    Some(Ended { how, killed, survivors })
}

/// Returns the last word on a session that was ended because nothing was heard of its recorder.
pub fn unheard(toll: &Toll) -> String {
    let named = serde_json::to_string(&toll.survivors).unwrap_or_default();
    format!("unheard 0 {} {named}", toll.killed)
}

/// Returns the last word on a session whose leader ended with `status`, or not at all.
pub fn last_word(status: Option<&WaitStatus>, toll: &Toll) -> String {
    let named = serde_json::to_string(&toll.survivors).unwrap_or_default();
    let signal = status.and_then(|status| status.terminating_signal());
    match status.and_then(|status| status.exit_status()) {
        Some(code) => format!("exited {code} {} {named}", toll.killed),
        None => {
            format!("signalled {} {} {named}", signal.unwrap_or(SIGKILL), toll.killed)
        }
    }
}

/// The first argument that makes this program a keeper.
pub const ARGUMENT: &str = "__keep";
/// The keeper can begin.
pub const READY: &str = "ready\n";
/// The keeper cannot begin, and why stands behind it.
pub const FAILED: &str = "failed";
/// The recorder's word to begin.
pub const GO: &str = "go\n";
/// The recorder's word to end.
pub const END: &str = "end\n";
/// The recorder's word that it is there.
pub const BEAT: &str = "beat\n";
/// The keeper's word that the leader has ended by itself.
pub const LEADER_ENDED: &str = "leader-ended\n";
/// How often the recorder says that it is there. Both clocks stand still while the machine is suspended.
pub const BEAT_PERIOD: Duration = Duration::from_secs(1);
/// After so long without a word the recorder is not there.
pub const SILENCE_MAX: Duration = Duration::from_secs(10);

/// Makes namespaces, and waits for their init.
pub const NAMESPACE: &str = "namespace";
/// Is the init of a PID namespace.
pub const INIT: &str = "init";
/// Is a subreaper.
pub const SUBREAPER: &str = "subreaper";
/// Holds the session in a cgroup, whose directory follows.
pub const CGROUP: &str = "cgroup";
/// What a leader died of that nobody saw die.
const SIGKILL: i32 = 9;
