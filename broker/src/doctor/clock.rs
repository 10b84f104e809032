//! The clock: an approval expires, a code is good for 30 seconds, and AWS refuses what was signed too far off.

use super::eyes::Eyes;
use super::finding::Finding;
use crate::account::clock_check::{FAIL_S, WARN_S, words};

/// Judges our clock by the one that is the farthest off of those that were heard.
pub fn check(eyes: &Eyes<'_>, findings: &mut Vec<Finding>) {
    let bucket =
        eyes.bucket.as_ref().and_then(|bucket| bucket.journal.ahead_s()).map(|ahead| ("s3", ahead));
    let heard = eyes.edge.journal().ahead_s().map(|ahead| ("aws", ahead)).into_iter().chain(bucket);
    let Some((service, ahead)) = heard.max_by_key(|(_, ahead)| ahead.unsigned_abs()) else {
        findings.push(Finding::warn(
            "clock",
            "not looked at: no service said what time it is",
            WHY,
            FIX,
        ));
        return;
    };
    let saw = words(ahead, service);
    findings.push(match ahead.unsigned_abs() {
        off if off > FAIL_S => Finding::fail("clock", saw, WHY, FIX),
        off if off > WARN_S => Finding::warn("clock", saw, WHY, FIX),
        _ => Finding::ok("clock", saw),
    });
}

const WHY: &str = "approvals are refused or outlive themselves, codes do not fit, and no access is opened beyond 5 min";
const FIX: &str = "let chrony or systemd-timesyncd set the clock: timedatectl, chronyc tracking";
