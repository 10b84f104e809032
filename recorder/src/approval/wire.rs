//! The parts of SSH's binary formats (RFC 4251, 5): strings and mpints, read to the last byte.

/// Bytes that are still to be read.
#[derive(Debug, Clone, Copy)]
pub struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    /// Takes bytes to be read.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Reads that many bytes.
    pub fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Reads one byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    /// Reads a big-endian integer.
    pub fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// Reads a length and so many bytes.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.u32()?).ok()?;
        self.bytes(len)
    }

    /// Reads a string that is text.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.string()?).ok()
    }

    /// Reads a positive mpint in its shortest form, and returns its digits without the zero of the sign.
    pub fn mpint(&mut self) -> Option<&'a [u8]> {
        let string = self.string()?;
        match string {
            [0, 0x80..=0xff, ..] => string.get(1..),
            [1..=0x7f, ..] => Some(string),
            _ => None,
        }
    }

    /// Returns whether nothing is left.
    pub fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Appends a string.
pub fn put(to: &mut Vec<u8>, bytes: &[u8]) {
    // What is written here is bounded far below 4 GiB by the limits of what it is made from.
    to.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    to.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_mpint_has_one_form() {
        let read = |bytes: &[u8]| {
            let mut string = Vec::new();
            put(&mut string, bytes);
            Wire::new(&string).mpint().map(<[u8]>::to_vec)
        };
        assert_eq!(read(&[0x7f]), Some(vec![0x7f]));
        assert_eq!(read(&[0, 0x80]), Some(vec![0x80]));
        for bad in [&[][..], &[0], &[0x80], &[0, 1], &[0, 0, 0x80]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
