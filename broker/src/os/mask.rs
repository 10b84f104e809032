//! Which signals are blocked: none, whoever started this process.
#![allow(unsafe_code, reason = "pthread_sigmask(3)")]

use std::{io, mem, ptr};

/// Blocks none in this thread, nor in what it starts from now on: a mask is inherited, also through execve(2), and a
/// session whose SIGTERM is blocked could not be ended by it.
///
/// # Errors
/// When the system refuses.
pub fn clear() -> io::Result<()> {
    // SAFETY: a set of signals is plain data, and zeros are one.
    let mut none: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: the set is ours.
    unsafe { libc::sigemptyset(&raw mut none) };
    // SAFETY: the set was made just now; no earlier one is asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut()) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}
