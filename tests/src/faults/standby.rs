//! Faults of the standby key (FORMAT.md 4 and 5): it may sign a seal, and else what it was trusted for.

use bg_recorder::genesis::{Genesis, SignKey};
use bg_recorder::note::NoteKind;

use super::{Fault, as_it_is, broken, verdict};
use crate::forge::{Bend, By, End, standby};

pub fn list() -> Vec<Fault> {
    let named = || Bend { genesis: name, ..as_it_is() };
    let standby_for = |by| Bend { by, ..named() };
    let seal =
        || standby_for(|kind| if kind == NoteKind::Seal { By::Standby } else { By::Signing });
    vec![
        verdict("intact_standby_unused", "intact", "none: the standby key was not needed", named()),
        verdict(
            "intact_sealed_by_standby",
            "intact",
            "none: the signing key was away at the end",
            seal(),
        ),
        broken(
            "seal_by_a_standby_not_named",
            "seal",
            "the genesis names no standby key",
            Bend { genesis: |_| {}, ..seal() },
        ),
        broken(
            "seal_by_standby_as_signing_key",
            "seal",
            "the standby key's signature under the signing key's name",
            Bend {
                signatures: |kind, lines| {
                    if kind == NoteKind::Seal {
                        lines[1].name = "bg-shell/practice-sign".into();
                    }
                },
                ..seal()
            },
        ),
        broken(
            "genesis_by_standby",
            "genesis",
            "the standby key signed the genesis that names it",
            standby_for(|kind| if kind == NoteKind::Genesis { By::Standby } else { By::Signing }),
        ),
        broken(
            "cosignature_by_standby",
            "checkpoints/0000000001",
            "the standby key cosigned",
            standby_for(
                |kind| if kind == NoteKind::Checkpoint { By::Standby } else { By::Signing },
            ),
        ),
        broken(
            "recovery_by_standby",
            "recovery",
            "the standby key signed a recovery",
            Bend {
                end: End::Recovery,
                ..standby_for(
                    |kind| if kind == NoteKind::Recovery { By::Standby } else { By::Signing },
                )
            },
        ),
        broken(
            "genesis_standby_algorithm",
            "genesis",
            "a standby key of another algorithm",
            Bend {
                genesis: |g| {
                    g.keys.standby =
                        Some(SignKey { alg: "ECDSA-P384-SHA384".into(), ..standby().named() })
                },
                ..as_it_is()
            },
        ),
        broken(
            "genesis_standby_spki",
            "genesis",
            "a standby key that is none",
            Bend {
                genesis: |g| {
                    g.keys.standby = Some(SignKey { spki: "AAAA".into(), ..standby().named() })
                },
                ..as_it_is()
            },
        ),
        broken(
            "genesis_standby_null",
            "genesis",
            "what must be absent is there as null",
            Bend {
                text: |kind, text| {
                    if kind == NoteKind::Genesis {
                        *text = text.replace("\"wrap\":[", "\"standby\":null,\"wrap\":[");
                    }
                },
                ..as_it_is()
            },
        ),
        broken(
            "begun_by_standby",
            "genesis",
            "begun by a standby key that is not trusted",
            begun(),
        ),
    ]
}

/// A tape that was begun while the key service was away.
fn begun() -> Bend {
    let genesis = |genesis: &mut Genesis| {
        name(genesis);
        genesis.keys.sign = standby().named();
    };
    Bend { genesis, by: |_| By::Standby, ..as_it_is() }
}

fn name(genesis: &mut Genesis) {
    genesis.keys.standby = Some(standby().named());
}
