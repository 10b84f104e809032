//! Why a request, or what somebody signs about it, does not count.

use super::signers::{NotAllowed, SignersError};
use super::sshsig::SshSigError;
use super::statement::{Decision, Principal};

/// What speaks against it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// It cannot be read, or says something else than the genesis.
    #[error("{0}")]
    Form(&'static str),
    /// Who may sign cannot be read.
    #[error("{0}")]
    Signers(SignersError),
    /// Nobody has signed it who may.
    #[error("{whose}: {why}")]
    Unsigned {
        /// Whose signature that is.
        whose: Whose,
        /// Why it does not count.
        why: Unsigned,
    },

    /// The request has no time in which it could be used.
    #[error("the request expires before it is made")]
    NoTime,
    /// The session began too late.
    #[error("the approved request had expired")]
    Expired,
    /// Too few people approve.
    #[error("{has} of {quorum} approvals")]
    TooFew {
        /// How many there are.
        has: usize,
        /// How many it takes.
        quorum: u64,
    },

    /// A decision about something else.
    #[error("{0} signed another request's bytes")]
    OtherRequest(Principal),
    /// A decision at a time when none was asked for.
    #[error("{0} signed before the request was made, or after it expired")]
    OutOfTime(Principal),
    /// A decision of another kind.
    #[error("{approver} did not approve: {decision}")]
    NotApproved {
        /// Who decided.
        approver: Principal,
        /// What was decided.
        decision: Decision,
    },
    /// An approval that was over when the session began.
    #[error("the approval of {0} had expired")]
    ApprovalExpired(Principal),
    /// An approval that came when the session was there.
    #[error("{0} approved after the session began")]
    ApprovedLate(Principal),

    /// An approver who is the requester.
    #[error("{0} approved their own request")]
    Own(Principal),
    /// An approver who approved already.
    #[error("{0} counts once")]
    Twice(Principal),
    /// Two names of one person.
    #[error("{one} and {other} count as one: a key stands under both names")]
    OnePerson {
        /// One of them.
        one: Principal,
        /// The other.
        other: Principal,
    },

    /// A claim of something else.
    #[error("the claim is for another request's bytes")]
    ClaimsOther,
    /// A claim of somebody else.
    #[error("{0} claims what they did not ask for")]
    ClaimsForeign(Principal),
    /// A claim for another session.
    #[error("the claim is for another session")]
    ClaimsElsewhere,
    /// A claim of what was not there.
    #[error("the claim was made before the request")]
    ClaimedEarly,
    /// A claim that came when the session was there.
    #[error("the claim was made after the session began")]
    ClaimedLate,

    /// An extension of another session.
    #[error("{0} extended another session")]
    ExtendsOther(Principal),
    /// An extension that is over.
    #[error("the extension of {0} had expired")]
    ExtensionExpired(Principal),
    /// An extension that is not yet.
    #[error("the extension of {0} is from the future")]
    ExtensionEarly(Principal),
    /// An extension by whoever asked for the session.
    #[error("{requester} asked for this session, so {name} cannot extend it")]
    ExtendsOwn {
        /// Who asked.
        requester: Principal,
        /// Who signed, and is the same or has the same key.
        name: Principal,
    },
}

/// Whose signature it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Whose {
    /// A request.
    #[error("the request's signature")]
    Request,
    /// A claim.
    #[error("the claim's signature")]
    Claim,
    /// What a person decided.
    #[error("the signature of {0}")]
    Of(Principal),
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// It is none, or not on these bytes.
    #[error("{0}")]
    Signature(SshSigError),
    /// It is of a key that may not sign this.
    #[error("{0}")]
    NotAllowed(NotAllowed),
}

impl From<&'static str> for Objection {
    fn from(form: &'static str) -> Self {
        Self::Form(form)
    }
}
