//! A vector file: what is expected, then the objects of one tape.
//!
//! Lines before the first `object` are `key: value`; an `object NAME` line is followed by lines of base64, and of
//! `run BYTE COUNT` where one byte, in hexadecimal, stands that often.

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
            for run in bytes.chunk_by(|a, b| a == b).fold(Vec::new(), joined) {
                match run {
                    Run::Same(byte, count) => writeln!(text, "run {byte:02x} {count}").unwrap(),
                    Run::Mixed(bytes) => {
                        for line in BASE64.encode(&bytes).as_bytes().chunks(100) {
                            writeln!(text, "{}", String::from_utf8_lossy(line)).unwrap();
                        }
                    }
                }
            }
        }
        text
    }

    /// Reads a file's text.
    pub fn read(text: &str) -> Self {
        let mut fields: BTreeMap<&str, String> = BTreeMap::new();
        let mut objects: BTreeMap<String, Coded> = BTreeMap::new();
        let mut object = None;
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("object ") {
                object = Some(objects.entry(name.to_owned()).or_default());
            } else if let Some(object) = &mut object {
                object.take(line);
            } else {
                let (key, value) =
                    line.split_once(": ").unwrap_or((line.trim_end_matches(':'), ""));
                fields.insert(key, value.to_owned());
            }
        }
        let mut field = |key| fields.remove(key).unwrap_or_else(|| panic!("no {key}"));
        Self {
            fault: field("fault"),
            expect: field("expect"),
            at: field("at"),
            opens: field("opens"),
            session: field("session"),
            objects: objects.into_iter().map(|(name, coded)| (name, coded.decoded())).collect(),
        }
    }
}

/// A part of an object's bytes.
enum Run {
    Same(u8, usize),
    Mixed(Vec<u8>),
}

/// Adds equal bytes to what came before them: a long run by itself, a short one to its neighbours.
fn joined(mut runs: Vec<Run>, same: &[u8]) -> Vec<Run> {
    match runs.last_mut() {
        _ if same.len() >= RUN_MIN => runs.push(Run::Same(same[0], same.len())),
        Some(Run::Mixed(bytes)) => bytes.extend(same),
        _ => runs.push(Run::Mixed(same.to_vec())),
    }
    runs
}

/// An object as its lines have it so far.
#[derive(Default)]
struct Coded {
    bytes: Vec<u8>,
    base64: String,
}

impl Coded {
    fn take(&mut self, line: &str) {
        let Some(run) = line.strip_prefix("run ") else { return self.base64.push_str(line) };
        let (byte, count) = run.split_once(' ').unwrap();
        self.settle();
        let byte = u8::from_str_radix(byte, 16).unwrap();
        self.bytes.extend(std::iter::repeat_n(byte, count.parse().unwrap()));
    }

    fn settle(&mut self) {
        let base64 = std::mem::take(&mut self.base64);
        self.bytes.extend(BASE64.decode(base64.as_bytes()).unwrap());
    }

    fn decoded(mut self) -> Vec<u8> {
        self.settle();
        self.bytes
    }
}

/// The fewest equal bytes that are written as their count.
const RUN_MIN: usize = 4_096;
