//! What happens while a command works that its person should know. Rooms hand it to whoever listens, and print nothing.

use std::fmt::Debug;
use std::io;
use std::path::Path;

use bg_recorder::approval::request::Request;
use bg_recorder::approval::statement::Statement;
use bg_recorder::session::SessionId;

use crate::failure::Failure;

/// Hears what happens. It decides nothing, fails at nothing, and holds nothing up.
pub trait Listener: Debug + Send + Sync {
    /// Hears it.
    fn hear(&self, news: &News<'_>);
}

/// What happened.
#[derive(Debug)]
pub enum News<'n> {
    // What notify says.
    /// A receiver cannot be told anything.
    NoCourier(&'n io::Error),
    /// A message for a receiver cannot be kept.
    NotKept { receiver: &'n str, why: &'n io::Error },
    /// The oldest of too many messages is given up.
    TooMany,
    /// A message of so long ago is given up.
    GivenUp { text: &'n str },
    /// A file in the outbox is no message, and is removed.
    NoMessage(&'n Path),
    /// So many messages wait still, for whom, and why.
    Undelivered { count: usize, whom: &'n str },

    // What the world and the account say.
    /// The session is signed by the standby key, because KMS is away.
    WithoutKeys { why: &'n str },
    /// This machine's clock is off.
    ClockOff { saw: &'n str },

    // What outage says.
    /// A session's extensions are no facts yet.
    ExtensionsWait { why: &'n str },
    /// Those of a session that does not live any more.
    OrphanedExtensions { session: SessionId, why: &'n str },

    // What herald says.
    /// It is waited until somebody has taken the alarm of an override.
    AlarmOnItsWay,
    /// Somebody has.
    AlarmTaken { receiver: &'n str },

    // What request says.
    /// A request is filed.
    Filed(&'n Request),
    /// Who may approve it, and who is told of it.
    Asked { approvers: &'n str, told: &'n [&'n str] },
    /// Somebody is about to sign, with this key.
    Signs { person: &'n str, key: &'n str },
    /// Somebody approves.
    Approved(&'n Statement),
    /// It is waited for approvals.
    Waiting(&'n Request),

    // What access says.
    /// A code does not count; there is another try.
    WrongCode { why: &'n str, hint: &'n str },
    /// AWS does not take a code; there is another try.
    CodeRefused { why: &'n str },

    // What closeout says.
    /// An access is being revoked.
    Revoking { session: SessionId, role: &'n str },
    /// The Deny is not in place.
    NotDenied(&'n Failure),
    /// The gate could not be let go of.
    GateStays(&'n Failure),
    /// Denies that nobody needs could not be removed.
    DeniesStay { why: &'n str },
    /// Somebody took away the Deny of a session whose credentials may be alive.
    DenyGone { session: SessionId },
    /// It is back, or why it is not.
    DenyRestored { detail: &'n str },
    /// A fact is not stored.
    NotNoted { fact: &'n str, why: &'n str },

    // What report says.
    /// The report of a session is not written.
    NotReported { session: SessionId, why: &'n Failure },
    /// It is stored, and this is left to do.
    Reported { session: SessionId, at: &'n str, to_do: &'n [String] },
    /// A stored one is shown, which was made then.
    ReportStored { name: &'n str, made: &'n str },
    /// Its tape has another verdict since.
    TapeChanged { session: SessionId, then: &'n str, now: &'n str },
    /// None is stored; one is made.
    ReportMade,
    /// No key of an IAM user is left to deactivate.
    NoKeyLeft,
    /// A key is of another account.
    ForeignKey { id: &'n str },
    /// Whose key it is, and how it stands.
    KeyOf { id: &'n str, user: &'n str, status: &'n str },
    /// A key is left as it is.
    KeyLeft { id: &'n str },
    /// A key is deactivated.
    KeyInactive { id: &'n str, user: &'n str },
}

/// Nobody listens: for tests.
#[cfg(test)]
pub fn nobody() -> std::sync::Arc<dyn Listener> {
    #[derive(Debug)]
    struct Nobody;

    impl Listener for Nobody {
        fn hear(&self, _: &News<'_>) {}
    }

    std::sync::Arc::new(Nobody)
}
