//! How a session dies.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use bg_recorder::segment::{Header, Record, Walk};
use rustix::process::{Pid, Signal, kill_process_group};

use super::dice::Dice;
use crate::support::driver::Driver;

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The recorder.
    Recorder,
    /// Its whole process group.
    Group,
    /// The recorder, and then the end of what it wrote last: a machine that lost its power.
    Cut,
}

impl Blow {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Recorder, Self::Group, Self::Cut];

    /// Kills with SIGKILL.
    pub fn strike(self, driver: &Driver) {
        match self {
            Self::Recorder | Self::Cut => driver.signal(Signal::KILL),
            Self::Group => {
                let group = Pid::from_raw(driver.pid().try_into().unwrap()).unwrap();
                // Before setsid(2) it has no group of its own.
                kill_process_group(group, Signal::KILL)
                    .unwrap_or_else(|_| driver.signal(Signal::KILL));
            }
        }
    }
}

/// What a cut left.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// Frames of the session that are whole.
    pub frames: u64,
}

/// Takes the end off the newest segment of the newest spool, from a random byte on: the file ends there, or holds
/// zeros from there, as an unwritten block reads after a power cut.
pub fn cut(spools: &[PathBuf], dice: &mut Dice) -> Option<Cut> {
    let segments = spools.iter().max()?.join("segments");
    let newest = fs::read_dir(segments).ok()?.map(|entry| entry.unwrap().path()).max()?;
    let mut bytes = fs::read(&newest).unwrap();
    let (first, _) = frames(&bytes)?;
    // Half of the cuts are near the end, where a sync is most likely to be missing.
    let reach = if dice.below(2) == 0 { bytes.len() as u64 } else { (bytes.len() as u64).min(512) };
    let at = bytes.len() as u64 - dice.below(reach + 1);
    let file = OpenOptions::new().write(true).open(&newest).unwrap();
    if dice.below(2) == 0 {
        file.set_len(at).unwrap();
        bytes.truncate(at.try_into().unwrap());
    } else {
        let from = usize::try_from(at).unwrap();
        bytes[from..].fill(0);
        file.write_all_at(&bytes[from..], at).unwrap();
    }
    Some(Cut { frames: frames(&bytes).map_or(first, |(_, frames)| frames) })
}

/// Returns how many frames a session has before a segment, and with its whole ones.
fn frames(segment: &[u8]) -> Option<(u64, u64)> {
    let (header, head) = Header::decode(segment).ok()?;
    let mut walk = Walk::new(&header, head);
    while let Ok(Record::Frame { .. }) = walk.step(segment) {}
    Some((header.first_frame, walk.frames()))
}
