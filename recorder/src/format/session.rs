//! Session ids and the names of a tape's objects (FORMAT.md 3).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::{Uuid, Variant};

use crate::format::stamp::Stamp;

/// A session's id: a UUIDv7, so that ids sort by the time of their making.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(Uuid);

impl SessionId {
    /// Makes the id of a session that begins now.
    pub fn mint() -> Self {
        Self(Uuid::now_v7())
    }

    /// Returns the 16 bytes that stand in headers and associated data.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Reads the 16 bytes of a header.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// Returns when it was made, which a UUIDv7 says in its first 48 bits (RFC 9562).
    pub fn minted(&self) -> Stamp {
        let ms =
            self.as_bytes().iter().take(6).fold(0_u64, |ms, byte| (ms << 8) | u64::from(*byte));
        Stamp(ms.saturating_mul(1_000))
    }

    /// Returns the key prefix of this session's objects, with its final slash.
    pub fn prefix(&self, created: Stamp) -> String {
        format!("sessions/{}/{self}/", created.day())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl FromStr for SessionId {
    type Err = NotASessionId;

    /// Reads the lower-case hyphenated text of a UUIDv7 and nothing else.
    fn from_str(text: &str) -> Result<Self, NotASessionId> {
        let id = Self(Uuid::try_parse(text).map_err(|_| NotASessionId)?);
        if id.0.get_version_num() == 7
            && id.0.get_variant() == Variant::RFC4122
            && id.to_string() == text
        {
            Ok(id)
        } else {
            Err(NotASessionId)
        }
    }
}

impl Serialize for SessionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The text is not a session id.
#[derive(Debug, thiserror::Error)]
#[error("not a session id (a lower-case UUIDv7)")]
pub struct NotASessionId;

/// The name of one object of a tape, relative to its session's prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum ObjectName {
    /// Who, why, which keys: the first object.
    Genesis,
    /// Sealed frames.
    Segment(u64),
    /// The signed note over the chain up to the segment of the same number.
    Checkpoint(u64),
    /// The signed end of a session that ended properly.
    Seal,
    /// The signed end of a session whose recorder died.
    Recovery,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Genesis => f.write_str("genesis"),
            Self::Segment(n) => write!(f, "segments/{n:010}"),
            Self::Checkpoint(n) => write!(f, "checkpoints/{n:010}"),
            Self::Seal => f.write_str("seal"),
            Self::Recovery => f.write_str("recovery"),
        }
    }
}

impl FromStr for ObjectName {
    type Err = NotAnObject;

    fn from_str(text: &str) -> Result<Self, NotAnObject> {
        match text.split_once('/') {
            None if text == "genesis" => Ok(Self::Genesis),
            None if text == "seal" => Ok(Self::Seal),
            None if text == "recovery" => Ok(Self::Recovery),
            Some(("segments", n)) => number(n).map(Self::Segment),
            Some(("checkpoints", n)) => number(n).map(Self::Checkpoint),
            _ => Err(NotAnObject),
        }
    }
}

impl Serialize for ObjectName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The name is not one that FORMAT.md 3 allows in a tape.
#[derive(Debug, thiserror::Error)]
#[error("not an object of a tape")]
pub struct NotAnObject;

fn number(text: &str) -> Result<u64, NotAnObject> {
    let digits = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().map_err(|_| NotAnObject) } else { Err(NotAnObject) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_names_read_only_what_they_print() {
        for name in [
            ObjectName::Genesis,
            ObjectName::Segment(7),
            ObjectName::Checkpoint(0),
            ObjectName::Seal,
        ] {
            assert_eq!(name.to_string().parse::<ObjectName>().unwrap(), name);
        }
        for text in [
            "",
            "Seal",
            "seal/",
            "segments/7",
            "segments/+000000007",
            "segments/00000000000",
            "../seal",
        ] {
            assert!(text.parse::<ObjectName>().is_err(), "{text}");
        }
    }

    #[test]
    fn session_ids_have_one_text() {
        let id = SessionId::mint();
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
        assert!(id.to_string().to_uppercase().parse::<SessionId>().is_err());
        assert!(id.to_string().replace('-', "").parse::<SessionId>().is_err());
        assert!("6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse::<SessionId>().is_err());
    }
}
