//! What waits to be written: whatever a slow writer takes, all of it comes in order, once.
//!
//! The input is a list of turns: a byte below 128 pushes so many of the bytes after it, another flushes into a writer
//! that takes so many a call and, at every 16th, fails.
#![no_main]

use std::cell::{Cell, RefCell};
use std::io;

use bg_relay::to_shell::ToShell;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut outbox = ToShell::default();
    let mut pushed = Vec::new();
    let taken = RefCell::new(Vec::new());
    let mut rest = bytes;
    while let Some((turn, more)) = rest.split_first() {
        if *turn < 128 {
            let (chunk, more) = more.split_at(usize::from(*turn).min(more.len()));
            outbox.push(chunk);
            pushed.extend_from_slice(chunk);
            rest = more;
            continue;
        }
        rest = more;
        let room = Cell::new(usize::from(*turn) - 128);
        let calls = Cell::new(0u8);
        let flushed = outbox.flush(|bytes| {
            calls.set(calls.get() + 1);
            if calls.get() % 16 == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let len = bytes.len().min(room.get()).min(1 + usize::from(*turn % 7));
            room.set(room.get() - len);
            taken.borrow_mut().extend_from_slice(&bytes[..len]);
            Ok(len)
        });
        assert!(pushed.starts_with(&taken.borrow()));
        assert_eq!(
            outbox.is_empty(),
            pushed.len() == taken.borrow().len() && (flushed.is_ok() || outbox.is_empty())
        );
    }
    outbox
        .flush(|bytes| {
            taken.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        })
        .expect("a willing writer");
    assert_eq!(taken.into_inner(), pushed);
    assert!(outbox.is_empty());
});
