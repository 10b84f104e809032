//! Who is told of a session, and who may end or lengthen it.

use std::io;
use std::time::Duration;

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
    /// Somebody moved the session's end: who, and until when.
    Renewed(&'a str),
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

/// Moves the end of a session that runs. One is asked for after the other has come back.
pub trait Term {
    /// Has it moved by so much. It does not wait: what must be written down before anything moves takes its time.
    fn renew(&mut self, granted: Granted, by: Duration);

    /// Returns what came of that, once.
    fn renewed(&mut self) -> Option<Result<Renewed, Refused>>;
}

/// An end that has been moved, as far as others are concerned: the loop moves its own then.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// By whom.
    pub granted: Granted,
    /// By how much.
    pub by: Duration,
    /// When the session ends now.
    pub ends: Stamp,
    /// What the window is called now, where it is called something.
    pub title: Option<String>,
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
