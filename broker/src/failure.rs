//! Failures, and the exit codes of bg-shell.

use bg_aws::fault;
pub use bg_cli::failure::Failure;
use bg_cli::program::Program;

/// This program.
pub const BG_SHELL: Program =
    Program { name: "bg-shell", failed: FAILED, hung_up: None, advice: fault::hint };
/// bg-shell itself failed, as with env(1) and timeout(1).
pub const FAILED: u8 = 125;
/// The command exists and cannot be run.
pub const NOT_EXECUTABLE: u8 = 126;
/// The command does not exist.
pub const NOT_FOUND: u8 = 127;
/// The session was revoked.
pub const REVOKED: u8 = 123;
/// The session's time was over, as with timeout(1).
pub const TIMED_OUT: u8 = 124;
/// Something is not finished, as with `bg-replay verify`: an access is pending.
pub const PENDING: u8 = 3;
