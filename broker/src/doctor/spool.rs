//! The spool: what a session writes before it is stored.

use std::fs;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::finding::Finding;
use crate::world::World;

/// Checks the space for spools, and what lies in it.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let state = world.evidence().state();
    let Some(place) = state.ancestors().find(|path| path.exists()) else { return };
    findings.push(space(place));
    let left = fs::read_dir(world.evidence().spool())
        .map_or(0, |entries| entries.filter_map(Result::ok).count());
    if left > 0 {
        let why = "a session that lives has one; any other was left by a recorder that was killed";
        findings.push(Finding::warn(
            "spool left",
            format!("{left} of them"),
            why,
            "bg-shell recover",
        ));
    }
}

fn space(place: &Path) -> Finding {
    if access(place, Access::WRITE_OK).is_err() {
        let why = "no session begins without a spool";
        return Finding::fail("spool", format!("cannot write to {}", place.display()), why, FIX);
    }
    let Ok(stat) = statvfs(place) else {
        return Finding::warn(
            "spool",
            "not looked at: its file system does not say",
            "it may be full",
            FIX,
        );
    };
    let free_mib = stat.f_bavail.saturating_mul(stat.f_frsize) >> 20;
    let saw = format!("{free_mib} MiB free in {}", place.display());
    let why = "a session ends when its spool is full";
    match free_mib {
        ..FAIL_MIB => Finding::fail("spool", saw, why, FIX),
        FAIL_MIB..WARN_MIB => Finding::warn("spool", saw, why, FIX),
        WARN_MIB.. => Finding::ok("spool", saw),
    }
}

const FAIL_MIB: u64 = 64;
/// Many hours of output, with the store down.
const WARN_MIB: u64 = 1_024;
const FIX: &str =
    "make room, or set evidence.state to a larger file system that bg-shell may write";
