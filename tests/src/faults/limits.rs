//! Sizes, on both sides of each limit (FORMAT.md 3).

use bg_recorder::note::NoteKind;

use super::{Fault, as_it_is, broken, verdict};
use crate::forge::Bend;

pub fn list() -> Vec<Fault> {
    notes().into_iter().chain(headers()).chain(segments()).collect()
}

fn notes() -> [Fault; 2] {
    [
        verdict(
            "intact_largest_note",
            "intact",
            "none: a checkpoint of 262,144 bytes",
            Bend { text: |kind, text| pad(kind, text, NOTE), ..as_it_is() },
        ),
        broken(
            "note_too_large",
            "checkpoints/0000000001",
            "a checkpoint of 262,145 bytes, signed as it is",
            Bend { text: |kind, text| pad(kind, text, NOTE + 1), ..as_it_is() },
        ),
    ]
}

/// Makes a checkpoint as large as that, by a member that nobody names.
fn pad(kind: NoteKind, text: &mut String, len: usize) {
    if kind != NoteKind::Checkpoint || !text.contains("\"checkpoint\":1,") {
        return;
    }
    // An empty line, then: the dash, the session key's name, base64 of key id and signature.
    let behind = 1 + "— bg-shell/01a20893-e5eb-72ee-ae21-ea00f7f687ce ".len() + 92 + 1;
    let more = len - behind - text.len() - ",\"x\":\"\"".len();
    let member = format!(",\"x\":\"{}\"}}\n", "x".repeat(more));
    text.truncate(text.len() - 2);
    text.push_str(&member);
}

fn headers() -> [Fault; 2] {
    [
        verdict(
            "intact_largest_header",
            "intact",
            "none: a header of 65,536 bytes",
            Bend { keys: |keys| widen(keys, HEADER), ..as_it_is() },
        ),
        broken(
            "header_too_large",
            "segments/0000000000",
            "a header of 65,537 bytes, linked as it is",
            Bend { keys: |keys| widen(keys, HEADER + 1), ..as_it_is() },
        ),
    ]
}

/// Makes a header as large as that, by a member of its keys that nobody names.
fn widen(keys: &mut Vec<u8>, len: usize) {
    let more = len - 140 - keys.len() - ",\"x\":\"\"".len();
    keys.pop();
    keys.extend(format!(",\"x\":\"{}\"}}", "x".repeat(more)).into_bytes());
}

fn segments() -> [Fault; 4] {
    [
        Fault {
            opens: false,
            ..verdict(
                "intact_largest_segment",
                "intact",
                "none: a segment of 4,194,304 bytes, with frames of 1,048,576; nothing in them opens",
                Bend { noise: |number, header| noise(number, header, SEGMENT), ..as_it_is() },
            )
        },
        broken(
            "segment_too_large",
            "segments/0000000001",
            "a segment of 4,194,305 bytes, linked and signed for as it is",
            Bend { noise: |number, header| noise(number, header, SEGMENT + 1), ..as_it_is() },
        ),
        Fault {
            opens: false,
            ..verdict(
                "intact_shortest_frame",
                "intact",
                "none: a frame of 17 bytes; nothing in it opens",
                Bend { noise: |number, _| (number == 1).then(|| vec![vec![0; 17]]), ..as_it_is() },
            )
        },
        broken(
            "frame_larger_than_any",
            "segments/0000000001",
            "a frame of 1,048,577 bytes, linked and signed for as it is",
            Bend {
                noise: |number, _| (number == 1).then(|| vec![vec![0; FRAME + 1]]),
                ..as_it_is()
            },
        ),
    ]
}

/// Returns the frames that make segment 1 as large as that.
fn noise(number: u64, header: usize, len: usize) -> Option<Vec<Vec<u8>>> {
    let full = vec![0; FRAME];
    let rest = len - header - 3 * (HEAD + FRAME) - HEAD - END;
    (number == 1).then(|| vec![full.clone(), full.clone(), full, vec![0; rest]])
}

const NOTE: usize = 262_144;
const HEADER: usize = 65_536;
const SEGMENT: usize = 4_194_304;
const FRAME: usize = 1_048_576;
/// What stands before a frame's sealed bytes, and an end marker.
const HEAD: usize = 12;
const END: usize = 40;
