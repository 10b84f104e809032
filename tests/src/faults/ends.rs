//! Faults of a tape's end, and the ends that are none (FORMAT.md 9, 10, 12).

use bg_recorder::chain::Digest;
use bg_recorder::closing::{Recovery, Seal};
use bg_recorder::session::SessionId;

use super::{Fault, Row, as_it_is, bent, broken, edited, verdict};
use crate::forge::{Bend, End, forge};
use crate::vector::Objects;

const SEAL: &str = "seal";
const RECOVERY: &str = "recovery";

pub fn list() -> Vec<Fault> {
    edited(SEALS)
        .chain(bent(SEAL_MEMBERS, |seal| Bend { seal, ..as_it_is() }))
        .chain(bent(RECOVERY_MEMBERS, |recovery| Bend { recovery, ..recovered() }))
        .chain(recoveries())
        .chain(open_ends())
        .chain(seals())
        .collect()
}

fn seals() -> [Fault; 3] {
    [
        broken(
            "seal_squatted",
            SEAL,
            "somebody else wrote under the seal's name, and the session was recovered",
            Bend { end: End::Recovery, ..as_it_is() },
        )
        .edit(|o| drop(o.insert(SEAL.into(), b"garbage".to_vec()))),
        verdict(
            "intact_recovered_by_another",
            "intact",
            "a host took the living session for dead: its seal outranks that recovery",
            Bend { end: End::Both, recovery: |r| r.frames -= 1, ..as_it_is() },
        ),
        verdict(
            "seal_without_read_back",
            "intact",
            "the store could not be read back when the session ended: a note",
            Bend { seal: |s| s.read_back = None, ..as_it_is() },
        ),
    ]
}

/// Seals over what is not there, and objects beside them.
const SEALS: &[Row<fn(&mut Objects)>] = &[
    ("seal_edited", SEAL, "a byte of the seal was edited", |o| {
        let text = String::from_utf8(o[SEAL].clone()).unwrap();
        o.insert(SEAL.into(), text.replacen("\"gaps\":[]", "\"gaps\":{}", 1).into_bytes());
    }),
    ("seal_from_another_tape", SEAL, "the seal of another session's tape", |o| {
        let keys = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/keys");
        o.insert(SEAL.into(), forge(&keys, &as_it_is()).1[SEAL].clone());
    }),
    (
        "seal_after_a_deleted_checkpoint",
        SEAL,
        "the last checkpoint was deleted under a seal",
        |o| drop(o.remove("checkpoints/0000000002")),
    ),
    (
        "seal_over_a_deleted_tail",
        SEAL,
        "the last segment and its checkpoint were deleted under a seal",
        |o| {
            o.remove("segments/0000000002");
            o.remove("checkpoints/0000000002");
        },
    ),
    ("seal_and_recovery", RECOVERY, "a tape with two ends", |o| {
        drop(o.insert(RECOVERY.into(), o[SEAL].clone()))
    }),
    (
        "seal_over_a_cut_segment",
        "segments/0000000002",
        "the last segment has no end marker, in a sealed tape",
        |o| {
            let bytes = o.get_mut("segments/0000000002").unwrap();
            bytes.truncate(bytes.len() - 40);
        },
    ),
    (
        "segment_behind_the_seal",
        "segments/0000000003",
        "somebody else wrote under the name of the segment that would come next",
        |o| drop(o.insert("segments/0000000003".into(), b"garbage".to_vec())),
    ),
];

/// What a seal says.
const SEAL_MEMBERS: &[Row<fn(&mut Seal)>] = &[
    ("seal_of_another_session", SEAL, "names another session", |s| s.session = SessionId::mint()),
    ("seal_segments", SEAL, "counts other segments", |s| s.segments += 1),
    ("seal_frames", SEAL, "counts other frames", |s| s.frames -= 1),
    ("seal_link", SEAL, "names another link", |s| s.link = s.link.frame(0, b"")),
    ("seal_digest", SEAL, "names another digest for the last checkpoint", |s| {
        s.objects[0].1 = Digest::of(b"")
    }),
    ("seal_read_back", SEAL, "fewer objects were read back than there are", |s| {
        if let Some(read_back) = &mut s.read_back {
            read_back.objects -= 1
        }
    }),
    ("seal_time_goes_back", SEAL, "boot time goes back", |s| s.boot_us = 1),
];

/// What a recovery says.
const RECOVERY_MEMBERS: &[Row<fn(&mut Recovery)>] = &[
    ("recovery_frames", RECOVERY, "counts other frames", |r| r.frames += 1),
    ("recovery_stored_segments", RECOVERY, "more segments were stored than there are", |r| {
        r.stored_segments += 1
    }),
    ("recovery_link", RECOVERY, "names another link", |r| r.link = r.link.frame(0, b"")),
    ("recovery_objects", RECOVERY, "leaves an object out", |r| r.objects.truncate(1)),
    ("recovery_of_another_session", RECOVERY, "names another session", |r| {
        r.session = SessionId::mint()
    }),
];

