//! Faults of JSON that a signature covers all the same (FORMAT.md 4).

use std::cell::RefCell;

use bg_recorder::checkpoint::Cosigned;
use bg_recorder::note::NoteKind;

use super::{Fault, as_it_is, broken, verdict};
use crate::forge::Bend;

pub fn list() -> Vec<Fault> {
    [members(), numbers(), keys(), hosts()].into_iter().flatten().collect()
}

fn text(text: fn(NoteKind, &mut String)) -> Bend {
    Bend { text, ..as_it_is() }
}

/// Writes something in the place of something else in a note of a kind.
fn swap(kind: NoteKind, text: &mut String, of: NoteKind, from: &str, to: &str) {
    if kind == of && text.contains(from) {
        *text = text.replacen(from, to, 1);
    }
}

/// Puts a member into the `about` of the genesis.
fn about(kind: NoteKind, text: &mut String, member: &str) {
    swap(kind, text, NoteKind::Genesis, "\"about\":{", &format!("\"about\":{{{member},"));
}

fn members() -> Vec<Fault> {
    vec![
        broken(
            "note_unnamed_member_doubled",
            "genesis",
            "a member that nobody names stands twice",
            text(|kind, text| {
                swap(kind, text, NoteKind::Genesis, "\"suite\":1,", "\"suite\":1,\"x\":1,\"x\":1,");
            }),
        ),
        broken(
            "host_unnamed_member_doubled",
            "genesis",
            "a member that nobody names stands twice, inside another",
            text(|kind, text| {
                swap(kind, text, NoteKind::Genesis, "\"host\":{", "\"host\":{\"x\":1,\"x\":1,");
            }),
        ),
        broken(
            "about_unnamed_member_doubled",
            "genesis",
            "a member of about stands twice",
            text(|kind, text| about(kind, text, "\"x\":1,\"x\":2")),
        ),
        broken(
            "seal_about_member_doubled",
            "seal",
            "a member of the seal's about stands twice",
            text(|kind, text| {
                let twice = "\"about\":{\"exit\":0,\"exit\":1}";
                swap(kind, text, NoteKind::Seal, "\"about\":{}", twice);
            }),
        ),
        broken(
            "seal_totals_code_doubled",
            "seal",
            "a code stands twice in the totals",
            text(|kind, text| {
                let one = "\"o\":{\"events\":1,\"bytes\":1}";
                let twice = format!("\"totals\":{{{one},{one}}}");
                swap(kind, text, NoteKind::Seal, "\"totals\":{}", &twice);
            }),
        ),
        broken(
            "seal_totals_code_of_two_letters",
            "seal",
            "a code of two letters in the totals",
            text(|kind, text| {
                let two = "\"totals\":{\"oo\":{\"events\":1,\"bytes\":1}}";
                swap(kind, text, NoteKind::Seal, "\"totals\":{}", two);
            }),
        ),
        broken(
            "seal_read_back_absent",
            "seal",
            "read_back is not there",
            text(|kind, text| {
                swap(kind, text, NoteKind::Seal, "\"read_back\":{\"objects\":7},", "");
            }),
        ),
        broken(
            "cosignature_null",
            "checkpoints/0000000000",
            "cosigned is there, and null",
            text(|kind, text| {
                if text.contains("\"checkpoint\":0,") && !text.contains("cosigned") {
                    swap(
                        kind,
                        text,
                        NoteKind::Checkpoint,
                        "\"next\":",
                        "\"cosigned\":null,\"next\":",
                    );
                }
            }),
        ),
        broken(
            "cosignature_named_twice",
            "checkpoints/0000000002",
            "a second cosignature of the same checkpoint",
            Bend {
                checkpoint: |c| {
                    match c.checkpoint {
                        1 => COSIGNED.with(|saved| saved.replace(c.cosigned.clone())),
                        2 => {
                            COSIGNED.with(|saved| std::mem::replace(&mut c.cosigned, saved.take()))
                        }
                        _ => None,
                    }
                    .map_or((), drop)
                },
                ..as_it_is()
            },
        ),
    ]
}

