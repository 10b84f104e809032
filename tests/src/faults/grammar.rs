//! Notes that are signed as they are and have not the form of one, and what the other lists leave out (FORMAT.md 2 to 9).

use bg_recorder::note::{NoteKind, Signature};

use super::{Fault, Row, as_it_is, bent, broken};
use crate::forge::Bend;

const GENESIS: &str = "genesis";
const CHECKPOINT: &str = "checkpoints/0000000001";

pub fn list() -> Vec<Fault> {
    bent(TEXTS, |text| Bend { text, ..as_it_is() })
        .chain(bent(LINES, |signatures| Bend { signatures, ..as_it_is() }))
        .chain(bent(KEYS, |keys| Bend { keys, ..as_it_is() }))
        .chain(others())
        .collect()
}

type Rewrite = fn(NoteKind, &mut String);

/// Writes something in the place of something else in a note of a kind.
fn swap(kind: NoteKind, text: &mut String, of: NoteKind, from: &str, to: &str) {
    if kind == of && text.contains(from) {
        *text = text.replacen(from, to, 1);
    }
}

fn genesis(kind: NoteKind, text: &mut String, from: &str, to: &str) {
    swap(kind, text, NoteKind::Genesis, from, to);
}

/// Puts another digit into every session id of a note's first member, which is its session.
fn session(kind: NoteKind, text: &mut String, at: usize, digit: &str) {
    if kind == NoteKind::Genesis {
        let from = text.find("\"session\":\"").unwrap() + "\"session\":\"".len() + at;
        text.replace_range(from..=from, digit);
    }
}

