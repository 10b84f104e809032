//! Faults of wrapping keys and wraps (FORMAT.md 5 and 7): a tape that KMS and an escrow key open.

use bg_recorder::genesis::{Genesis, KMS_WRAP_ALG, WrapKey};
use bg_recorder::keys::Wrap;
use bg_recorder::segment::Header;
use data_encoding::BASE64;

use super::{Fault, as_it_is, broken, verdict};
use crate::forge::Bend;

pub fn list() -> Vec<Fault> {
    let genesis = |genesis| Bend { genesis, ..both() };
    vec![
        verdict("intact_kms_and_escrow", "intact", "none: KMS and an escrow key open it", both()),
        broken(
            "genesis_wrap_kms_with_spki",
            GENESIS,
            "a KMS key that claims to have a public half",
            genesis(|g| {
                kms_first(g);
                g.keys.wrap[0].spki_sha256 = g.keys.wrap[1].spki_sha256;
            }),
        ),
        broken(
            "genesis_wrap_kms_with_null",
            GENESIS,
            "what must be absent is there as null",
            Bend {
                text: |kind, text| {
                    if kind == bg_recorder::note::NoteKind::Genesis {
                        let alg = "\"alg\":\"AWS-KMS-SYMMETRIC\"";
                        *text = text.replace(alg, &format!("{alg},\"spki_sha256\":null"));
                    }
                },
                ..both()
            },
        ),
        broken(
            "genesis_wrap_rsa_without_spki",
            GENESIS,
            "an RSA key that does not say which it is",
            Bend { genesis: |g| g.keys.wrap[0].spki_sha256 = None, ..as_it_is() },
        ),
        broken(
            "genesis_wrap_name_doubled",
            GENESIS,
            "two wrapping keys of one name",
            genesis(|g| {
                kms_first(g);
                g.keys.wrap[0].name = g.keys.wrap[1].name.clone();
            }),
        ),
        broken(
            "header_wraps_swapped",
            FIRST,
            "the wraps are not in the order of the genesis",
            Bend {
                header: |h| {
                    kms_wrap_first(h);
                    if let (0, Some(keys)) = (h.segment, &mut h.keys) {
                        keys.wraps.swap(0, 1);
                    }
                },
                ..both()
            },
        ),
        broken(
            "header_wrap_of_another_algorithm",
            FIRST,
            "a wrap calls itself KMS's, its key is RSA",
            Bend {
                header: |h| {
                    if let (0, Some(keys)) = (h.segment, &mut h.keys) {
                        keys.wraps[0].alg = KMS_WRAP_ALG.into();
                    }
                },
                ..as_it_is()
            },
        ),
    ]
    .into_iter()
    .chain(alone())
    .collect()
}

/// Faults of epochs that were made without KMS.
fn alone() -> Vec<Fault> {
    let header = |header| Bend { header, ..both() };
    let two = |header| Bend {
        genesis: |g| {
            kms_first(g);
            g.keys.wrap.push(WrapKey { name: "another".into(), ..g.keys.wrap[1].clone() });
        },
        header,
        ..as_it_is()
    };
    vec![
        verdict(
            "intact_epoch_for_escrow_alone",
            "intact",
            "none: the second epoch was made while KMS was away",
            header(|h| {
                if h.segment == 0 {
                    kms_wrap_first(h)
                }
            }),
        ),
        verdict(
            "intact_begun_for_escrow_alone",
            "intact",
            "none: the first epoch was made while KMS was away",
            header(|h| {
                if h.segment > 0 {
                    kms_wrap_first(h)
                }
            }),
        ),
        broken(
            "header_wraps_kms_alone",
            FIRST,
            "an epoch that the escrow key does not open",
            header(|h| {
                kms_wrap_first(h);
                if let (0, Some(keys)) = (h.segment, &mut h.keys) {
                    keys.wraps.truncate(1);
                }
            }),
        ),
        broken(
            "header_wraps_escrow_twice",
            FIRST,
            "an epoch for the escrow key alone, with a wrap too many",
            header(|h| {
                if let (0, Some(keys)) = (h.segment, &mut h.keys) {
                    keys.wraps.push(keys.wraps[0].clone());
                } else {
                    kms_wrap_first(h);
                }
            }),
        ),
        broken(
            "header_wraps_one_of_two_escrows",
            FIRST,
            "an epoch without KMS, for one of two escrow keys",
            two(|h| {
                let Some(keys) = &mut h.keys else { return };
                if h.segment > 0 {
                    keys.wraps.push(Wrap { key: "another".into(), ..keys.wraps[0].clone() });
                    kms_wrap_first(h);
                }
            }),
        ),
        broken(
            "header_wraps_none",
            FIRST,
            "an epoch without KMS, where there is no escrow key",
            Bend {
                genesis: |g| {
                    kms_first(g);
                    g.keys.wrap.truncate(1);
                },
                header: |h| {
                    kms_wrap_first(h);
                    if let Some(keys) = &mut h.keys {
                        keys.wraps.truncate(if h.segment == 0 { 0 } else { 1 });
                    }
                },
                ..as_it_is()
            },
        ),
    ]
}

/// A tape whose first wrap is KMS's. What KMS would open, nobody here can: the second wrap is the escrow key's.
fn both() -> Bend {
    Bend { genesis: kms_first, header: kms_wrap_first, ..as_it_is() }
}

fn kms_first(genesis: &mut Genesis) {
    let key = WrapKey { name: KMS_KEY.into(), alg: KMS_WRAP_ALG.into(), spki_sha256: None };
    genesis.keys.wrap.insert(0, key);
}

fn kms_wrap_first(header: &mut Header) {
    if let Some(keys) = &mut header.keys {
        let wrapped = BASE64.encode(&[7; 184]);
        keys.wraps.insert(0, Wrap { key: KMS_KEY.into(), alg: KMS_WRAP_ALG.into(), wrapped });
    }
}

const KMS_KEY: &str =
    "arn:aws:kms:eu-central-1:111122223333:key/0d5c1ec7-5b54-4a8b-9c33-77e4a1f7a0d1";
const GENESIS: &str = "genesis";
const FIRST: &str = "segments/0000000000";
