//! The forge: makes tapes of three small segments from the tape's own parts, any of which a fault may bend
//! before it is hashed and signed.

use std::path::Path;

use bg_recorder::chain::{Digest, Link};
use bg_recorder::checkpoint::{Checkpoint, Cosigned, Listed};
use bg_recorder::closing::{ReadBack, Recovery, Seal};
use bg_recorder::genesis::{Genesis, Host, Keys, Limits, SIGN_ALG, SignKey};
use bg_recorder::keys::local::LocalKeys;
use bg_recorder::keys::{KeyService, Ratchet, WrapContext};
use bg_recorder::note::{self, NoteKind, Signature};
use bg_recorder::seal::Sealer;
use bg_recorder::segment::{self, Header, HeaderKeys, RECORD_HEAD};
use bg_recorder::session::{ObjectName, SessionId};
use bg_recorder::sign::SessionKey;
use bg_recorder::stamp::Stamp;
use bg_recorder::standby::Standby;
use data_encoding::BASE64;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::plea::{Plea, plead};
use crate::vector::Objects;

/// What may be bent. Each function sees a value just before it is written.
pub struct Bend {
    /// Before what was asked for and approved is signed; none, and the genesis has no access.
    pub plea: Option<fn(&mut Plea)>,
    /// Before the genesis is signed.
    pub genesis: fn(&mut Genesis),
    /// Before a header is hashed.
    pub header: fn(&mut Header),
    /// The `keys` of a header, after they were written.
    pub keys: fn(&mut Vec<u8>),
    /// Before a checkpoint is signed.
    pub checkpoint: fn(&mut Checkpoint),
    /// Before the seal is signed.
    pub seal: fn(&mut Seal),
    /// Before the recovery is signed.
    pub recovery: fn(&mut Recovery),
    /// Before a note's signature lines are written.
    pub signatures: fn(NoteKind, &mut Vec<Signature>),
    /// Before a note's text is signed, after it was written.
    pub text: fn(NoteKind, &mut String),
    /// Which long-term key signs a note; of a checkpoint, its cosignature.
    pub by: fn(NoteKind) -> By,
    /// Before a frame is sealed: the link that is bound in.
    pub bound: fn(&mut Link),
    /// The sealed bytes of a segment's frames in the place of true ones: of which segment, after a header of how many
    /// bytes.
    pub noise: fn(u64, usize) -> Option<Vec<Vec<u8>>>,
    /// How the tape ends.
    pub end: End,
    /// How many segments; the third begins a second epoch.
    pub segments: u64,
    /// The last segment ends without end marker and checkpoint, after so many bytes of a further record.
    pub torn: Option<usize>,
}

/// A long-term key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The signing key.
    Signing,
    /// The standby key.
    Standby,
}

/// How a forged tape ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With a seal.
    Seal,
    /// With a recovery.
    Recovery,
    /// With a seal, beside a recovery by somebody who took the session for dead.
    Both,
    /// It does not.
    None,
}

impl Default for Bend {
    fn default() -> Self {
        Self {
            plea: None,
            genesis: |_| {},
            header: |_| {},
            keys: |_| {},
            checkpoint: |_| {},
            seal: |_| {},
            recovery: |_| {},
            signatures: |_, _| {},
            text: |_, _| {},
            by: |_| By::Signing,
            bound: |_| {},
            noise: |_, _| None,
            end: End::Seal,
            segments: 3,
            torn: None,
        }
    }
}

/// Forges a tape; the keys stand in `dir`.
pub fn forge(dir: &Path, bend: &Bend) -> (SessionId, Objects) {
    let mut forge = Forge::begin(dir, bend);
    for number in 0..bend.segments {
        let torn = bend.torn.filter(|_| number + 1 == bend.segments);
        forge.segment(number, torn);
        if torn.is_none() {
            forge.checkpoint(number);
        }
    }
    match bend.end {
        End::Seal => forge.seal(),
        End::Recovery => forge.recovery(),
        End::Both => {
            let listed = forge.listed.clone();
            forge.recovery();
            forge.listed = listed;
            forge.seal();
        }
        End::None => {}
    }
    (forge.session, forge.objects)
}

struct Forge<'a> {
    bend: &'a Bend,
    keys: LocalKeys,
    session: SessionId,
    key: SessionKey,
    link: Link,
    frames: u64,
    epoch: u32,
    step: u32,
    ratchet: Option<Ratchet>,
    listed: Vec<Listed>,
    first_text: Vec<u8>,
    objects: Objects,
}

