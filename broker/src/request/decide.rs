//! A decision about a request: what is shown, what is signed, where it goes.

use bg_recorder::approval::access::Signed;
use bg_recorder::approval::signers::AllowedSigners;
use bg_recorder::approval::statement::{Decision, Principal, Statement};
use bg_recorder::approval::{APPROVAL_NAMESPACE, REQUEST_NAMESPACE, SKEW_US};
use bg_recorder::base64;
use bg_recorder::neutral::neutral;
use bg_recorder::stamp::Stamp;

use crate::failure::Failure;
use crate::notify::{Message, Occasion};
use crate::request::dossier::{Because, Dossier, REASON_MAX};
use crate::request::filing::{nonce, store};
use crate::request::lookup::{REQUESTS, find};
use crate::request::signer::{Signer, SignerArgs, signers};
use crate::request::standing::Standing;
use crate::request::terms::minute;
use crate::world::World;

/// A request that somebody is about to decide on.
pub struct Bench<'a> {
    /// What is known of it.
    pub dossier: Dossier,
    world: &'a World,
    decision: Decision,
}

impl<'a> Bench<'a> {
    /// Takes a request that is still open, by the beginning of its id.
    ///
    /// # Errors
    /// When there is none, or it has ended.
    pub fn take(world: &'a World, id: &str, decision: Decision) -> Result<Self, Failure> {
        let now = world.clock.now();
        let dossier = Dossier::open(world, find(&*world.store(), id, now)?, now)?;
        let standing = dossier.standing(now);
        let late = decision == Decision::Approve && now > dossier.request().expires;
        if !standing.is_open() || late {
            let word =
                if late { "expired".to_owned() } else { standing.to_string().to_lowercase() };
            let hint = match dossier.claim.as_ref() {
                Some(claim) => {
                    format!("it is a session: bg-shell revoke {} ends that", claim.session)
                }
                None => "make a new request: bg-shell request".to_owned(),
            };
            return Err(
                Failure::new(format!("request {} is {word}", dossier.request().id)).hint(hint)
            );
        }
        Ok(Self { dossier, world, decision })
    }

    /// Finds who decides, among those whom the role allows.
    ///
    /// # Errors
    /// When nobody here may, or has decided before.
    pub fn signer(&self, args: &SignerArgs) -> Result<Signer, Failure> {
        let signer = Signer::find(args, &self.signers()?, self.namespace(), self.world)?;
        self.may(&signer.person)?;
        Ok(signer)
    }

    /// Returns all that the digest covers, a line each.
    pub fn lines(&self) -> Vec<String> {
        describe(&self.dossier)
    }

    /// Writes the statement that somebody is to sign.
    ///
    /// # Errors
    /// When the person may not decide.
    pub fn statement(&self, person: &Principal) -> Result<Vec<u8>, Failure> {
        self.may(person)?;
        let request = self.dossier.request();
        let used_us = request.execution_s.saturating_mul(1_000_000);
        let statement = Statement {
            v: 1,
            decision: self.decision,
            request: request.id,
            request_sha256: self.dossier.petition.digest,
            approver: person.clone(),
            made: self.world.clock.now(),
            expires: Stamp(request.expires.0.saturating_add(used_us).saturating_add(SKEW_US)),
            nonce: nonce()?,
        };
        statement.write().map_err(Failure::new)
    }

    /// Signs and stores the decision.
    ///
    /// # Errors
    /// When it is not signed, does not count, or another one of this person is there.
    pub fn decide(&self, signer: &Signer) -> Result<(), Failure> {
        let statement = self.statement(&signer.person)?;
        let signature = signer.sign(self.world, self.namespace(), &statement)?;
        self.accept(&statement, &signature).map(drop)
    }

    /// Stores a decision that was signed somewhere, if it counts; returns whose it is.
    ///
    /// # Errors
    /// When it does not.
    pub fn accept(&self, statement: &[u8], signature: &str) -> Result<Principal, Failure> {
        let refused = |what: String| Failure::new(format!("it would not count: {what}"));
        let petition = &self.dossier.petition;
        let decided =
            petition.decided(statement, signature).map_err(|what| refused(what.to_string()))?;
        if decided.statement.decision != self.decision {
            return Err(refused(format!("it says {}", decided.statement.decision)));
        }
        let person = decided.statement.approver.clone();
        self.may(&person)?;
        if self.decision != Decision::Cancel {
            // Who approved may deny: that takes the approval back.
            let approvals = self.dossier.approvals.iter().map(|(one, _)| Some(one));
            let approvals = approvals.filter(|_| self.decision == Decision::Approve);
            let mut others = std::iter::once(None).chain(approvals);
            if let Some(what) = others.find_map(|one| petition.same(one, &decided)) {
                return Err(refused(what.to_string()));
            }
        }
        let id = self.dossier.request().id;
        let key = match self.decision {
            Decision::Approve => format!("{REQUESTS}{id}/approvals/{person}"),
            Decision::Deny => format!("{REQUESTS}{id}/denials/{person}"),
            Decision::Cancel => format!("{REQUESTS}{id}/cancel"),
        };
        let signed =
            Signed { statement: base64::encode(statement), signature: signature.to_owned() };
        store(self.world, &key, &signed)?;
        Ok(person)
    }

