//! A vector file: what is expected, then the objects of one tape.
//!
//! Lines before the first `object` are `key: value`; an `object NAME` line is followed by base64 lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use data_encoding::BASE64;

/// The objects of a tape by name. A vector may hold names that no tape should.
pub type Objects = BTreeMap<String, Vec<u8>>;

/// One tape with one fault, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// The fault, in one sentence.
    pub fault: String,
    /// The verdict.
    pub expect: String,
    /// An object that a finding must name; empty for a verdict without one.
    pub at: String,
    /// `yes`, or `no` where the chain holds and a reader must refuse all the same.
    pub opens: String,
    /// The session id that the tape's place names.
    pub session: String,
    /// The objects.
    pub objects: Objects,
}

impl Vector {
    /// Returns the file's text.
    pub fn write(&self) -> String {
        let Self { fault, expect, at, opens, session, .. } = self;
        let mut text = format!(
            "fault: {fault}\nexpect: {expect}\nat: {at}\nopens: {opens}\nsession: {session}\n"
        );
        for (name, bytes) in &self.objects {
            writeln!(text, "object {name}").unwrap();
            for line in BASE64.encode(bytes).as_bytes().chunks(100) {
                writeln!(text, "{}", String::from_utf8_lossy(line)).unwrap();
            }
        }
        text
    }

    /// Reads a file's text.
    pub fn read(text: &str) -> Self {
        let mut fields: BTreeMap<&str, String> = BTreeMap::new();
        let mut encoded: BTreeMap<String, String> = BTreeMap::new();
        let mut object = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("object ") {
                object = Some(encoded.entry(name.to_owned()).or_default());
            } else if let Some(object) = &mut object {
                object.push_str(line);
            } else {
                let (key, value) =
                    line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
                fields.insert(key, value.to_owned());
            }
        }
        let mut field = |key| fields.remove(key).unwrap_or_else(|| panic!("no {key}"));
        let decode =
            |(name, text): (String, String)| (name, BASE64.decode(text.as_bytes()).unwrap());
        Self {
            fault: field("fault"),
            expect: field("expect"),
            at: field("at"),
            opens: field("opens"),
            session: field("session"),
            objects: encoded.into_iter().map(decode).collect(),
        }
    }
}
