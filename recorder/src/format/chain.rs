//! The hash chain over sealed frames (FORMAT.md 6).

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// A SHA-256 value: of an object, or of a link's preimage. In text: 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Returns the digest of a whole object, equal to the checksum that S3 stores for it.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hexadecimal digits; anything else is `None`.
    pub fn from_hex(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text)
            .ok_or_else(|| de::Error::custom("not 64 lower-case hexadecimal digits"))
    }
}

/// One link of a session's chain. Every preimage has fixed-width fields first and one variable field last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Link(Digest);

impl Link {
    /// Returns link 0: the link over the exact bytes of the genesis object.
    pub fn genesis(bytes: &[u8]) -> Self {
        Self::over(&[&domain("bg/v1/genesis"), bytes])
    }

    /// Returns the link of a segment's header, which follows `self`.
    #[must_use]
    pub fn header(&self, segment: u64, header: &[u8]) -> Self {
        Self::over(&[&domain("bg/v1/header"), self.as_bytes(), &segment.to_be_bytes(), header])
    }

    /// Returns the link of a sealed frame, which follows `self`.
    #[must_use]
    pub fn frame(&self, frame: u64, sealed: &[u8]) -> Self {
        Self::over(&[&domain("bg/v1/frame"), self.as_bytes(), &frame.to_be_bytes(), sealed])
    }

    /// Returns the first 8 bytes, which stand before each frame to say where a chain was touched.
    pub fn check(&self) -> [u8; 8] {
        let [a, b, c, d, e, f, g, h, ..] = *self.as_bytes();
        [a, b, c, d, e, f, g, h]
    }

    /// Returns the 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    fn over(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Self(Digest(hash.finalize().into()))
    }
}

impl From<[u8; 32]> for Link {
    fn from(bytes: [u8; 32]) -> Self {
        Self(Digest(bytes))
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns `D(text)` of FORMAT.md 2: the text, padded with zero bytes to 16.
fn domain(text: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_depend_on_kind_place_and_predecessor() {
        let zero = Link::genesis(b"g");
        let all =
            [zero.header(0, b"x"), zero.frame(0, b"x"), zero.frame(1, b"x"), zero.frame(0, b"y")];
        for (i, a) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|b| a != b));
        }
        assert_ne!(all[0].frame(0, b"x"), all[1]);
    }

    #[test]
    fn digests_read_only_their_own_text() {
        let digest = Digest::of(b"");
        assert_eq!(
            digest.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::from_hex(&digest.to_string().to_uppercase()), None);
        assert_eq!(Digest::from_hex("e3"), None);
    }
}