    /// Stores why, in the words of who decided. That is not signed: what counts is the decision.
    ///
    /// # Errors
    /// When it is too long, or is not stored.
    pub fn because(&self, person: &Principal, reason: &str) -> Result<(), Failure> {
        if reason.len() > REASON_MAX {
            return Err(Failure::new(format!("a reason has {REASON_MAX} bytes at the most")));
        }
        let id = self.dossier.request().id;
        let reason = Because { reason: reason.to_owned() };
        store(self.world, &format!("{REQUESTS}{id}/reasons/{person}"), &reason)
    }

    /// Tells those who are notified of it; returns how the request stands now.
    ///
    /// # Errors
    /// When it cannot be read again.
    pub fn tell(&self, person: &Principal) -> Result<String, Failure> {
        let id = self.dossier.request().id;
        let now = self.world.clock.now();
        let dossier = Dossier::open(self.world, id, now)?;
        let count = dossier.approvals.len();
        let quorum = dossier.request().quorum;
        let occasion = match self.decision {
            Decision::Approve => Occasion::Approved,
            Decision::Deny => Occasion::Denied,
            Decision::Cancel => Occasion::Cancelled,
        };
        let message = Message::about(occasion, dossier.request())
            .decided(person.as_str(), &format!("{count} of {quorum}"));
        let next = match dossier.standing(now) {
            Standing::Requested => Some(format!("bg-shell approve {id}")),
            Standing::Approved => {
                let until = minute(dossier.usable_until());
                Some(format!("to be opened until {until}: bg-shell open --request {id}"))
            }
            _ => dossier.reasons.first().map(|(_, reason)| format!("because: {reason}")),
        };
        self.world.notifier().tell(next.iter().fold(message, |message, next| message.detail(next)));
        let standing = dossier.standing(now);
        Ok(format!("signed by {person}, {count} of {quorum} approvals: {standing} {id}"))
    }

    fn may(&self, person: &Principal) -> Result<(), Failure> {
        let requester = &self.dossier.request().requester;
        if self.decision == Decision::Cancel {
            return if person == requester {
                Ok(())
            } else {
                Err(Failure::new(format!("only {requester} can withdraw this request"))
                    .hint("an approver ends it with bg-shell deny"))
            };
        }
        if person == requester {
            return Err(Failure::new(format!("{person} asked, so cannot decide"))
                .hint("somebody else must; bg-shell cancel withdraws a request of one's own"));
        }
        let denied = self.dossier.denials.iter().any(|denial| denial.statement.approver == *person);
        let decided = self.dossier.decided.iter().any(|who| who == person.as_str());
        if denied || (decided && self.decision == Decision::Approve) {
            return Err(Failure::new(format!("{person} has decided already")).hint(
                "bg-shell requests shows how; bg-shell deny takes an approval back until it is used",
            ));
        }
        Ok(())
    }

    fn signers(&self) -> Result<AllowedSigners, Failure> {
        Ok(signers(self.world.role(&self.dossier.request().role)?)?.1)
    }

    fn namespace(&self) -> &'static str {
        match self.decision {
            Decision::Cancel => REQUEST_NAMESPACE,
            Decision::Approve | Decision::Deny => APPROVAL_NAMESPACE,
        }
    }
}

/// Returns what a request asks for, a line each, safe to read.
pub fn describe(dossier: &Dossier) -> Vec<String> {
    let request = dossier.request();
    let for_s = |seconds| humantime::format_duration(std::time::Duration::from_secs(seconds));
    let approvals = match (request.forced, request.quorum) {
        (true, quorum) => {
            format!("OVERRIDE: opens without its {quorum} approvals, until {}", request.expires)
        }
        (false, 0) => "none needed".to_owned(),
        (false, 1) => format!("1 person, until {}", request.expires),
        (false, quorum) => format!("{quorum} people, until {}", request.expires),
    };
    let lines = [
        ("request", request.id.to_string()),
        ("requester", request.requester.to_string()),
        ("role", format!("{} ({})", neutral(&request.role), neutral(&request.role_arn))),
        ("reason", neutral(&request.reason)),
        ("incident", request.incident.as_deref().map_or_else(|| "none".to_owned(), neutral)),
        (
            "session",
            format!(
                "{}, within {} of approval",
                for_s(request.duration_s),
                for_s(request.execution_s)
            ),
        ),
        ("approvals", approvals),
        ("made", request.created.to_string()),
        ("policy", request.policy_sha256.to_string()),
        ("nonce", request.nonce.to_string()),
        ("digest", dossier.petition.digest.to_string()),
    ];
    lines.into_iter().map(|(name, value)| format!("  {name:<10} {value}")).collect()
}
