//! Faults of notes and of the genesis (FORMAT.md 3, 4, 5).

use bg_recorder::genesis::Genesis;
use bg_recorder::note::{NoteKind, Signature};
use bg_recorder::session::SessionId;
use bg_recorder::sign::SessionKey;

use data_encoding::BASE64;

use super::{Fault, Row, as_it_is, bent, broken, edited, verdict};
use crate::forge::Bend;
use crate::vector::Objects;

const GENESIS: &str = "genesis";
const CHECKPOINT: &str = "checkpoints/0000000001";

pub fn list() -> Vec<Fault> {
    whole()
        .into_iter()
        .chain(edited(OBJECTS))
        .chain(bent(TEXTS, |text| Bend { text, ..as_it_is() }))
        .chain(bent(LINES, |signatures| Bend { signatures, ..as_it_is() }))
        .chain(edited(NOTES))
        .chain(bent(GENESIS_MEMBERS, |genesis| Bend { genesis, ..as_it_is() }))
        .collect()
}

fn whole() -> Vec<Fault> {
    vec![
        verdict("intact", "intact", "none", as_it_is()),
        verdict(
            "intact_one_segment",
            "intact",
            "none: the shortest sealed tape",
            Bend { segments: 1, ..as_it_is() },
        ),
        broken(
            "last_segment_deleted",
            "segments/0000000002",
            "the last segment was deleted, its checkpoint was not",
            Bend { end: crate::forge::End::None, ..as_it_is() },
        )
        .edit(|o| drop(o.remove("segments/0000000002"))),
    ]
}

/// Objects that are missing, empty or too many.
const OBJECTS: &[Row<fn(&mut Objects)>] = &[
    ("genesis_missing", GENESIS, "there is no genesis", |o| drop(o.remove(GENESIS))),
    ("genesis_empty", GENESIS, "the genesis has no bytes", |o| o.get_mut(GENESIS).unwrap().clear()),
    ("stranger_object", "note.txt", "an object that no tape has", |o| {
        drop(o.insert("note.txt".into(), b"hello".to_vec()))
    }),
    ("stranger_segment_name", "segments/3", "a segment's number without its ten digits", |o| {
        drop(o.insert("segments/3".into(), o["segments/0000000002"].clone()))
    }),
    ("checkpoint_missing", CHECKPOINT, "a checkpoint in the middle is missing", |o| {
        drop(o.remove(CHECKPOINT))
    }),
    (
        "checkpoint_without_segment",
        "segments/0000000001",
        "a segment was deleted, its checkpoint was not",
        |o| drop(o.remove("segments/0000000001")),
    ),
];

type Rewrite = fn(NoteKind, &mut String);
type Resign = fn(NoteKind, &mut Vec<Signature>);

/// Texts that are not what their kind says, and signed.
const TEXTS: &[Row<Rewrite>] = &[
    ("note_of_another_kind", GENESIS, "the genesis calls itself a seal", |kind, text| {
        if kind == NoteKind::Genesis {
            *text = text.replace("/genesis/", "/seal/")
        }
    }),
    ("note_of_another_version", GENESIS, "the genesis calls itself version 2", |kind, text| {
        if kind == NoteKind::Genesis {
            *text = text.replace("/v1\n", "/v2\n")
        }
    }),
    ("note_of_version_0", CHECKPOINT, "a checkpoint calls itself version 0", |kind, text| {
        if kind == NoteKind::Checkpoint && text.contains("\"checkpoint\":1,") {
            *text = text.replace("/v1\n", "/v0\n")
        }
    }),
    ("note_member_doubled", GENESIS, "a member stands twice, and signed", |kind, text| {
        if kind == NoteKind::Genesis {
            *text = text.replace("\"suite\":1,", "\"suite\":1,\"suite\":1,")
        }
    }),
];