fn recoveries() -> Vec<Fault> {
    vec![
        verdict(
            "recovered",
            "recovered",
            "none: the recorder died, and a later run shipped what it had accepted",
            recovered(),
        ),
        verdict(
            "recovered_at_a_segment_end",
            "recovered",
            "none: the recorder died between two segments",
            Bend { end: End::Recovery, ..as_it_is() },
        ),
        verdict(
            "recovered_without_segment",
            "recovered",
            "none: the recorder died before its first segment was whole",
            Bend { end: End::Recovery, segments: 0, ..as_it_is() },
        )
        .unopened(),
        broken(
            "recovered_before_a_planted_checkpoint",
            "checkpoints/0000000002",
            "somebody else wrote the checkpoint that the recovered tape's last segment never had",
            recovered(),
        )
        .edit(|o| plant(o, "checkpoints/0000000002", "checkpoints/0000000001")),
        broken(
            "recovered_before_a_further_checkpoint",
            "checkpoints/0000000003",
            "somebody else wrote a checkpoint behind the end of a recovered tape",
            recovered(),
        )
        .edit(|o| plant(o, "checkpoints/0000000003", "checkpoints/0000000001")),
        broken(
            "recovered_before_a_further_segment",
            "segments/0000000003",
            "somebody else wrote a segment behind the cut one that a recovered tape ends with",
            recovered(),
        )
        .edit(|o| plant(o, "segments/0000000003", "segments/0000000001")),
        broken(
            "recovered_beside_a_squatted_seal",
            SEAL,
            "somebody else wrote under the seal's name, and the tape was recovered in a segment",
            recovered(),
        )
        .edit(|o| drop(o.insert(SEAL.into(), b"garbage".to_vec()))),
        broken(
            "recovery_with_a_torn_tail",
            RECOVERY,
            "the torn frame is still in the store",
            Bend { torn: Some(30), ..recovered() },
        ),
        broken(
            "recovery_signed_by_a_stranger",
            RECOVERY,
            "the signature is not the signing key's",
            Bend {
                signatures: |kind, lines| {
                    if kind == bg_recorder::note::NoteKind::Recovery {
                        lines[0].bytes[20] ^= 1
                    }
                },
                ..recovered()
            },
        ),
    ]
}

/// Puts the bytes of one object under the name of another.
fn plant(objects: &mut Objects, name: &str, from: &str) {
    let bytes = objects[from].clone();
    objects.insert(name.to_owned(), bytes);
}

fn recovered() -> Bend {
    Bend { end: End::Recovery, torn: Some(0), ..as_it_is() }
}

fn open_ends() -> Vec<Fault> {
    let open = || Bend { end: End::None, ..as_it_is() };
    vec![
        verdict("unfinished", "unfinished", "the seal is missing", open()),
        verdict(
            "unfinished_in_a_segment",
            "unfinished",
            "the recorder died in a segment",
            Bend { torn: Some(0), ..open() },
        ),
        verdict(
            "unfinished_in_a_length",
            "unfinished",
            "the last record ends in its length",
            Bend { torn: Some(3), ..open() },
        ),
        verdict(
            "unfinished_in_an_end_marker",
            "unfinished",
            "the last record is the beginning of an end marker, with other bytes",
            Bend { torn: Some(0), ..open() },
        )
        .edit(|o| {
            let last = o.get_mut("segments/0000000002").unwrap();
            last.extend([0, 0, 0, 0, 9, 9, 9]);
        }),
        verdict(
            "unfinished_with_a_header_of_2100",
            "unfinished",
            "a header says a time that is still to come: no sign of life",
            Bend {
                torn: Some(0),
                header: |h| {
                    if h.segment == 2 {
                        h.wall_us = 4_102_444_800_000_000
                    }
                },
                ..open()
            },
        ),
        verdict(
            "unfinished_with_a_checkpoint_of_2100",
            "unfinished",
            "a clock that ran ahead: no sign of life",
            Bend {
                checkpoint: |c| c.wall = bg_recorder::stamp::Stamp(4_102_444_800_000_000),
                ..open()
            },
        ),
        verdict(
            "unfinished_in_a_frame",
            "unfinished",
            "the last frame is torn",
            Bend { torn: Some(30), ..open() },
        ),
        verdict(
            "unfinished_without_segment",
            "unfinished",
            "nothing but a genesis",
            Bend { segments: 0, ..open() },
        )
        .unopened(),
        verdict(
            "unfinished_without_last_checkpoint",
            "unfinished",
            "the recorder died between a segment and its checkpoint",
            open(),
        )
        .edit(|o| drop(o.remove("checkpoints/0000000002"))),
    ]
}

impl Fault {
    /// There is no frame to open.
    fn unopened(self) -> Self {
        Self { opens: false, ..self }
    }
}
