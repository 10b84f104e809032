//! The options of a line: where and when its key may sign.

use std::time::UNIX_EPOCH;

use super::super::key::Presence;
use super::super::pattern::list_matches;
use super::BLANKS;
use crate::format::stamp::Stamp;

/// What a line's options say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The line speaks of certificates.
    pub cert_authority: bool,
    verify_required: bool,
    namespaces: Option<String>,
    after: Option<Stamp>,
    before: Option<Stamp>,
}

impl Options {
    /// Reads options, and returns what stands behind them.
    pub fn split(text: &str) -> Result<(Self, &str), &'static str> {
        let mut options = Self::default();
        let mut rest = text;
        loop {
            rest = options.option(rest)?;
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None if rest.is_empty() || rest.starts_with(BLANKS) => break,
                None => return Err("an option is followed by something else than a comma"),
            }
        }
        if options.after.zip(options.before).is_some_and(|(after, before)| before <= after) {
            return Err("valid-before is not later than valid-after");
        }
        Ok((options, rest.trim_start_matches(BLANKS)))
    }

    /// Reads one option; returns what stands behind it.
    fn option<'a>(&mut self, text: &'a str) -> Result<&'a str, &'static str> {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let name = name.to_ascii_lowercase();
        if is_flag(&name) {
            self.cert_authority |= name == CERT_AUTHORITY;
            self.verify_required |= name == VERIFY_REQUIRED;
            return Ok(rest);
        }
        let (value, rest) = quoted(rest.strip_prefix('=').ok_or("an unknown option")?)?;
        match name.as_str() {
            "namespaces" => once(&mut self.namespaces, value)?,
            "valid-after" => once(&mut self.after, time(&value).ok_or(NO_TIME)?)?,
            "valid-before" => once(&mut self.before, time(&value).ok_or(NO_TIME)?)?,
            _ => return Err("an unknown option"),
        }
        Ok(rest)
    }

    /// Says whether the line's key may sign there and then, or else why it does not.
    pub fn permit(
        &self,
        namespace: &str,
        at: Stamp,
        presence: Presence,
    ) -> Result<(), &'static str> {
        if self.namespaces.as_ref().is_some_and(|list| !list_matches(list, namespace)) {
            return Err("is not allowed in this namespace for");
        }
        if self.after.is_some_and(|after| at < after) {
            return Err("was not valid yet for");
        }
        if self.before.is_some_and(|before| at > before) {
            return Err("was not valid any more for");
        }
        if self.verify_required && presence != Presence::Verified {
            return Err("must verify its user, and did not, for");
        }
        Ok(())
    }
}

/// Returns whether a field is an option without value.
pub fn is_flag(text: &str) -> bool {
    text.eq_ignore_ascii_case(CERT_AUTHORITY) || text.eq_ignore_ascii_case(VERIFY_REQUIRED)
}

fn once<T>(place: &mut Option<T>, value: T) -> Result<(), &'static str> {
    if place.replace(value).is_some() { Err("an option is there twice") } else { Ok(()) }
}

/// Reads a value in double quotes, in which `\"` is a quote.
fn quoted(text: &str) -> Result<(String, &str), &'static str> {
    let mut rest = text.strip_prefix('"').ok_or("an option's value is not in quotes")?;
    let mut value = String::new();
    while let Some(at) = rest.find('"') {
        let (before, behind) = rest.split_at(at);
        rest = behind.get(1..).unwrap_or_default();
        match before.strip_suffix('\\') {
            Some(escaped) => value.extend([escaped, "\""]),
            None => return Ok((value + before, rest)),
        }
    }
    Err("a quote is not closed")
}

/// Reads `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, always as UTC.
fn time(text: &str) -> Option<Stamp> {
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if !digits.bytes().all(|b| b.is_ascii_digit()) || ![8, 12, 14].contains(&digits.len()) {
        return None;
    }
    let whole = format!("{digits:0<14}");
    let part = |from: usize, to: usize| whole.get(from..to);
    if part(12, 14)? > "59" {
        return None;
    }
    let year = part(0, 4)?;
    let month = part(4, 6)?;
    let day = part(6, 8)?;
    let hour = part(8, 10)?;
    let minute = part(10, 12)?;
    let second = part(12, 14)?;
    let time = humantime::parse_rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
        .ok()?;
    Some(Stamp(u64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_micros()).ok()?))
}

const CERT_AUTHORITY: &str = "cert-authority";
const VERIFY_REQUIRED: &str = "verify-required";
const NO_TIME: &str = "not a time: write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, in UTC";
