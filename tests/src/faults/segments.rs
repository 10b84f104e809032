//! Faults of segments and of the chain (FORMAT.md 6 and 7).

use bg_recorder::segment::Header;
use bg_recorder::session::SessionId;

use super::{Fault, Row, as_it_is, bent, edited, verdict};
use crate::forge::{Bend, End, forge};
use crate::vector::Objects;

const FIRST: &str = "segments/0000000000";
const SECOND: &str = "segments/0000000001";
const THIRD: &str = "segments/0000000002";

pub fn list() -> Vec<Fault> {
    edited(BYTES)
        .chain(bent(HEADERS, |header| Bend { header, ..as_it_is() }))
        .chain(edited(CHAIN))
        .chain(unopened())
        .collect()
}

/// A header's bytes.
const BYTES: &[Row<fn(&mut Objects)>] = &[
    ("header_magic", SECOND, "not a segment", |o| o.get_mut(SECOND).unwrap()[0] = b'X'),
    ("header_version_0", SECOND, "downgraded to a version before the first", |o| {
        o.get_mut(SECOND).unwrap()[9] = 0
    }),
    ("header_version_2", SECOND, "a version that is not this one", |o| {
        o.get_mut(SECOND).unwrap()[9] = 2
    }),
    ("header_suite", SECOND, "a suite that version 1 does not have", |o| {
        o.get_mut(SECOND).unwrap()[11] = 0
    }),
    ("header_len", SECOND, "header_len is not 140 + keys_len", |o| {
        o.get_mut(SECOND).unwrap()[15] += 1
    }),
    ("header_cut", SECOND, "the object ends inside its header", |o| {
        o.get_mut(SECOND).unwrap().truncate(100)
    }),
    ("segment_empty", SECOND, "the object has no bytes", |o| o.get_mut(SECOND).unwrap().clear()),
];

/// What a header says.
const HEADERS: &[Row<fn(&mut Header)>] = &[
    ("header_session", SECOND, "another session's segment", |h| {
        if h.segment == 1 {
            h.session = SessionId::mint()
        }
    }),
    ("header_number", SECOND, "says another number than its name", |h| {
        if h.segment == 1 {
            h.segment = 5
        }
    }),
    ("header_first_frame", SECOND, "counts other frames before it", |h| {
        if h.segment == 1 {
            h.first_frame += 1
        }
    }),
    ("header_previous_link", SECOND, "follows another link", |h| {
        if h.segment == 1 {
            h.previous = h.previous.frame(0, b"")
        }
    }),
    ("header_time_goes_back", SECOND, "boot time goes back", |h| {
        if h.segment == 1 {
            h.boot_us = 1
        }
    }),
    ("header_step_skipped", SECOND, "a ratchet step was left out", |h| {
        if h.segment == 1 {
            h.step = 2
        }
    }),
    ("header_epoch_skipped", THIRD, "an epoch was left out", |h| {
        if h.segment == 2 {
            h.epoch = 2
        }
    }),
    ("header_first_epoch", FIRST, "the first epoch is not 0", |h| {
        if h.segment == 0 {
            h.epoch = 1
        }
    }),
    ("header_keys_missing", THIRD, "the first step of an epoch without its wraps", |h| {
        if h.segment == 2 {
            h.keys = None
        }
    }),
    ("header_wrap_of_a_stranger", THIRD, "a wrap for a key that the genesis does not name", |h| {
        if let (2, Some(keys)) = (h.segment, &mut h.keys) {
            keys.wraps[0].key = "bg-shell/stranger".into()
        }
    }),
    ("header_wrap_left_out", THIRD, "no wrap for a key that the genesis names", |h| {
        if let (2, Some(keys)) = (h.segment, &mut h.keys) {
            keys.wraps.clear()
        }
    }),
    ("header_minted_later", THIRD, "the key was asked for after its first segment", |h| {
        if let (2, Some(keys)) = (h.segment, &mut h.keys) {
            keys.minted = 3
        }
    }),
];

