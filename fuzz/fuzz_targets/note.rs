//! Genesis, checkpoint, seal, recovery and facts: what parses must assemble to the same bytes.
#![no_main]

use bg_recorder::checkpoint::Checkpoint;
use bg_recorder::closing::{Recovery, Seal};
use bg_recorder::genesis::Genesis;
use bg_recorder::note::{Note, NoteKind, assemble};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for kind in [
        NoteKind::Genesis,
        NoteKind::Checkpoint,
        NoteKind::Seal,
        NoteKind::Recovery,
        NoteKind::Fact,
    ] {
        if let Ok(note) = Note::parse(kind, bytes) {
            assert_eq!(assemble(note.text, &note.signatures), bytes);
            let read = match kind {
                NoteKind::Genesis => note.read::<Genesis>().is_ok(),
                NoteKind::Checkpoint => note.read::<Checkpoint>().is_ok(),
                NoteKind::Seal => note.read::<Seal>().is_ok(),
                NoteKind::Recovery => note.read::<Recovery>().is_ok(),
                NoteKind::Fact => false,
            };
            std::hint::black_box(read);
        }
    }
});