impl<'a> Forge<'a> {
    fn begin(dir: &Path, bend: &'a Bend) -> Self {
        let keys = LocalKeys::open_or_create(dir).unwrap();
        let session = SessionId::mint();
        let key = SessionKey::generate().unwrap();
        let ring = keys.ring().clone();
        let mut genesis = Genesis {
            session,
            created: Stamp(WALL_US),
            boot_us: BOOT_US,
            boot_id: BOOT_ID.into(),
            suite: 1,
            host: Host { id: BOOT_ID.into(), name: "forge".into(), seq: 1, previous: None },
            limits: Limits::default(),
            keys: Keys {
                sign: SignKey {
                    name: ring.sign_name.clone(),
                    alg: SIGN_ALG.into(),
                    spki: BASE64.encode(ring.sign.spki()),
                },
                standby: None,
                wrap: ring.wrap,
                session: key.public(),
            },
            about: Map::from_iter([("user".to_owned(), Value::from("forger"))]),
        };
        if let Some(bend) = bend.plea {
            plead(&mut genesis, bend);
        }
        (bend.genesis)(&mut genesis);
        let mut forge = Self {
            bend,
            keys,
            session,
            key,
            link: Link::genesis(b""),
            frames: 0,
            epoch: 0,
            step: 0,
            ratchet: None,
            listed: Vec::new(),
            first_text: Vec::new(),
            objects: Objects::new(),
        };
        forge.note(ObjectName::Genesis, NoteKind::Genesis, &genesis);
        forge.link = Link::genesis(&forge.objects["genesis"]);
        forge
    }

    fn segment(&mut self, number: u64, torn: Option<usize>) {
        let keys = self.epoch_keys(number);
        let segment_key = self.ratchet.as_mut().unwrap().step().unwrap();
        let mut header = Header {
            session: self.session,
            segment: number,
            first_frame: self.frames,
            previous: self.link,
            wall_us: WALL_US + number * 1_000_000,
            boot_us: BOOT_US + number * 1_000_000,
            epoch: self.epoch,
            step: self.step,
            commitment: segment_key.commitment,
            keys,
        };
        (self.bend.header)(&mut header);
        let mut bytes = bent_keys(header.encode().unwrap(), self.bend.keys);
        self.link = self.link.header(number, &bytes);
        let before = self.frames;
        match (self.bend.noise)(number, bytes.len()) {
            Some(noise) => noise.iter().for_each(|sealed| self.frame(sealed, &mut bytes)),
            None => {
                let key = &segment_key.key;
                let mut sealer = Sealer::new(key, self.session, number, self.frames).unwrap();
                for line in plain(number) {
                    let mut sealed = Vec::new();
                    let mut bound = self.link;
                    (self.bend.bound)(&mut bound);
                    sealer.seal(bound, line.as_bytes(), &mut sealed).unwrap();
                    self.frame(&sealed, &mut bytes);
                }
            }
        }
        match torn {
            None => {
                let frames = (self.frames - before) as u32;
                bytes.extend(segment::end_marker(frames, self.link));
            }
            // The beginning of a record of 64 sealed bytes.
            Some(len) => bytes.extend(&torn_record()[..len]),
        }
        self.step += 1;
        self.put(ObjectName::Segment(number), bytes);
    }

    fn frame(&mut self, sealed: &[u8], to: &mut Vec<u8>) {
        let mut record = vec![0; RECORD_HEAD];
        record.extend(sealed);
        self.link = self.link.frame(self.frames, sealed);
        segment::frame_record(&mut record, self.link).unwrap();
        to.extend(record);
        self.frames += 1;
    }

    /// Segments 0 and 2 begin epochs 0 and 1.
    fn epoch_keys(&mut self, number: u64) -> Option<HeaderKeys> {
        if !number.is_multiple_of(2) {
            return None;
        }
        (self.epoch, self.step) = ((number / 2) as u32, 0);
        let context = WrapContext { session: self.session, epoch: self.epoch, link: self.link };
        let minted = self.keys.mint(&context).unwrap();
        self.ratchet = Some(Ratchet::begin(minted.key, self.session, self.epoch).unwrap());
        Some(HeaderKeys { minted: number, wraps: minted.wraps })
    }

    fn checkpoint(&mut self, number: u64) {
        let next = SessionKey::generate().unwrap();
        let cosigned = (number == 1).then(|| Cosigned {
            checkpoint: 0,
            signature: BASE64.encode(&self.sign(NoteKind::Checkpoint, &self.first_text).bytes),
        });
        let mut checkpoint = Checkpoint {
            session: self.session,
            checkpoint: number,
            frames: self.frames,
            link: self.link,
            objects: [self.listed[0], self.listed[1]],
            wall: Stamp(WALL_US + number * 1_000_000 + 500_000),
            boot_us: BOOT_US + number * 1_000_000 + 500_000,
            boot_id: BOOT_ID.into(),
            next: next.public(),
            cosigned,
        };
        (self.bend.checkpoint)(&mut checkpoint);
        let text = self.note(ObjectName::Checkpoint(number), NoteKind::Checkpoint, &checkpoint);
        if number == 0 {
            self.first_text = text;
        }
        self.key = next;
    }

