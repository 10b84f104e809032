//! Who is told of a session, and who may end or lengthen it.

use std::io;

use bg_recorder::approval::access::Signed;
use bg_recorder::event::Notice;
use bg_recorder::stamp::Stamp;

/// Tells others.
pub trait Herald {
    /// Something has happened that others should know.
    fn tell(&self, tidings: Tidings<'_>);

    /// Somebody gave the session more time.
    ///
    /// # Errors
    /// When that cannot be kept as a fact.
    fn extended(&self, granted: &Granted, left_s: u64, at: Stamp) -> io::Result<()>;
}

/// What others are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tidings<'a> {
    /// So many seconds are left.
    DeadlineNear(u64),
    /// The evidence cannot be stored, and this is how long the session may go on.
    Outage(&'a str),
    /// It is stored again, after so many seconds.
    Back(u64),
}

/// Ends a session from outside, or has something told in it.
pub trait Switch {
    /// Hands out no credentials from now on.
    fn off(&self, why: &'static str);

    /// Returns who wanted an end, if anybody did.
    fn revoked(&self) -> Option<Revoked>;

    /// Takes what there is to tell.
    fn news(&self) -> Vec<News>;
}

/// Who wanted an end, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// Something to tell in the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// What goes onto the tape.
    pub notice: Notice,
    /// What the responder sees.
    pub line: Option<String>,
}

/// Where extensions are handed over.
pub trait Letterbox {
    /// Returns whom to ask for more time.
    fn plea(&self) -> String;

    /// Takes what was handed over: each is granted or refused.
    fn take(&mut self, now: Stamp) -> Vec<Result<Granted, Refused>>;
}

/// Why an extension does not count, in the words that go onto the tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// An extension that counts.
#[derive(Debug, Clone)]
pub struct Granted {
    /// Who gave it.
    pub by: String,
    /// For how many seconds.
    pub for_s: u64,
    /// The statement and its signature; none of the responder's own.
    pub signed: Option<Signed>,
}
