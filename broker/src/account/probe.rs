//! The probe: one read-only call that works while an access lives, and whose explicit denial proves that it is over.
//!
//! It is never sts:GetCallerIdentity, which no policy denies.

use std::time::Duration;

use aws_sdk_iam::operation::RequestId;
use bg_aws::edge::Edge;
use bg_aws::fault::{CallError, CallKind};
use bg_recorder::clock::{Clock, Stopwatch};
use bg_recorder::stamp::Stamp;

use crate::config::Probe;

/// What shows that an access is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// It was denied explicitly, [`DENIALS`] times in a row.
    Denied {
        /// The ids of all requests that were made for it, where they were sent.
        request_ids: Vec<String>,
        /// What the last refusal said.
        said: String,
    },
    /// The credentials have expired, and it is past the time when they had to.
    Expired,
}

/// Why it is not proved that an access is over: what the last try said.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProved {
    /// The access is alive, or the Deny has not reached all of IAM.
    #[error("the probe still works")]
    Works,
    /// It was denied, and not often enough.
    #[error("denied {times} of {DENIALS} times: {said}")]
    TooFew {
        /// How often in a row.
        times: u32,
        /// What the last refusal said.
        said: CallError,
    },
    /// What came back proves nothing.
    #[error("{0}")]
    Unclear(CallError),
}

/// Makes the probe's call.
pub trait Prober {
    /// Makes one call; returns its request id, where one was sent.
    ///
    /// # Errors
    /// As the service says.
    fn call(&self) -> Result<Option<String>, CallError>;
}

/// The positive control: waits for the call to work, as long as `patience`, while a gate propagates.
///
/// # Errors
/// What the last try said.
pub fn allowed(
    edge: &Edge,
    probe: Probe,
    patience: Duration,
    clock: &dyn Clock,
) -> Result<Option<String>, CallError> {
    allowed_by(&OnAws { edge, probe }, patience, clock)
}

/// Waits for the call to be denied, as long as `patience`. The credentials are dead at `expires` in any case.
///
/// # Errors
/// Why it is not proved.
pub fn denied(
    edge: &Edge,
    probe: Probe,
    expires: Stamp,
    patience: Duration,
    clock: &dyn Clock,
) -> Result<Proof, NotProved> {
    denied_by(&OnAws { edge, probe }, expires, patience, clock)
}

fn allowed_by(
    prober: &dyn Prober,
    patience: Duration,
    clock: &dyn Clock,
) -> Result<Option<String>, CallError> {
    let began = Stopwatch::start(clock);
    loop {
        match prober.call() {
            Err(e) if e.kind == CallKind::Denied && began.elapsed() < patience => clock.wait(PAUSE),
            answer => return answer,
        }
    }
}

/// Only an explicit denial counts. One that no policy explains (a gate that was closed, a key that IAM does not know
/// yet), a throttled or an unanswered call proves nothing; and one success begins the count anew, because a Deny
/// reaches IAM's machines one after the other.
fn denied_by(
    prober: &dyn Prober,
    expires: Stamp,
    patience: Duration,
    clock: &dyn Clock,
) -> Result<Proof, NotProved> {
    let began = Stopwatch::start(clock);
    let mut pause = PAUSE;
    let mut in_a_row = 0;
    let mut request_ids = Vec::new();
    loop {
        let why = match prober.call() {
            Ok(id) => {
                in_a_row = 0;
                request_ids.extend(id);
                NotProved::Works
            }
            Err(e) if e.kind == CallKind::ExplicitDeny => {
                in_a_row += 1;
                request_ids.extend(e.request_id.clone());
                if in_a_row == DENIALS {
                    return Ok(Proof::Denied { request_ids, said: e.message });
                }
                NotProved::TooFew { times: in_a_row, said: e }
            }
            Err(e) if e.kind == CallKind::Expired && clock.now() >= expires => {
                return Ok(Proof::Expired);
            }
            Err(e) => {
                in_a_row = 0;
                request_ids.extend(e.request_id.clone());
                NotProved::Unclear(e)
            }
        };
        if began.elapsed() >= patience {
            return Err(why);
        }
        clock.wait(pause);
        pause = if in_a_row > 0 { PAUSE } else { (pause * 2).min(PAUSE_MAX) };
    }
}

struct OnAws<'a> {
    edge: &'a Edge,
    probe: Probe,
}

