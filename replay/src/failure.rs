//! Failures, and the exit codes of bg-replay.

use bg_aws::fault;
pub use bg_cli::failure::Failure;
use bg_cli::program::Program;

/// This program: most of its failures are that it could not look.
pub const BG_REPLAY: Program =
    Program { name: "bg-replay", failed: BLIND, hung_up: Some(0), advice: fault::hint };

/// It is not that we could not look: something is wrong with the content.
pub fn content(what: impl Into<String>) -> Failure {
    Failure::new(what).code(CONTENT)
}

/// Something about the content: a broken tape.
const CONTENT: u8 = 1;
/// Could not look: a missing file, key or right, or a wrong command line. Nor did who did not hear the verdict.
pub const BLIND: u8 = 2;
