//! Whether our clock is right. The SDKs correct a wrong one when they sign, and so nobody would notice: but a tape, an
//! approval and a deadline say what our clock said.

use aws_sdk_sts::config::Builder;
use bg_aws::edge::Edge;

use crate::failure::Failure;
use crate::news::News;
use crate::world::World;

/// Asks STS for the time, before an access is opened.
///
/// # Errors
/// When our clock is more than five minutes off. An STS that does not answer says so later.
pub fn agrees(world: &World, edge: &Edge) -> Result<(), Failure> {
    let config = Builder::from(edge.sdk())
        .interceptor(edge.journal())
        .retry_classifier(edge.renewed())
        .build();
    // What it answers does not matter, nor whether it likes us: every answer has a date.
    drop(edge.wait(aws_sdk_sts::Client::from_conf(config).get_caller_identity().send()));
    let Some(ahead) = edge.journal().ahead_s() else { return Ok(()) };
    let ahead = worse(ahead, world.environment.drill_ahead_s);
    let saw = words(ahead, "sts");
    match ahead.unsigned_abs() {
        off if off > FAIL_S => {
            Err(Failure::new(format!("this machine's clock is {saw}")).hint(HINT))
        }
        off if off > WARN_S => {
            world.hear(&News::ClockOff { saw: &saw });
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A drill may have the clock count as worse than it is, never as better.
fn worse(ahead: i64, drill_ahead: i64) -> i64 {
    let drilled = ahead.saturating_add(drill_ahead);
    if drilled.unsigned_abs() > ahead.unsigned_abs() { drilled } else { ahead }
}

/// Says how two clocks differ.
pub fn words(ahead: i64, service: &str) -> String {
    match ahead {
        0 => format!("as {service}'s, within a second"),
        1.. => format!("{ahead} s ahead of {service}'s"),
        ..0 => format!("{} s behind {service}'s", ahead.unsigned_abs()),
    }
}

/// One step of a time-based code.
pub const WARN_S: u64 = 30;
/// What AWS takes of a signature's age.
pub const FAIL_S: u64 = 300;
const HINT: &str = "set it (timedatectl, chronyc): approvals, deadlines and the tape go by it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_makes_no_wrong_clock_right() {
        assert_eq!([worse(2, 600), worse(-2, 600), worse(0, -600)], [602, 598, -600]);
        for off in [600, -600, 301] {
            assert!(worse(off, -off).unsigned_abs() > FAIL_S);
            assert!(worse(off, i64::MAX).unsigned_abs() > FAIL_S);
        }
    }
}
