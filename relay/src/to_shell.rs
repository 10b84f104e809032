//! Bytes that were accepted, on their way to one side.

use std::io;

/// What is still to be written.
#[derive(Debug, Default)]
pub struct ToShell {
    bytes: Vec<u8>,
    at: usize,
}

impl ToShell {
    /// Returns whether everything was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns how many bytes are still to be written.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Writes as much as is taken now.
    ///
    /// # Errors
    /// The writer's.
    pub fn flush(&mut self, write: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        while let Some(rest) = self.bytes.get(self.at..).filter(|rest| !rest.is_empty()) {
            match write(rest)? {
                0 => return Ok(()),
                written => self.at += written,
            }
        }
        self.bytes.clear();
        self.at = 0;
        Ok(())
    }
}
