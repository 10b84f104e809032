//! What a session runs, as its tape says it: the name for everybody, the arguments for those who can open it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use bg_recorder::chain::Digest;

/// A program with its arguments.
pub struct Command<'a>(pub &'a [OsString]);

impl Command<'_> {
    /// Returns the program's name, which the genesis says in the clear.
    pub fn program(&self) -> String {
        self.0.first().map_or_else(String::new, |program| program.to_string_lossy().into_owned())
    }

    /// Returns the digest of all of it: each part, followed by a byte 0.
    pub fn digest(&self) -> Digest {
        let mut bytes = Vec::new();
        for part in self.0 {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(0);
        }
        Digest::of(&bytes)
    }

    /// Returns all of it, quoted for a shell.
    pub fn quoted(&self) -> String {
        let parts: Vec<String> =
            self.0.iter().map(|part| quoted(&part.to_string_lossy())).collect();
        parts.join(" ")
    }
}

fn quoted(part: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    if !part.is_empty() && part.chars().all(plain) {
        return part.to_owned();
    }
    format!("'{}'", part.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_quoted_as_a_shell_reads_it() {
        let parts: Vec<OsString> = ["/bin/sh", "-c", "echo 'a b'; true", ""].map(Into::into).into();
        let command = Command(&parts);
        assert_eq!(command.program(), "/bin/sh");
        assert_eq!(command.quoted(), "/bin/sh -c 'echo '\\''a b'\\''; true' ''");
    }
}