impl Prober for OnAws<'_> {
    fn call(&self) -> Result<Option<String>, CallError> {
        let edge = self.edge;
        match self.probe {
            Probe::ListBuckets => {
                let config =
                    aws_sdk_s3::config::Builder::from(edge.sdk()).interceptor(edge.journal());
                let client = aws_sdk_s3::Client::from_conf(config.build());
                let answer = edge.wait(client.list_buckets().max_buckets(1).send());
                answer
                    .map(|answer| id(&answer))
                    .map_err(|e| CallError::new("s3:ListAllMyBuckets", &e))
            }
            Probe::ListAccountAliases => {
                let config =
                    aws_sdk_iam::config::Builder::from(edge.sdk()).interceptor(edge.journal());
                let client = aws_sdk_iam::Client::from_conf(config.build());
                let answer = edge.wait(client.list_account_aliases().send());
                answer
                    .map(|answer| id(&answer))
                    .map_err(|e| CallError::new("iam:ListAccountAliases", &e))
            }
            Probe::ListTopics => {
                let config =
                    aws_sdk_sns::config::Builder::from(edge.sdk()).interceptor(edge.journal());
                let client = aws_sdk_sns::Client::from_conf(config.build());
                let answer = edge.wait(client.list_topics().send());
                answer.map(|answer| id(&answer)).map_err(|e| CallError::new("sns:ListTopics", &e))
            }
        }
    }
}

impl Probe {
    /// Returns the action as policies have it.
    pub fn action(self) -> &'static str {
        match self {
            Self::ListBuckets => "s3:ListAllMyBuckets",
            Self::ListAccountAliases => "iam:ListAccountAliases",
            Self::ListTopics => "sns:ListTopics",
        }
    }
}

fn id(answer: &impl RequestId) -> Option<String> {
    answer.request_id().map(ToOwned::to_owned)
}

/// How many explicit denials in a row are a proof.
pub const DENIALS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);
const PAUSE_MAX: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::os::hands::Hands;

    /// Answers as it is told, the last answer for ever.
    struct Script(RefCell<Vec<Result<(), CallKind>>>);

    impl Prober for Script {
        fn call(&self) -> Result<Option<String>, CallError> {
            let mut left = self.0.borrow_mut();
            let answer = if left.len() > 1 { left.remove(0) } else { left[0] };
            let id = Some(format!("id-{}", left.len()));
            answer.map(|()| id.clone()).map_err(|kind| CallError {
                action: "s3:ListAllMyBuckets",
                kind,
                code: None,
                message: "with an explicit deny in an identity-based policy".into(),
                request_id: id,
            })
        }
    }

    fn run(answers: &[Result<(), CallKind>], expires: Stamp) -> Result<Proof, NotProved> {
        let script = Script(RefCell::new(answers.to_vec()));
        denied_by(&script, expires, PATIENCE, &*Hands::at(NOON))
    }

    /// What a role has where it says nothing.
    const PATIENCE: Duration = Duration::from_secs(60);
    const NOON: Stamp = Stamp(1_795_435_200_000_000);
    const NEVER: Stamp = Stamp(u64::MAX);
    const DENIED: Result<(), CallKind> = Err(CallKind::ExplicitDeny);

    #[test]
    fn a_success_begins_the_count_anew() {
        let Ok(Proof::Denied { request_ids, .. }) = run(&[DENIED, DENIED, Ok(()), DENIED], NEVER)
        else {
            panic!("not proved")
        };
        assert_eq!(request_ids.len(), 6, "{request_ids:?}");
    }

    #[test]
    fn what_is_not_an_explicit_denial_proves_nothing() {
        for kind in
            [CallKind::Denied, CallKind::Throttled, CallKind::Unreachable, CallKind::Refused]
        {
            assert!(run(&[Err(kind)], NEVER).is_err(), "{kind:?}");
            assert!(
                run(&[DENIED, DENIED, Err(kind), DENIED, DENIED, Err(kind)], NEVER).is_err(),
                "{kind:?}"
            );
        }
        assert!(run(&[Ok(())], NEVER).is_err());
    }

    #[test]
    fn expired_credentials_are_a_proof_only_once_they_had_to_expire() {
        assert_eq!(run(&[Err(CallKind::Expired)], NOON), Ok(Proof::Expired));
        assert!(run(&[Err(CallKind::Expired)], NEVER).is_err());
        // They expire while it is tried.
        let soon = NOON.after(PATIENCE / 2);
        assert_eq!(run(&[Err(CallKind::Expired)], soon), Ok(Proof::Expired));
    }

    #[test]
    fn a_gate_has_its_patience_to_propagate() {
        let denied = Err(CallKind::Denied);
        let script = Script(RefCell::new(vec![denied, denied, Ok(())]));
        assert!(allowed_by(&script, PATIENCE, &*Hands::at(NOON)).is_ok());
        let hands = Hands::at(NOON);
        let never = Script(RefCell::new(vec![denied]));
        assert!(allowed_by(&never, PATIENCE, &*hands).is_err());
        assert_eq!(NOON.until(hands.now()), PATIENCE);
    }
}
