//! Faults of segments and of the chain (FORMAT.md 6 and 7).

use bg_recorder::session::SessionId;

use super::{Fault, as_it_is, broken, verdict};
use crate::forge::{Bend, End, forge};
use crate::vector::Objects;

const FIRST: &str = "segments/0000000000";
const SECOND: &str = "segments/0000000001";
const THIRD: &str = "segments/0000000002";

pub fn list() -> Vec<Fault> {
    let header = |header| Bend { header, ..as_it_is() };
    vec![
        broken("header_magic", SECOND, "not a segment", as_it_is())
            .edit(|o| o.get_mut(SECOND).unwrap()[0] = b'X'),
        broken("header_version_0", SECOND, "downgraded to a version before the first", as_it_is())
            .edit(|o| o.get_mut(SECOND).unwrap()[9] = 0),
        broken("header_version_2", SECOND, "a version that is not this one", as_it_is())
            .edit(|o| o.get_mut(SECOND).unwrap()[9] = 2),
        broken("header_suite", SECOND, "a suite that version 1 does not have", as_it_is())
            .edit(|o| o.get_mut(SECOND).unwrap()[11] = 0),
        broken("header_len", SECOND, "header_len is not 140 + keys_len", as_it_is())
            .edit(|o| o.get_mut(SECOND).unwrap()[15] += 1),
        broken("header_cut", SECOND, "the object ends inside its header", as_it_is())
            .edit(|o| o.get_mut(SECOND).unwrap().truncate(100)),
        broken("segment_empty", SECOND, "the object has no bytes", as_it_is())
            .edit(|o| o.get_mut(SECOND).unwrap().clear()),
        broken(
            "header_session",
            SECOND,
            "another session's segment",
            header(|h| {
                if h.segment == 1 {
                    h.session = SessionId::mint()
                }
            }),
        ),
        broken(
            "header_number",
            SECOND,
            "says another number than its name",
            header(|h| {
                if h.segment == 1 {
                    h.segment = 5
                }
            }),
        ),
        broken(
            "header_first_frame",
            SECOND,
            "counts other frames before it",
            header(|h| {
                if h.segment == 1 {
                    h.first_frame += 1
                }
            }),
        ),
        broken(
            "header_previous_link",
            SECOND,
            "follows another link",
            header(|h| {
                if h.segment == 1 {
                    h.previous = h.previous.frame(0, b"")
                }
            }),
        ),
        broken(
            "header_time_goes_back",
            SECOND,
            "boot time goes back",
            header(|h| {
                if h.segment == 1 {
                    h.boot_us = 1
                }
            }),
        ),
        broken(
            "header_step_skipped",
            SECOND,
            "a ratchet step was left out",
            header(|h| {
                if h.segment == 1 {
                    h.step = 2
                }
            }),
        ),
        broken(
            "header_epoch_skipped",
            THIRD,
            "an epoch was left out",
            header(|h| {
                if h.segment == 2 {
                    h.epoch = 2
                }
            }),
        ),
        broken(
            "header_first_epoch",
            FIRST,
            "the first epoch is not 0",
            header(|h| {
                if h.segment == 0 {
                    h.epoch = 1
                }
            }),
        ),
        broken(
            "header_keys_missing",
            THIRD,
            "the first step of an epoch without its wraps",
            header(|h| {
                if h.segment == 2 {
                    h.keys = None
                }
            }),
        ),
        broken(
            "header_wrap_of_a_stranger",
            THIRD,
            "a wrap for a key that the genesis does not name",
            header(|h| {
                if let (2, Some(keys)) = (h.segment, &mut h.keys) {
                    keys.wraps[0].key = "bg-shell/stranger".into()
                }
            }),
        ),
        broken(
            "header_wrap_left_out",
            THIRD,
            "no wrap for a key that the genesis names",
            header(|h| {
                if let (2, Some(keys)) = (h.segment, &mut h.keys) {
                    keys.wraps.clear()
                }
            }),
        ),
        broken(
            "header_minted_later",
            THIRD,
            "the key was asked for after its first segment",
            header(|h| {
                if let (2, Some(keys)) = (h.segment, &mut h.keys) {
                    keys.minted = 3
                }
            }),
        ),
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

pub fn chain() -> Vec<Fault> {
    vec![
        broken("frame_edited", SECOND, "a byte of a sealed frame was edited", as_it_is())
            .edit(|o| records(o, SECOND, |r| r[1][20] ^= 1)),
        broken("frame_check_edited", SECOND, "a frame's check was edited", as_it_is())
            .edit(|o| records(o, SECOND, |r| r[1][5] ^= 1)),
        broken("frame_dropped", SECOND, "a frame in the middle was dropped", as_it_is())
            .edit(|o| records(o, SECOND, |r| drop(r.remove(1)))),
        broken("final_frame_dropped", SECOND, "a segment's last frame was dropped", as_it_is())
            .edit(|o| records(o, SECOND, |r| drop(r.remove(2)))),
        broken("frame_duplicated", SECOND, "a frame stands twice", as_it_is())
            .edit(|o| records(o, SECOND, |r| r.insert(1, r[1].clone()))),
        broken("frames_swapped", SECOND, "two frames are swapped", as_it_is())
            .edit(|o| records(o, SECOND, |r| r.swap(0, 1))),
        broken("frame_too_short", SECOND, "a frame shorter than its tag", as_it_is())
            .edit(|o| records(o, SECOND, |r| r[1] = [&16u32.to_be_bytes()[..], &[0; 24]].concat())),
        broken("frame_too_long", SECOND, "a frame over its limit", as_it_is())
            .edit(|o| records(o, SECOND, |r| r[1][0] = 1)),
        broken(
            "frame_from_elsewhere",
            SECOND,
            "a frame of another segment was spliced in",
            as_it_is(),
        )
        .edit(|o| {
            let mut taken = Vec::new();
            records(o, FIRST, |r| taken = r[1].clone());
            records(o, SECOND, |r| r[1] = taken.clone());
        }),
        broken(
            "end_marker_missing",
            SECOND,
            "a segment in the middle has no end marker",
            as_it_is(),
        )
        .edit(|o| records(o, SECOND, |r| drop(r.pop()))),
        broken(
            "end_marker_count",
            SECOND,
            "the end marker counts another number of frames",
            as_it_is(),
        )
        .edit(|o| records(o, SECOND, |r| r[3][7] ^= 1)),
        broken("end_marker_link", SECOND, "the end marker names another link", as_it_is())
            .edit(|o| records(o, SECOND, |r| r[3][39] ^= 1)),
        broken(
            "bytes_after_the_end_marker",
            SECOND,
            "something follows the end marker",
            as_it_is(),
        )
        .edit(|o| o.get_mut(SECOND).unwrap().push(0)),
        broken("segments_swapped", FIRST, "two segments are swapped", as_it_is()).edit(|o| {
            let first = o[FIRST].clone();
            let second = o[SECOND].clone();
            o.insert(FIRST.into(), second);
            o.insert(SECOND.into(), first);
        }),
        broken(
            "segment_duplicated",
            "segments/0000000003",
            "a segment stands again under the next number",
            as_it_is(),
        )
        .edit(|o| drop(o.insert("segments/0000000003".into(), o[THIRD].clone()))),
        broken("segment_from_another_session", SECOND, "a segment of another session", as_it_is())
            .edit(|o| {
                let keys = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/keys");
                let (_, other) = forge(&keys, &Bend { end: End::None, ..as_it_is() });
                o.insert(SECOND.into(), other[SECOND].clone());
            }),
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