/// Signature lines.
const LINES: &[Row<Resign>] = &[
    ("note_without_signature", GENESIS, "no signature line", |kind, lines| {
        if kind == NoteKind::Genesis {
            lines.clear()
        }
    }),
    (
        "note_with_a_further_signature",
        "seal",
        "a third signature line, which nothing covers",
        |kind, lines| {
            if kind == NoteKind::Seal {
                lines.push(lines[1].clone())
            }
        },
    ),
    (
        "signatures_in_the_wrong_order",
        "seal",
        "the seal's signatures are swapped",
        |kind, lines| {
            if kind == NoteKind::Seal {
                lines.swap(0, 1)
            }
        },
    ),
    (
        "signature_by_another_key_id",
        "seal",
        "the key id is not that of the signing key",
        |kind, lines| {
            if kind == NoteKind::Seal {
                lines[1].key_id = [0; 4]
            }
        },
    ),
    (
        "signature_by_another_name",
        "seal",
        "the name is not that of the signing key",
        |kind, lines| {
            if kind == NoteKind::Seal {
                lines[1].name = "bg-shell/somebody".into()
            }
        },
    ),
    (
        "signature_with_a_high_s",
        "seal",
        "the signing key's signature was turned into its other form",
        |kind, lines| {
            if kind == NoteKind::Seal {
                lines[1].bytes = bg_recorder::low_s::flipped(&lines[1].bytes).unwrap();
            }
        },
    ),
];

/// Bytes of notes.
const NOTES: &[Row<fn(&mut Objects)>] = &[
    ("signature_base64_not_canonical", GENESIS, "bits behind the last byte are set", |o| {
        loosen_base64(o, GENESIS)
    }),
    ("signature_base64_joined", GENESIS, "the signature's base64 has padding in its middle", |o| {
        let text = String::from_utf8(o[GENESIS].clone()).unwrap();
        let (before, payload) = text.trim_end().rsplit_once(' ').unwrap();
        let bytes = BASE64.decode(payload.as_bytes()).unwrap();
        let joined = BASE64.encode(&bytes[..4]) + &BASE64.encode(&bytes[4..]);
        o.insert(GENESIS.into(), format!("{before} {joined}\n").into_bytes());
    }),
    ("bytes_after_the_last_line", "seal", "an empty line follows the signatures", |o| {
        o.get_mut("seal").unwrap().push(b'\n')
    }),
    ("last_line_feed_missing", "seal", "the last line does not end", |o| {
        let seal = o.get_mut("seal").unwrap();
        seal.truncate(seal.len() - 1)
    }),
    ("genesis_edited", GENESIS, "a byte of the genesis was edited", |o| {
        replace(o, GENESIS, "forger", "forget")
    }),
    ("checkpoint_edited", CHECKPOINT, "a byte of a checkpoint was edited", |o| {
        replace(o, CHECKPOINT, "\"frames\":5", "\"frames\":6")
    }),
];

/// What the genesis says.
const GENESIS_MEMBERS: &[Row<fn(&mut Genesis)>] = &[
    ("genesis_of_another_session", GENESIS, "the genesis names another session", |g| {
        g.session = SessionId::mint()
    }),
    ("genesis_suite", GENESIS, "a suite that version 1 does not have", |g| g.suite = 2),
    ("genesis_wrap_algorithm", GENESIS, "a wrapping algorithm that version 1 does not have", |g| {
        g.keys.wrap[0].alg = "none".into()
    }),
    (
        "genesis_signing_algorithm",
        GENESIS,
        "a signing algorithm that version 1 does not have",
        |g| g.keys.sign.alg = "none".into(),
    ),
    ("genesis_without_wrapping_key", GENESIS, "nobody could open the tape", |g| {
        g.keys.wrap.clear()
    }),
    (
        "first_session_key_unknown",
        "checkpoints/0000000000",
        "the genesis names a session key that signs nothing",
        |g| g.keys.session = SessionKey::generate().unwrap().public(),
    ),
];

fn replace(objects: &mut Objects, name: &str, from: &str, to: &str) {
    let text = String::from_utf8(objects[name].clone()).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    objects.insert(name.to_owned(), text.replacen(from, to, 1).into_bytes());
}

/// Sets the bits that base64 leaves over; a signature whose length leaves none is made one byte longer first.
fn loosen_base64(objects: &mut Objects, name: &str) {
    let bytes = objects.get_mut(name).unwrap();
    let end = bytes.len() - 1;
    let pad = bytes[..end].iter().rev().take_while(|b| **b == b'=').count();
    if pad == 0 {
        // Padding where none belongs is not canonical either.
        bytes.insert(end, b'=');
    } else {
        bytes[end - pad - 1] += 1;
    }
}