fn numbers() -> Vec<Fault> {
    vec![
        verdict(
            "intact_nested_127_deep",
            "intact",
            "none: the deepest about that is taken",
            text(|kind, text| about(kind, text, &nested(125))),
        ),
        broken(
            "about_nested_128_deep",
            "genesis",
            "an about that is nested one deeper than is taken",
            text(|kind, text| about(kind, text, &nested(126))),
        ),
        broken(
            "about_number_out_of_range",
            "genesis",
            "a number that no double holds",
            text(|kind, text| about(kind, text, "\"x\":1e999999")),
        ),
        broken(
            "about_integer_out_of_range",
            "genesis",
            "an integer of 400 digits, in a member that nobody names",
            text(|kind, text| about(kind, text, &format!("\"x\":{}", "9".repeat(400)))),
        ),
        verdict(
            "intact_with_a_long_integer",
            "intact",
            "none: an integer of 300 digits, in a member that nobody names",
            text(|kind, text| about(kind, text, &format!("\"x\":{}", "9".repeat(300)))),
        ),
        broken(
            "about_lone_surrogate",
            "genesis",
            "half of a surrogate pair",
            text(|kind, text| about(kind, text, "\"x\":\"\\ud800\"")),
        ),
        broken(
            "genesis_integer_too_large",
            "genesis",
            "boot_us is 2^64",
            text(|kind, text| {
                let large = "\"boot_us\":18446744073709551616,";
                swap(kind, text, NoteKind::Genesis, "\"boot_us\":5000000,", large);
            }),
        ),
        broken(
            "genesis_created_before_1970",
            "genesis",
            "a wall time that a tape cannot have",
            text(|kind, text| {
                swap(kind, text, NoteKind::Genesis, "\"created\":\"2026", "\"created\":\"1960");
            }),
        ),
        broken(
            "genesis_created_in_a_leap_second",
            "genesis",
            "a wall time with second 60",
            text(|kind, text| {
                swap(kind, text, NoteKind::Genesis, "T06:00:00.000000Z", "T05:59:60.000000Z");
            }),
        ),
        broken(
            "seal_of_another_boot",
            "seal",
            "another boot id than the genesis",
            Bend {
                seal: |s| s.boot_id = "6b1ff9a2-3c5e-4e2f-8a4e-1d2c3b4a5968".into(),
                ..as_it_is()
            },
        ),
    ]
}

fn keys() -> Vec<Fault> {
    let first = "segments/0000000000";
    let bent = |keys| Bend { keys, ..as_it_is() };
    vec![
        broken(
            "header_keys_in_blanks",
            first,
            "blanks around the keys",
            bent(|keys| {
                keys.insert(0, b' ');
                keys.push(b' ');
            }),
        ),
        broken(
            "header_keys_with_a_line_feed",
            first,
            "a line feed behind the keys",
            bent(|keys| {
                keys.push(b'\n');
            }),
        ),
        broken(
            "header_keys_with_a_tab",
            first,
            "a tab inside the keys",
            bent(|keys| {
                keys.insert(1, b'\t');
            }),
        ),
        broken(
            "header_keys_not_utf8",
            first,
            "an ignored member that is not UTF-8",
            bent(|keys| {
                keys.splice(1..1, b"\"x\":\"\xff\",".iter().copied());
            }),
        ),
        broken(
            "header_wrapped_not_canonical",
            first,
            "bits behind the last byte are set",
            bent(|keys| {
                let text = String::from_utf8(keys.clone()).unwrap();
                let (before, after) = text.split_once("\"wrapped\":\"").unwrap();
                let (_, rest) = after.split_once('"').unwrap();
                *keys = format!("{before}\"wrapped\":\"AB==\"{rest}").into_bytes();
            }),
        ),
    ]
}

fn hosts() -> Vec<Fault> {
    vec![
        broken(
            "host_previous_absent",
            "genesis",
            "the host's session before is not named, not even as null",
            text(|kind, text| {
                swap(kind, text, NoteKind::Genesis, "\"seq\":1,\"previous\":null", "\"seq\":1");
            }),
        ),
        broken(
            "host_seq_0",
            "genesis",
            "the host counts from 0",
            Bend { genesis: |g| g.host.seq = 0, ..as_it_is() },
        ),
        broken(
            "host_second_without_previous",
            "genesis",
            "the host's second session names none before it",
            Bend { genesis: |g| g.host.seq = 2, ..as_it_is() },
        ),
        broken(
            "host_first_with_previous",
            "genesis",
            "the host's first session names one before it",
            Bend { genesis: |g| g.host.previous = Some(before(g.session, 1)), ..as_it_is() },
        ),
        broken(
            "host_previous_not_the_one_before",
            "genesis",
            "the host's third session names the first as the one before",
            Bend {
                genesis: |g| {
                    g.host.seq = 3;
                    g.host.previous = Some(before(g.session, 1));
                },
                ..as_it_is()
            },
        ),
    ]
}

fn before(session: bg_recorder::session::SessionId, seq: u64) -> bg_recorder::genesis::Previous {
    bg_recorder::genesis::Previous {
        session,
        seq,
        at: bg_recorder::genesis::At::End,
        link: bg_recorder::chain::Link::genesis(b"before"),
    }
}

fn nested(levels: usize) -> String {
    format!("\"x\":{}{}", "[".repeat(levels), "]".repeat(levels))
}

thread_local! {
    /// What one checkpoint was cosigned with, for a later one.
    static COSIGNED: RefCell<Option<Cosigned>> = const { RefCell::new(None) };
}
