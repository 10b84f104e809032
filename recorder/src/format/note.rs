//! Signed notes: the text form of genesis, checkpoints, seal and recovery (FORMAT.md 4, c2sp.org/signed-note).

use serde::{Serialize, de::DeserializeOwned};

use crate::format::base64;
use crate::format::once;
use crate::format::session::ObjectName;

/// Which note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoteKind {
    /// The first object of a tape.
    Genesis,
    /// After each segment.
    Checkpoint,
    /// The proper end.
    Seal,
    /// The end that a later run wrote.
    Recovery,
    /// Something that happened around a session: no object of its tape.
    Fact,
}

impl NoteKind {
    /// Returns the kind that an object of this name must be; a segment is no note.
    pub fn of(name: ObjectName) -> Option<Self> {
        match name {
            ObjectName::Genesis => Some(Self::Genesis),
            ObjectName::Checkpoint(_) => Some(Self::Checkpoint),
            ObjectName::Seal => Some(Self::Seal),
            ObjectName::Recovery => Some(Self::Recovery),
            ObjectName::Segment(_) => None,
        }
    }

    fn origin(self) -> &'static str {
        match self {
            Self::Genesis => "bg-shell.dev/genesis/v1\n",
            Self::Checkpoint => "bg-shell.dev/checkpoint/v1\n",
            Self::Seal => "bg-shell.dev/seal/v1\n",
            Self::Recovery => "bg-shell.dev/recovery/v1\n",
            Self::Fact => "bg-shell.dev/fact/v1\n",
        }
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The key's name: no space, no plus.
    pub name: String,
    /// The first four bytes of the key's hash.
    pub key_id: [u8; 4],
    /// The signature itself.
    pub bytes: Vec<u8>,
}

/// A note as it was read. Nothing in it is authentic before a signature was checked.
#[derive(Debug)]
pub struct Note<'a> {
    /// The signed bytes.
    pub text: &'a [u8],
    json: &'a str,
    /// The signature lines, in order.
    pub signatures: Vec<Signature>,
}

impl<'a> Note<'a> {
    /// Reads a note of the given kind.
    ///
    /// # Errors
    /// When the bytes do not match the grammar to the last one.
    pub fn parse(kind: NoteKind, bytes: &'a [u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_MAX {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed)?;
        let body = note.strip_prefix(kind.origin()).ok_or(NoteError::WrongKind)?;
        let (json, signatures) = body.split_once("\n\n").ok_or(NoteError::Malformed)?;
        if json.bytes().any(|b| b < 0x20) || !json.starts_with('{') || !json.ends_with('}') {
            return Err(NoteError::Malformed);
        }
        let text_len = kind.origin().len() + json.len() + 1;
        let text = bytes.get(..text_len).ok_or(NoteError::Malformed)?;
        let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        let signatures = signatures.split('\n').map(signature).collect::<Option<_>>();
        Ok(Self { text, json, signatures: signatures.ok_or(NoteError::Malformed)? })
    }

    /// Reads what the note says.
    ///
    /// # Errors
    /// When a member is missing, doubled or of the wrong type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, NoteError> {
        once::line(self.json.as_bytes()).ok_or(NoteError::Malformed)
    }
}

/// Returns the text to be signed.
///
/// # Errors
/// When the value is too large for a note, or is no JSON object.
pub fn text<T: Serialize>(kind: NoteKind, value: &T) -> Result<Vec<u8>, NoteError> {
    let mut text = kind.origin().as_bytes().to_vec();
    serde_json::to_writer(&mut text, value).map_err(|_| NoteError::Malformed)?;
    text.push(b'\n');
    if text.len() > NOTE_MAX - SIGNATURES_MAX { Err(NoteError::TooLarge) } else { Ok(text) }
}

/// Returns the note: the text, a blank line, the signature lines in order.
pub fn assemble(text: &[u8], signatures: &[Signature]) -> Vec<u8> {
    let mut note = text.to_vec();
    note.push(b'\n');
    for signature in signatures {
        let payload = [&signature.key_id, signature.bytes.as_slice()].concat();
        note.extend_from_slice(
            format!("\u{2014} {} {}\n", signature.name, base64::encode(&payload)).as_bytes(),
        );
    }
    note
}

/// Why bytes are not a note.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoteError {
    /// Over [`NOTE_MAX`].
    #[error("a note over {NOTE_MAX} bytes")]
    TooLarge,
    /// The first line is not that of this kind and version.
    #[error("not a note of this kind and version")]
    WrongKind,
    /// The grammar does not match.
    #[error("not a signed note")]
    Malformed,
}

fn signature(line: &str) -> Option<Signature> {
    let (name, payload) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let plain = |b: u8| b.is_ascii_graphic() && b != b'+';
    if name.is_empty() || !name.bytes().all(plain) {
        return None;
    }
    let payload = base64::decode(payload)?;
    let (key_id, bytes) = payload.split_first_chunk::<4>()?;
    Some(Signature { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
}

/// The most bytes of a note.
pub const NOTE_MAX: usize = 262_144;
const SIGNATURES_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn sample() -> Vec<u8> {
        let signature = Signature { name: "a/b".into(), key_id: [1, 2, 3, 4], bytes: vec![9; 64] };
        assemble(&text(NoteKind::Seal, &json!({"line": "a\nb"})).unwrap(), &[signature])
    }

    #[test]
    fn a_note_reads_back() {
        let bytes = sample();
        let note = Note::parse(NoteKind::Seal, &bytes).unwrap();
        assert_eq!(note.read::<Value>().unwrap(), json!({"line": "a\nb"}));
        assert_eq!(assemble(note.text, &note.signatures), bytes);
        assert!(matches!(Note::parse(NoteKind::Genesis, &bytes), Err(NoteError::WrongKind)));
    }

    proptest! {
        #[test]
        fn what_parses_assembles_to_the_same_bytes(at in 0usize..160, byte: u8) {
            let mut bytes = sample();
            let at = at % bytes.len();
            bytes[at] = byte;
            if let Ok(note) = Note::parse(NoteKind::Seal, &bytes) {
                prop_assert_eq!(assemble(note.text, &note.signatures), bytes.clone());
            }
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            for kind in [NoteKind::Genesis, NoteKind::Checkpoint, NoteKind::Seal, NoteKind::Recovery] {
                prop_assert!(Note::parse(kind, &bytes).is_err());
            }
        }
    }
}