/// What no link vouches for.
const CHAIN: &[Row<fn(&mut Objects)>] = &[
    ("frame_edited", SECOND, "a byte of a sealed frame was edited", |o| {
        records(o, SECOND, |r| r[1][20] ^= 1)
    }),
    ("frame_check_edited", SECOND, "a frame's check was edited", |o| {
        records(o, SECOND, |r| r[1][5] ^= 1)
    }),
    ("frame_dropped", SECOND, "a frame in the middle was dropped", |o| {
        records(o, SECOND, |r| drop(r.remove(1)))
    }),
    ("final_frame_dropped", SECOND, "a segment's last frame was dropped", |o| {
        records(o, SECOND, |r| drop(r.remove(2)))
    }),
    ("frame_duplicated", SECOND, "a frame stands twice", |o| {
        records(o, SECOND, |r| r.insert(1, r[1].clone()))
    }),
    ("frames_swapped", SECOND, "two frames are swapped", |o| records(o, SECOND, |r| r.swap(0, 1))),
    ("frame_too_short", SECOND, "a frame shorter than its tag", |o| {
        records(o, SECOND, |r| r[1] = [&16u32.to_be_bytes()[..], &[0; 24]].concat())
    }),
    ("frame_too_long", SECOND, "a frame over its limit", |o| records(o, SECOND, |r| r[1][0] = 1)),
    ("frame_from_elsewhere", SECOND, "a frame of another segment was spliced in", |o| {
        let mut taken = Vec::new();
        records(o, FIRST, |r| taken = r[1].clone());
        records(o, SECOND, |r| r[1] = taken.clone());
    }),
    ("end_marker_missing", SECOND, "a segment in the middle has no end marker", |o| {
        records(o, SECOND, |r| drop(r.pop()))
    }),
    ("end_marker_count", SECOND, "the end marker counts another number of frames", |o| {
        records(o, SECOND, |r| r[3][7] ^= 1)
    }),
    ("end_marker_link", SECOND, "the end marker names another link", |o| {
        records(o, SECOND, |r| r[3][39] ^= 1)
    }),
    ("bytes_after_the_end_marker", SECOND, "something follows the end marker", |o| {
        o.get_mut(SECOND).unwrap().push(0)
    }),
    ("segments_swapped", FIRST, "two segments are swapped", |o| {
        let first = o[FIRST].clone();
        let second = o[SECOND].clone();
        o.insert(FIRST.into(), second);
        o.insert(SECOND.into(), first);
    }),
    (
        "segment_duplicated",
        "segments/0000000003",
        "a segment stands again under the next number",
        |o| drop(o.insert("segments/0000000003".into(), o[THIRD].clone())),
    ),
    ("segment_from_another_session", SECOND, "a segment of another session", |o| {
        let keys = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/keys");
        let (_, other) = forge(&keys, &Bend { end: End::None, ..as_it_is() });
        o.insert(SECOND.into(), other[SECOND].clone());
    }),
];

/// Tapes whose chain holds, and which must not be opened.
fn unopened() -> Vec<Fault> {
    let header = |header| Bend { header, ..as_it_is() };
    vec![
        Fault {
            opens: false,
            ..verdict(
                "commitment_to_another_key",
                "intact",
                "the chain holds, but the header commits to another key: opening refuses",
                header(|h| {
                    if h.segment == 1 {
                        h.commitment = [1; 32]
                    }
                }),
            )
        },
        Fault {
            opens: false,
            ..verdict(
                "wrap_of_another_link",
                "intact",
                "the chain holds, but the key was bound to another link: opening refuses",
                header(|h| {
                    if let (2, Some(keys)) = (h.segment, &mut h.keys) {
                        keys.minted = 1
                    }
                }),
            )
        },
        Fault {
            opens: false,
            ..verdict(
                "frame_sealed_for_another_place",
                "intact",
                "the chain holds, but frames are bound to other links: opening refuses",
                Bend { bound: |link| *link = link.frame(0, b""), ..as_it_is() },
            )
        },
    ]
}

/// Edits the records of a segment: its frames, then its end marker.
fn records(objects: &mut Objects, name: &str, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let bytes = objects[name].clone();
    let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let head = word(12);
    let mut at = head;
    let mut list = Vec::new();
    while at < bytes.len() {
        let len = match word(at) {
            0 => 40,
            sealed => 12 + sealed,
        };
        list.push(bytes[at..at + len].to_vec());
        at += len;
    }
    edit(&mut list);
    objects.insert(name.to_owned(), [&bytes[..head], &list.concat()].concat());
}
