//! A secret that stands in a file which few can read.

use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use zeroize::{Zeroize, Zeroizing};

/// What a secret file holds, without the line's end. It prints as `WebhookSecret(..)` and is zeroed when dropped.
pub struct WebhookSecret(Zeroizing<Vec<u8>>);

impl WebhookSecret {
    /// Reads a file that its group may read at most, and nobody else.
    ///
    /// # Errors
    /// When it is missing, empty, too large, no file, or open to others.
    pub fn read(path: &Path) -> io::Result<Self> {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).map_err(io::Error::other)?;
        let file = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if meta.mode() & OTHERS != 0 {
            return Err(io::Error::other(
                "others than its owner and group can use it: chmod 640, or 600",
            ));
        }
        // Room for all of it at once: a growing vector would leave copies behind.
        let mut secret = Zeroizing::new(Vec::with_capacity(SECRET_MAX + 1));
        file.take(SECRET_MAX as u64 + 1).read_to_end(&mut secret)?;
        if secret.len() > SECRET_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        while secret.last().is_some_and(u8::is_ascii_whitespace) {
            secret.pop().zeroize();
        }
        if secret.is_empty() { Err(io::Error::other("it is empty")) } else { Ok(Self(secret)) }
    }

    /// Lends the bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

/// Bits of a mode that a secret must not have: written by the group, anything by others.
const OTHERS: u32 = 0o027;
const SECRET_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "s3cret\n").unwrap();
        for (mode, taken) in
            [(0o600, true), (0o440, true), (0o644, false), (0o660, false), (0o601, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(WebhookSecret::read(&path).is_ok(), taken, "{mode:o}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(WebhookSecret::read(&path).unwrap().expose(), b"s3cret");
        std::fs::write(&path, "\n").unwrap();
        assert!(WebhookSecret::read(&path).is_err());
    }
}
