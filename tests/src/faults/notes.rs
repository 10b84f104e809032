//! Faults of notes, genesis and checkpoints (FORMAT.md 3, 4, 5, 8).

use bg_recorder::chain::Digest;
use bg_recorder::note::Kind;
use bg_recorder::session::SessionId;
use bg_recorder::sign::SessionKey;

use data_encoding::BASE64;

use super::{Fault, as_it_is, broken, verdict};
use crate::forge::Bend;
use crate::vector::Objects;

const GENESIS: &str = "genesis";
const CHECKPOINT: &str = "checkpoints/0000000001";

pub fn list() -> Vec<Fault> {
    [objects(), grammar(), genesis(), checkpoints()].into_iter().flatten().collect()
}

fn objects() -> Vec<Fault> {
    vec![
        verdict("intact", "intact", "none", as_it_is()),
        verdict(
            "intact_one_segment",
            "intact",
            "none: the shortest sealed tape",
            Bend { segments: 1, ..as_it_is() },
        ),
        broken("genesis_missing", GENESIS, "there is no genesis", as_it_is())
            .edit(|o| drop(o.remove(GENESIS))),
        broken("genesis_empty", GENESIS, "the genesis has no bytes", as_it_is())
            .edit(|o| o.get_mut(GENESIS).unwrap().clear()),
        broken("stranger_object", "note.txt", "an object that no tape has", as_it_is())
            .edit(|o| drop(o.insert("note.txt".into(), b"hello".to_vec()))),
        broken(
            "stranger_segment_name",
            "segments/3",
            "a segment's number without its ten digits",
            as_it_is(),
        )
        .edit(|o| drop(o.insert("segments/3".into(), o["segments/0000000002"].clone()))),
        broken(
            "checkpoint_missing",
            CHECKPOINT,
            "a checkpoint in the middle is missing",
            as_it_is(),
        )
        .edit(|o| drop(o.remove(CHECKPOINT))),
        broken(
            "checkpoint_without_segment",
            "segments/0000000001",
            "a segment was deleted, its checkpoint was not",
            as_it_is(),
        )
        .edit(|o| drop(o.remove("segments/0000000001"))),
        broken(
            "last_segment_deleted",
            "segments/0000000002",
            "the last segment was deleted, its checkpoint was not",
            Bend { end: crate::forge::End::None, ..as_it_is() },
        )
        .edit(|o| drop(o.remove("segments/0000000002"))),
    ]
}

fn grammar() -> Vec<Fault> {
    let lines = |signatures| Bend { signatures, ..as_it_is() };
    let text = |text| Bend { text, ..as_it_is() };
    vec![
        broken(
            "note_of_another_kind",
            GENESIS,
            "the genesis calls itself a seal",
            text(|kind, text| {
                if kind == Kind::Genesis {
                    *text = text.replace("/genesis/", "/seal/")
                }
            }),
        ),
        broken(
            "note_of_another_version",
            GENESIS,
            "the genesis calls itself version 2",
            text(|kind, text| {
                if kind == Kind::Genesis {
                    *text = text.replace("/v1\n", "/v2\n")
                }
            }),
        ),
        broken(
            "note_of_version_0",
            CHECKPOINT,
            "a checkpoint calls itself version 0",
            text(|kind, text| {
                if kind == Kind::Checkpoint && text.contains("\"checkpoint\":1,") {
                    *text = text.replace("/v1\n", "/v0\n")
                }
            }),
        ),
        broken(
            "note_member_doubled",
            GENESIS,
            "a member stands twice, and signed",
            text(|kind, text| {
                if kind == Kind::Genesis {
                    *text = text.replace("\"suite\":1,", "\"suite\":1,\"suite\":1,")
                }
            }),
        ),
        broken(
            "note_without_signature",
            GENESIS,
            "no signature line",
            lines(|kind, lines| {
                if kind == Kind::Genesis {
                    lines.clear()
                }
            }),
        ),
        broken(
            "note_with_a_further_signature",
            "seal",
            "a third signature line, which nothing covers",
            lines(|kind, lines| {
                if kind == Kind::Seal {
                    lines.push(lines[1].clone())
                }
            }),
        ),
        broken(
            "signatures_in_the_wrong_order",
            "seal",
            "the seal's signatures are swapped",
            lines(|kind, lines| {
                if kind == Kind::Seal {
                    lines.swap(0, 1)
                }
            }),
        ),
        broken(
            "signature_by_another_key_id",
            "seal",
            "the key id is not that of the signing key",
            lines(|kind, lines| {
                if kind == Kind::Seal {
                    lines[1].key_id = [0; 4]
                }
            }),
        ),
        broken(
            "signature_by_another_name",
            "seal",
            "the name is not that of the signing key",
            lines(|kind, lines| {
                if kind == Kind::Seal {
                    lines[1].name = "bg-shell/somebody".into()
                }
            }),
        ),
        broken(
            "signature_base64_not_canonical",
            GENESIS,
            "bits behind the last byte are set",
            as_it_is(),
        )
        .edit(|o| loosen_base64(o, GENESIS)),
        broken(
            "signature_base64_joined",
            GENESIS,
            "the signature's base64 has padding in its middle",
            as_it_is(),
        )
        .edit(|o| {
            let text = String::from_utf8(o[GENESIS].clone()).unwrap();
            let (before, payload) = text.trim_end().rsplit_once(' ').unwrap();
            let bytes = BASE64.decode(payload.as_bytes()).unwrap();
            let joined = BASE64.encode(&bytes[..4]) + &BASE64.encode(&bytes[4..]);
            o.insert(GENESIS.into(), format!("{before} {joined}\n").into_bytes());
        }),
        broken(
            "signature_with_a_high_s",
            "seal",
            "the signing key's signature was turned into its other form",
            lines(|kind, lines| {
                if kind == Kind::Seal {
                    lines[1].bytes = bg_recorder::low_s::flipped(&lines[1].bytes).unwrap();
                }
            }),
        ),
        broken(
            "bytes_after_the_last_line",
            "seal",
            "an empty line follows the signatures",
            as_it_is(),
        )
        .edit(|o| o.get_mut("seal").unwrap().push(b'\n')),
        broken("last_line_feed_missing", "seal", "the last line does not end", as_it_is()).edit(
            |o| {
                let seal = o.get_mut("seal").unwrap();
                seal.truncate(seal.len() - 1)
            },
        ),
    ]
}

