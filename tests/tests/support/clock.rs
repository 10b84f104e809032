//! The wall clock of one running process, set from outside. Its vDSO (vdso(7)) is written over, so that no other clock
//! is touched; that is x86-64's, and needs root.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::process::Command;

/// A process's wall clock.
pub struct WallClock {
    memory: File,
    /// Where the seconds are that it is off.
    off: u64,
}

impl WallClock {
    /// Takes it over; it goes right at first. None where that cannot be done.
    pub fn of(pid: u32) -> Option<Self> {
        if cfg!(not(target_arch = "x86_64")) || !rustix::process::getuid().is_root() {
            return None;
        }
        let at = vdso(pid)?.0 + clock_gettime()?;
        let memory =
            OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem")).ok()?;
        memory.write_all_at(&CODE, at).ok()?;
        Some(Self { memory, off: at + CODE.len() as u64 - 8 })
    }

    /// Sets it to so many seconds after the true time, or before.
    pub fn set(&self, seconds: i64) {
        self.memory.write_all_at(&seconds.to_le_bytes(), self.off).unwrap();
    }
}

/// Returns where a process has its vDSO, and how long it is.
fn vdso(pid: impl std::fmt::Display) -> Option<(u64, usize)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let (from, to) =
        maps.lines().find(|line| line.ends_with("[vdso]"))?.split(' ').next()?.split_once('-')?;
    let number = |hex| u64::from_str_radix(hex, 16).ok();
    Some((number(from)?, (number(to)? - number(from)?).try_into().ok()?))
}

/// Returns where in the vDSO the function is. Every process has the same one.
fn clock_gettime() -> Option<u64> {
    let (at, len) = vdso("self")?;
    let mut image = vec![0; len];
    File::open("/proc/self/mem").ok()?.read_exact_at(&mut image, at).ok()?;
    let copy = tempfile::NamedTempFile::new().ok()?;
    fs::write(copy.path(), image).ok()?;
    let names = Command::new("nm").arg("-D").arg(copy.path()).output().ok()?;
    let names = String::from_utf8(names.stdout).ok()?;
    let line = names.lines().find(|line| line.contains(" __vdso_clock_gettime"))?;
    u64::from_str_radix(line.split(' ').next()?, 16).ok()
}

/// `clock_gettime(2)` by a system call; to the seconds of `CLOCK_REALTIME`, which is 0, the last eight bytes are added.
#[rustfmt::skip]
const CODE: [u8; 40] = [
    0xb8, 0xe4, 0, 0, 0,                  // mov eax, 228
    0x0f, 0x05,                           // syscall
    0x85, 0xff,                           // test edi, edi
    0x75, 0x0a,                           // jne over the next two
    0x48, 0x8b, 0x05, 14, 0, 0, 0,        // mov rax, [rip + 14]
    0x48, 0x01, 0x06,                     // add [rsi], rax
    0x31, 0xc0,                           // xor eax, eax
    0xc3,                                 // ret
    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
    0, 0, 0, 0, 0, 0, 0, 0,
];
