//! Faults of what a checkpoint says (FORMAT.md 8).

use bg_recorder::chain::Digest;
use bg_recorder::checkpoint::Checkpoint;
use bg_recorder::session::SessionId;
use bg_recorder::sign::SessionKey;

use super::{Fault, Row, as_it_is, bent};
use crate::forge::Bend;

pub fn list() -> Vec<Fault> {
    bent(ROWS, |checkpoint| Bend { checkpoint, ..as_it_is() }).collect()
}

/// What a checkpoint says.
const ROWS: &[Row<fn(&mut Checkpoint)>] = &[
    ("checkpoint_of_another_session", CHECKPOINT, "names another session", |c| {
        if c.checkpoint == 1 {
            c.session = SessionId::mint()
        }
    }),
    ("checkpoint_number", CHECKPOINT, "says another number than its name", |c| {
        if c.checkpoint == 1 {
            c.checkpoint = 7
        }
    }),
    ("checkpoint_frames", CHECKPOINT, "counts other frames", |c| {
        if c.checkpoint == 1 {
            c.frames += 1
        }
    }),
    ("checkpoint_link", CHECKPOINT, "names another link", |c| {
        if c.checkpoint == 1 {
            c.link = c.link.frame(0, b"")
        }
    }),
    ("checkpoint_digest", CHECKPOINT, "names another digest for its segment", |c| {
        if c.checkpoint == 1 {
            c.objects[1].1 = Digest::of(b"")
        }
    }),
    ("checkpoint_objects_swapped", CHECKPOINT, "lists its two objects in the wrong order", |c| {
        if c.checkpoint == 1 {
            c.objects.swap(0, 1)
        }
    }),
    ("checkpoint_time_goes_back", CHECKPOINT, "boot time goes back", |c| {
        if c.checkpoint == 1 {
            c.boot_us = 5_100_000
        }
    }),
    ("checkpoint_of_another_boot", CHECKPOINT, "another boot id than the genesis", |c| {
        if c.checkpoint == 1 {
            c.boot_id = "6b1ff9a2-3c5e-4e2f-8a4e-1d2c3b4a5968".into()
        }
    }),
    (
        "checkpoint_next_key",
        "checkpoints/0000000002",
        "the key it names is not the one that signs the next note",
        |c| {
            if c.checkpoint == 1 {
                c.next = SessionKey::generate().unwrap().public()
            }
        },
    ),
    ("cosignature_of_another_text", CHECKPOINT, "the cosignature is over something else", |c| {
        if let Some(cosigned) = &mut c.cosigned {
            cosigned.signature = FOREIGN_SIGNATURE.into()
        }
    }),
    (
        "cosignature_of_itself",
        CHECKPOINT,
        "the cosignature names a checkpoint that is not earlier",
        |c| {
            if let Some(cosigned) = &mut c.cosigned {
                cosigned.checkpoint = 1
            }
        },
    ),
];

const CHECKPOINT: &str = "checkpoints/0000000001";
/// A well-formed DER signature over something else.
const FOREIGN_SIGNATURE: &str = "MEQCIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAiABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==";