    fn seal(&mut self) {
        let segments = self.bend.segments;
        let mut seal = Seal {
            session: self.session,
            sealed: Stamp(WALL_US + segments * 1_000_000),
            boot_us: BOOT_US + segments * 1_000_000,
            boot_id: BOOT_ID.into(),
            segments,
            frames: self.frames,
            link: self.link,
            objects: [self.listed[0]],
            totals: std::collections::BTreeMap::new(),
            gaps: Vec::new(),
            read_back: Some(ReadBack { objects: 1 + 2 * segments }),
            about: Map::new(),
        };
        (self.bend.seal)(&mut seal);
        self.note(ObjectName::Seal, NoteKind::Seal, &seal);
    }

    fn recovery(&mut self) {
        let mut recovery = Recovery {
            session: self.session,
            recovered: Stamp(WALL_US + 60_000_000),
            boot_id: BOOT_ID.into(),
            reason: "forged".into(),
            segments: self.bend.segments,
            frames: self.frames,
            link: self.link,
            torn_bytes: 0,
            stored_segments: self.bend.segments,
            last_write: Stamp(WALL_US + 10_000_000),
            objects: self.listed.clone(),
        };
        (self.bend.recovery)(&mut recovery);
        self.note(ObjectName::Recovery, NoteKind::Recovery, &recovery);
    }

    fn note<T: Serialize>(&mut self, name: ObjectName, kind: NoteKind, value: &T) -> Vec<u8> {
        let mut text = String::from_utf8(note::text(kind, value).unwrap()).unwrap();
        (self.bend.text)(kind, &mut text);
        let text = text.into_bytes();
        let mut signatures = Vec::new();
        if matches!(kind, NoteKind::Checkpoint | NoteKind::Seal) {
            let key = std::mem::replace(&mut self.key, SessionKey::generate().unwrap());
            signatures.push(key.sign(self.session, &text));
        }
        if kind != NoteKind::Checkpoint {
            signatures.push(self.sign(kind, &text));
        }
        (self.bend.signatures)(kind, &mut signatures);
        self.listed.clear();
        self.put(name, note::assemble(&text, &signatures));
        text
    }

    fn sign(&self, kind: NoteKind, text: &[u8]) -> Signature {
        let ring = self.keys.ring();
        match (self.bend.by)(kind) {
            By::Signing => ring.sign.line(&ring.sign_name, self.keys.sign(text).unwrap()),
            By::Standby => standby().line(text).unwrap(),
        }
    }

    fn put(&mut self, name: ObjectName, bytes: Vec<u8>) {
        self.listed.push((name, Digest::of(&bytes)));
        self.objects.insert(name.to_string(), bytes);
    }
}

/// Returns the standby key of all forged tapes.
pub fn standby() -> Standby {
    Standby::from_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/keys/standby.pem"))
        .unwrap()
}

/// Bends the `keys` of a header, where it has any, and the two lengths that go with them.
fn bent_keys(mut header: Vec<u8>, bend: fn(&mut Vec<u8>)) -> Vec<u8> {
    let mut keys = header.split_off(140);
    if !keys.is_empty() {
        bend(&mut keys);
    }
    let len = keys.len() as u32;
    header[12..16].copy_from_slice(&(140 + len).to_be_bytes());
    header[136..140].copy_from_slice(&len.to_be_bytes());
    header.extend(keys);
    header
}

fn torn_record() -> Vec<u8> {
    [&64u32.to_be_bytes()[..], &[7; 40]].concat()
}

/// Returns the plaintext of each frame of a segment.
fn plain(number: u64) -> Vec<String> {
    let header = "{\"version\":2,\"width\":80,\"height\":24,\"timestamp\":1795413600}\n".to_owned();
    let event =
        |at: u64, code: char, data: &str| format!("[{number}.{at:06},\"{code}\",\"{data}\"]\n");
    match number {
        0 => vec![header, event(1, 'i', "ls\\r") + &event(2, 'o', "h\u{e9}llo\\r\\n")],
        1 => vec![
            event(1, 'o', "\u{fffd}") + &event(1, 'B', "/w=="),
            event(2, 'r', "100x30"),
            event(3, 'o', "x"),
        ],
        _ => vec![event(1, 'o', "bye"), event(2, 'x', "0")],
    }
}

/// Genesis time of all forged tapes: 2026-11-23T06:00:00Z.
pub const WALL_US: u64 = 1_795_413_600_000_000;
const BOOT_US: u64 = 5_000_000;
const BOOT_ID: &str = "0d5c1ec7-5b54-4a8b-9c33-77e4a1f7a0d1";