fn genesis() -> Vec<Fault> {
    let bent = |genesis| Bend { genesis, ..as_it_is() };
    vec![
        broken("genesis_edited", GENESIS, "a byte of the genesis was edited", as_it_is())
            .edit(|o| replace(o, GENESIS, "forger", "forget")),
        broken(
            "genesis_of_another_session",
            GENESIS,
            "the genesis names another session",
            bent(|g| g.session = SessionId::mint()),
        ),
        broken(
            "genesis_suite",
            GENESIS,
            "a suite that version 1 does not have",
            bent(|g| g.suite = 2),
        ),
        broken(
            "genesis_wrap_algorithm",
            GENESIS,
            "a wrapping algorithm that version 1 does not have",
            bent(|g| g.keys.wrap[0].alg = "none".into()),
        ),
        broken(
            "genesis_signing_algorithm",
            GENESIS,
            "a signing algorithm that version 1 does not have",
            bent(|g| g.keys.sign.alg = "none".into()),
        ),
        broken(
            "genesis_without_wrapping_key",
            GENESIS,
            "nobody could open the tape",
            bent(|g| g.keys.wrap.clear()),
        ),
        broken(
            "first_session_key_unknown",
            "checkpoints/0000000000",
            "the genesis names a session key that signs nothing",
            bent(|g| g.keys.session = SessionKey::generate().unwrap().public()),
        ),
    ]
}

fn checkpoints() -> Vec<Fault> {
    let bent = |checkpoint| Bend { checkpoint, ..as_it_is() };
    vec![
        broken("checkpoint_edited", CHECKPOINT, "a byte of a checkpoint was edited", as_it_is())
            .edit(|o| replace(o, CHECKPOINT, "\"frames\":5", "\"frames\":6")),
        broken(
            "checkpoint_of_another_session",
            CHECKPOINT,
            "names another session",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.session = SessionId::mint()
                }
            }),
        ),
        broken(
            "checkpoint_number",
            CHECKPOINT,
            "says another number than its name",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.checkpoint = 7
                }
            }),
        ),
        broken(
            "checkpoint_frames",
            CHECKPOINT,
            "counts other frames",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.frames += 1
                }
            }),
        ),
        broken(
            "checkpoint_link",
            CHECKPOINT,
            "names another link",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.link = c.link.frame(0, b"")
                }
            }),
        ),
        broken(
            "checkpoint_digest",
            CHECKPOINT,
            "names another digest for its segment",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.objects[1].1 = Digest::of(b"")
                }
            }),
        ),
        broken(
            "checkpoint_objects_swapped",
            CHECKPOINT,
            "lists its two objects in the wrong order",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.objects.swap(0, 1)
                }
            }),
        ),
        broken(
            "checkpoint_time_goes_back",
            CHECKPOINT,
            "boot time goes back",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.boot_us = 5_100_000
                }
            }),
        ),
        broken(
            "checkpoint_of_another_boot",
            CHECKPOINT,
            "another boot id than the genesis",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.boot_id = "6b1ff9a2-3c5e-4e2f-8a4e-1d2c3b4a5968".into()
                }
            }),
        ),
        broken(
            "checkpoint_next_key",
            "checkpoints/0000000002",
            "the key it names is not the one that signs the next note",
            bent(|c| {
                if c.checkpoint == 1 {
                    c.next = SessionKey::generate().unwrap().public()
                }
            }),
        ),
        broken(
            "cosignature_of_another_text",
            CHECKPOINT,
            "the cosignature is over something else",
            bent(|c| {
                if let Some(cosigned) = &mut c.cosigned {
                    cosigned.signature = FOREIGN_SIGNATURE.into()
                }
            }),
        ),
        broken(
            "cosignature_of_itself",
            CHECKPOINT,
            "the cosignature names a checkpoint that is not earlier",
            bent(|c| {
                if let Some(cosigned) = &mut c.cosigned {
                    cosigned.checkpoint = 1
                }
            }),
        ),
    ]
}

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

/// A well-formed DER signature over something else.
const FOREIGN_SIGNATURE: &str = "MEQCIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAiABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==";
