//! Genesis, checkpoint, seal, recovery and facts: what parses must assemble to the same bytes.
#![no_main]

use bg_recorder::checkpoint::Checkpoint;
use bg_recorder::closing::{Recovery, Seal};
use bg_recorder::genesis::Genesis;
use bg_recorder::note::{Kind, Note, assemble};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for kind in [Kind::Genesis, Kind::Checkpoint, Kind::Seal, Kind::Recovery, Kind::Fact] {
        if let Ok(note) = Note::parse(kind, bytes) {
            assert_eq!(assemble(note.text, &note.signatures), bytes);
            let read = match kind {
                Kind::Genesis => note.read::<Genesis>().is_ok(),
                Kind::Checkpoint => note.read::<Checkpoint>().is_ok(),
                Kind::Seal => note.read::<Seal>().is_ok(),
                Kind::Recovery => note.read::<Recovery>().is_ok(),
                Kind::Fact => false,
            };
            std::hint::black_box(read);
        }
    }
});
