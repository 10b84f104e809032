//! `allowed_signers` files (ssh-keygen(1), ALLOWED SIGNERS; FORMAT.md 5.1).

mod options;

use self::options::Options;
use super::key::{Presence, PublicKey};
use super::pattern::list_matches;
use crate::format::base64;
use crate::format::stamp::Stamp;

/// A file that was read whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSigners {
    entries: Vec<Entry>,
}

/// One line with a key that may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whom it speaks for: a pattern list.
    pub principals: String,
    /// The key.
    pub key: PublicKey,
    options: Options,
}

impl AllowedSigners {
    /// Reads a file's text. One line that cannot be read makes all of it invalid: what it meant to forbid is unknown.
    ///
    /// # Errors
    /// With the first such line.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignersError> {
        if bytes.len() > SIGNERS_MAX {
            return Err(SignersError { line: 0, what: "the file is too large" });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|_| SignersError { line: 0, what: "the file is not UTF-8" })?;
        let mut entries = Vec::new();
        for (at, line) in text.split('\n').enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            entries.extend(entry(line).map_err(|what| SignersError { line: at + 1, what })?);
        }
        Ok(Self { entries })
    }

    /// Returns all lines that count.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns whether a line names this key for this principal, whatever its options.
    pub fn lists(&self, principal: &str, key: &PublicKey) -> bool {
        self.entries.iter().any(|entry| entry.names(principal, key))
    }

    /// Checks that a key may sign in a namespace for a principal, as of a time.
    ///
    /// # Errors
    /// With what is missing.
    pub fn allow(
        &self,
        principal: &str,
        key: &PublicKey,
        namespace: &str,
        at: Stamp,
        presence: Presence,
    ) -> Result<(), NotAllowed> {
        let mut refused = None;
        for entry in self.entries.iter().filter(|entry| entry.names(principal, key)) {
            match entry.options.permit(namespace, at, presence) {
                Ok(()) => return Ok(()),
                Err(what) => refused = Some(what),
            }
        }
        let refused = refused.unwrap_or("is not in allowed_signers for");
        let key = key.fingerprint();
        Err(NotAllowed { key, refused, principal: principal.to_owned() })
    }
}

impl Entry {
    fn names(&self, principal: &str, key: &PublicKey) -> bool {
        self.key == *key && list_matches(&self.principals, principal)
    }

    /// Returns the principal, where the line names exactly one.
    pub fn principal(&self) -> Option<&str> {
        let plain = !self.principals.contains([',', '*', '?', '!']);
        plain.then_some(self.principals.as_str())
    }
}

/// Why a key may not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key {key} {refused} {principal}")]
pub struct NotAllowed {
    /// Its fingerprint.
    pub key: String,
    /// What its line does not permit.
    pub refused: &'static str,
    /// Whom it should speak for.
    pub principal: String,
}

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("allowed_signers, line {line}: {what}")]
pub struct SignersError {
    /// Which line, from 1; 0 for the whole file.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Reads one line; one that says nothing about keys that may sign here is no entry.
fn entry(line: &str) -> Result<Option<Entry>, &'static str> {
    let line = line.trim_start_matches(BLANKS);
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.starts_with('"') {
        return Err("quoted principals are not taken");
    }
    let (principals, rest) = field(line);
    let (second, _) = field(rest);
    let (options, rest) =
        if is_options(second) { Options::split(rest)? } else { (Options::default(), rest) };
    let (kind, rest) = field(rest);
    let (blob, _) = field(rest);
    if blob.is_empty() {
        return Err("the key is missing");
    }
    if !PublicKey::is_type(kind) {
        return Ok(None);
    }
    let key = base64::decode(blob).and_then(|blob| PublicKey::parse(&blob));
    let key = key.filter(|key| key.type_name() == kind).ok_or("the key is not one of its type")?;
    let entry = Entry { principals: principals.to_owned(), key, options };
    Ok((!entry.options.cert_authority).then_some(entry))
}