const TEXTS: &[Row<Rewrite>] = &[
    ("session_of_another_version", GENESIS, "a session id that is a UUIDv4", |kind, text| {
        session(kind, text, 14, "4");
    }),
    (
        "session_of_another_variant",
        GENESIS,
        "a session id of another UUID variant",
        |kind, text| {
            session(kind, text, 19, "c");
        },
    ),
    ("session_in_capitals", GENESIS, "a session id in capitals", |kind, text| {
        if kind == NoteKind::Genesis {
            let at = text.find("\"session\":\"").unwrap() + "\"session\":\"".len();
            let id = text[at..at + 36].to_owned();
            *text = text.replacen(&id, &id.to_uppercase(), 1);
        }
    }),
    ("note_with_a_tab", GENESIS, "a TAB between two members", |kind, text| {
        genesis(kind, text, ",\"suite\":1", ",\t\"suite\":1");
    }),
    ("note_with_a_blank_before", GENESIS, "a blank before the object", |kind, text| {
        genesis(kind, text, "\n{", "\n {");
    }),
    ("note_with_a_blank_behind", GENESIS, "a blank behind the object", |kind, text| {
        genesis(kind, text, "}\n", "} \n");
    }),
    ("note_with_two_lines", GENESIS, "a second line in the signed text", |kind, text| {
        genesis(kind, text, "}\n", "}\n{}\n");
    }),
    (
        "note_with_an_empty_line",
        GENESIS,
        "a second empty line before the signatures",
        |kind, text| {
            genesis(kind, text, "}\n", "}\n\n");
        },
    ),
    ("note_that_is_a_list", GENESIS, "a list in the place of the object", |kind, text| {
        genesis(kind, text, "\n{", "\n[{");
        genesis(kind, text, "}\n", "}]\n");
    }),
    ("genesis_member_missing", GENESIS, "the limits are not there", |kind, text| {
        if kind == NoteKind::Genesis {
            let from = text.find("\"limits\":").unwrap();
            let to = text.find("\"keys\":").unwrap();
            text.replace_range(from..to, "");
        }
    }),
    ("genesis_member_null", GENESIS, "the limits are null", |kind, text| {
        if kind == NoteKind::Genesis {
            let from = text.find("\"limits\":").unwrap();
            let to = text.find("\"keys\":").unwrap();
            text.replace_range(from..to, "\"limits\":null,");
        }
    }),
    ("genesis_integer_with_a_fraction", GENESIS, "boot_us is 5000000.0", |kind, text| {
        genesis(kind, text, "\"boot_us\":5000000,", "\"boot_us\":5000000.0,");
    }),
    ("genesis_integer_with_an_exponent", GENESIS, "boot_us is 5e6", |kind, text| {
        genesis(kind, text, "\"boot_us\":5000000,", "\"boot_us\":5e6,");
    }),
    ("genesis_integer_negative", GENESIS, "boot_us is below 0", |kind, text| {
        genesis(kind, text, "\"boot_us\":5000000,", "\"boot_us\":-5000000,");
    }),
    ("genesis_session_key_short", GENESIS, "a session key of 31 bytes", |kind, text| {
        if kind == NoteKind::Genesis {
            let member = "},\"about\":";
            let at = text.find(member).unwrap();
            let from = text[..at].rfind("\"session\":\"").unwrap() + "\"session\":\"".len();
            text.replace_range(from..at - 1, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==");
        }
    }),
    (
        "checkpoint_wall_before_1970",
        CHECKPOINT,
        "a wall time that a tape cannot have",
        |kind, text| {
            if text.contains("\"checkpoint\":1,") {
                swap(kind, text, NoteKind::Checkpoint, "\"wall\":\"2026", "\"wall\":\"1960");
            }
        },
    ),
    ("checkpoint_wall_of_a_zone", CHECKPOINT, "a wall time that is not in UTC", |kind, text| {
        if text.contains("\"checkpoint\":1,") {
            swap(kind, text, NoteKind::Checkpoint, "Z\",\"boot_us\"", "+00:00\",\"boot_us\"");
        }
    }),
    ("checkpoint_link_in_capitals", CHECKPOINT, "a link in capital digits", |kind, text| {
        if kind == NoteKind::Checkpoint && text.contains("\"checkpoint\":1,") {
            let at = text.find("\"link\":\"").unwrap() + "\"link\":\"".len();
            // Some of its 64 digits are letters.
            let link = text[at..at + 64].to_uppercase();
            text.replace_range(at..at + 64, &link);
        }
    }),
];

type Resign = fn(NoteKind, &mut Vec<Signature>);

const LINES: &[Row<Resign>] = &[
    (
        "signature_der_padded",
        "seal",
        "an integer of the signature has a byte too many",
        |kind, lines| {
            if kind == NoteKind::Seal {
                let der = &mut lines[1].bytes;
                der[1] += 1;
                der[3] += 1;
                der.insert(4, 0);
            }
        },
    ),
    (
        "signature_name_with_a_plus",
        "seal",
        "a plus in the name of a signature line",
        |kind, lines| {
            if kind == NoteKind::Seal {
                lines[1].name = "bg-shell/practice+sign".into();
            }
        },
    ),
    (
        "checkpoint_signed_twice",
        CHECKPOINT,
        "a second signature line on a checkpoint",
        |kind, lines| {
            if kind == NoteKind::Checkpoint {
                lines.push(lines[0].clone());
            }
        },
    ),
];

type Rekey = fn(&mut Vec<u8>);

const KEYS: &[Row<Rekey>] = &[
    ("header_wrapped_empty", "segments/0000000000", "a wrapped key of no bytes", |keys| {
        let text = String::from_utf8(keys.clone()).unwrap();
        let (before, after) = text.split_once("\"wrapped\":\"").unwrap();
        let (_, rest) = after.split_once('"').unwrap();
        *keys = format!("{before}\"wrapped\":\"\"{rest}").into_bytes();
    }),
    ("header_keys_empty", "segments/0000000000", "keys of two bytes, without a member", |keys| {
        *keys = b"{}".to_vec();
    }),
];

fn others() -> Vec<Fault> {
    vec![
        broken(
            "header_keys_behind_the_first_step",
            "segments/0000000001",
            "wraps in a segment that does not begin an epoch",
            Bend {
                header: |header| {
                    if header.segment == 1 {
                        header.keys =
                            Some(bg_recorder::segment::HeaderKeys { minted: 0, wraps: Vec::new() });
                    }
                },
                ..as_it_is()
            },
        ),
        broken(
            "seal_without_segment",
            "seal",
            "a seal over nothing but a genesis",
            Bend { segments: 0, ..as_it_is() },
        ),
    ]
}