fn is_options(field: &str) -> bool {
    field.contains(['=', ',', '"']) || options::is_flag(field)
}

/// Splits the first field off; what stands behind begins with the next.
fn field(text: &str) -> (&str, &str) {
    let (field, rest) = text.split_once(BLANKS).unwrap_or((text, ""));
    (field, rest.trim_start_matches(BLANKS))
}

const BLANKS: [char; 2] = [' ', '\t'];
/// The most bytes of an allowed_signers file.
pub const SIGNERS_MAX: usize = 65_536;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    fn allowed(line: &str, principal: &str, at: &str) -> Result<bool, SignersError> {
        let signers = AllowedSigners::parse(line.as_bytes())?;
        let key =
            AllowedSigners::parse(format!("x {KEY}").as_bytes()).unwrap().entries[0].key.clone();
        let at: Stamp = serde_json::from_str(&format!("\"{at}\"")).unwrap();
        Ok(signers.allow(principal, &key, "n", at, Presence::Unknown).is_ok())
    }

    const NOW: &str = "2026-11-23T06:00:00.000000Z";

    #[test]
    fn lines_allow_as_ssh_keygen_does() {
        for (before, expected) in [
            ("alice", true),
            ("bob", false),
            ("bob,ali*", true),
            ("*,!alice", false),
            ("alice namespaces=\"n\"", true),
            ("alice Namespaces=\"m,n*\"", true),
            ("alice namespaces=\"m\"", false),
            ("alice cert-authority", false),
            ("alice verify-required", false),
            ("alice valid-after=\"20261123\"", true),
            ("alice valid-after=\"202611230601\"", false),
            ("alice valid-after=\"20261123060000Z\",valid-before=\"20261123060000z\"", true),
            ("alice valid-before=\"202611230600\"", true),
            ("alice valid-before=\"20261123055959\"", false),
            ("alice valid-before=\"20261123055959\",namespaces=\"n\"", false),
            ("\t alice\t ", true),
            ("# alice", false),
        ] {
            let read = allowed(&format!("{before} {KEY} a comment\r\n"), "alice", NOW);
            let last = "20261123060000Z\",valid-before=";
            if before.contains(last) {
                assert!(read.is_err(), "{before}: not later");
            } else {
                assert_eq!(read, Ok(expected), "{before}");
            }
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_spoils_the_file() {
        for line in [
            "alice",
            "alice ssh-ed25519",
            "alice ssh-ed25519 AAAA",
            "\"alice\" ssh-ed25519 AAAA",
            "alice valid-after=20260101 ssh-ed25519 AAAA",
            "alice no-touch-required,namespaces=\"n\" ssh-ed25519 AAAA",
            "alice namespaces=\"n\",namespaces=\"n\" k a",
            "alice namespaces=\"n k a",
            "alice valid-after=\"20261301\" k a",
            "alice valid-after=\"2026010\" k a",
            "alice valid-after=\"20260101246060\" k a",
            "alice namespaces=\"n\", k a",
        ] {
            let text = format!("bob {KEY}\n{line}\n");
            assert_eq!(
                AllowedSigners::parse(text.as_bytes()).map_err(|e| e.line),
                Err(2),
                "{line}"
            );
        }
    }

    #[test]
    fn keys_of_other_types_are_passed_over() {
        let text = format!("a ssh-dss AAAA\nb ssh-ed25519-cert-v01@openssh.com AAAA\nc {KEY}");
        assert_eq!(AllowedSigners::parse(text.as_bytes()).unwrap().entries.len(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes: Vec<u8>) {
            drop(AllowedSigners::parse(&bytes));
        }

        #[test]
        fn no_options_make_the_parser_panic(options in "[a-z=\",\\\\ 0-9]{0,40}") {
            drop(AllowedSigners::parse(format!("alice {options} {KEY}").as_bytes()));
        }
    }
}
