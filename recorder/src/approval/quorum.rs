//! Whether a session was allowed: every signature, every person, every time (FORMAT.md 5.1).

use serde::Serialize;

use super::access::{APPROVALS_MAX, Access};
use super::extension::Extension;
use super::key::PublicKey;
use super::objection::{Objection, Unsigned, Whose};
use super::request::Request;
use super::signers::AllowedSigners;
use super::sshsig::SshSig;
use super::statement::{Decision, Principal, Statement};
use super::taking::Taking;
use super::{APPROVAL_NAMESPACE, CLAIM_NAMESPACE, EXTENSION_NAMESPACE, REQUEST_NAMESPACE, SKEW_US};
use crate::format::base64;
use crate::format::chain::Digest;
use crate::format::session::SessionId;
use crate::format::stamp::Stamp;

/// A request whose signature holds, with what its approvals are judged by.
#[derive(Debug, Clone)]
pub struct Petition {
    /// The request.
    pub request: Request,
    /// The digest of its exact bytes.
    pub digest: Digest,
    key: PublicKey,
    signers: AllowedSigners,
}

/// A decision whose signature holds.
#[derive(Debug, Clone)]
pub struct Decided {
    /// What was decided.
    pub statement: Statement,
    key: PublicKey,
}

/// A session that was allowed.
#[derive(Debug, Clone)]
pub struct Approved {
    /// The request.
    pub request: Request,
    /// The digest of its exact bytes.
    pub digest: Digest,
    /// Who approved, in the order of the tape.
    pub approvers: Vec<Principal>,
    /// Whose signatures this rests on, in the order of their making.
    pub people: Vec<Signatory>,
    /// What a verifier notes.
    pub notes: Vec<&'static str>,
}

/// Somebody who signed, with which key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Signatory {
    /// What was signed: `request`, `approval` or `claim`.
    pub signed: &'static str,
    /// By whom.
    pub name: Principal,
    /// The key's fingerprint, as ssh-keygen prints it.
    pub key: String,
    /// The key itself.
    #[serde(skip)]
    pub public: PublicKey,
}

impl Signatory {
    fn new(signed: &'static str, name: &Principal, public: &PublicKey) -> Self {
        let key = public.fingerprint();
        Self { signed, name: name.clone(), key, public: public.clone() }
    }
}

impl Petition {
    /// Checks the request that a genesis names.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn of(access: &Access) -> Result<Self, Objection> {
        let bytes = base64::decode(&access.request).ok_or("the request is not base64")?;
        Self::open(&bytes, &access.request_signature, access.signers()?)
    }

    /// Checks a request: its form, and that its requester signed it.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn open(bytes: &[u8], signature: &str, signers: AllowedSigners) -> Result<Self, Objection> {
        let request = Request::parse(bytes)?;
        if request.expires <= request.created {
            return Err(Objection::NoTime);
        }
        let by = (&request.requester, request.created);
        let key = signed(&signers, bytes, signature, REQUEST_NAMESPACE, by)
            .map_err(|why| Objection::Unsigned { whose: Whose::Request, why })?;
        Ok(Self { digest: Digest::of(bytes), request, key, signers })
    }

    /// Checks a decision about this request: its form, its signature, that it is about these bytes, and its times.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn decided(&self, bytes: &[u8], signature: &str) -> Result<Decided, Objection> {
        let statement = Statement::parse(bytes)?;
        let by = statement.approver.clone();
        let namespace = match statement.decision {
            Decision::Cancel => REQUEST_NAMESPACE,
            Decision::Approve | Decision::Deny => APPROVAL_NAMESPACE,
        };
        let key = signed(&self.signers, bytes, signature, namespace, (&by, statement.made))
            .map_err(|why| Objection::Unsigned { whose: Whose::Of(by.clone()), why })?;
        if statement.request != self.request.id || statement.request_sha256 != self.digest {
            return Err(Objection::OtherRequest(by));
        }
        let from = self.request.created.0.saturating_sub(SKEW_US);
        if statement.made.0 < from || statement.made > self.request.expires {
            return Err(Objection::OutOfTime(by));
        }
        Ok(Decided { statement, key })
    }

    /// Checks that the requester takes this request in this session: form, signature, and that it is about these bytes.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn taken(
        &self,
        bytes: &[u8],
        signature: &str,
        session: SessionId,
    ) -> Result<Taking, Objection> {
        let taking = Taking::parse(bytes)?;
        let by = (&self.request.requester, taking.made);
        signed(&self.signers, bytes, signature, CLAIM_NAMESPACE, by)
            .map_err(|why| Objection::Unsigned { whose: Whose::Claim, why })?;
        if (taking.request, taking.request_sha256) != (self.request.id, self.digest) {
            return Err(Objection::ClaimsOther);
        }
        if taking.requester != self.request.requester {
            return Err(Objection::ClaimsForeign(taking.requester));
        }
        if taking.session != session {
            return Err(Objection::ClaimsElsewhere);
        }
        if taking.made.0 < self.request.created.0.saturating_sub(SKEW_US) {
            return Err(Objection::ClaimedEarly);
        }
        Ok(taking)
    }

    /// Checks an extension of a session that this request opened.
    ///
    /// # Errors
    /// With what is wrong.
    pub fn extended(
        &self,
        bytes: &[u8],
        signature: &str,
        session: SessionId,
        now: Stamp,
    ) -> Result<Extension, Objection> {
        let (extension, key) = extended(&self.signers, bytes, signature, session, now)?;
        let name = &extension.approver;
        let requester = &self.request.requester;
        let listed = self.signers.lists(name.as_str(), &self.key)
            || self.signers.lists(requester.as_str(), &key);
        if name == requester || listed {
            let (requester, name) = (requester.clone(), name.clone());
            return Err(Objection::ExtendsOwn { requester, name });
        }
        Ok(extension)
    }

    /// Says why two people are not two, if they are not. None stands for the requester.
    pub fn same(&self, one: Option<&Decided>, other: &Decided) -> Option<Objection> {
        let person = one.map_or((&self.request.requester, &self.key), Decided::person);
        self.one(person, one.is_none(), other)
    }

    /// Says why whoever claims with a key is not another person than an approver, if they are not.
    pub fn claims(&self, key: &PublicKey, approver: &Decided) -> Option<Objection> {
        self.one((&self.request.requester, key), true, approver)
    }

    fn one(
        &self,
        (name, key): (&Principal, &PublicKey),
        asked: bool,
        other: &Decided,
    ) -> Option<Objection> {
        let (their_name, their_key) = other.person();
        let listed = self.signers.lists(their_name.as_str(), key)
            || self.signers.lists(name.as_str(), their_key);
        match (name == their_name, asked) {
            (true, true) => Some(Objection::Own(name.clone())),
            (true, false) => Some(Objection::Twice(name.clone())),
            (false, _) if listed => {
                Some(Objection::OnePerson { one: name.clone(), other: their_name.clone() })
            }
            (false, _) => None,
        }
    }

    /// Checks an approval's times against the time of opening.
    fn holds(&self, decided: &Decided, created: Stamp) -> Result<(), Objection> {
        let Statement { decision, approver, made, expires, .. } = &decided.statement;
        if *decision != Decision::Approve {
            let approver = approver.clone();
            return Err(Objection::NotApproved { approver, decision: *decision });
        }
        if *expires <= created {
            return Err(Objection::ApprovalExpired(approver.clone()));
        }
        if made.0 > created.0.saturating_add(SKEW_US) {
            return Err(Objection::ApprovedLate(approver.clone()));
        }
        Ok(())
    }

    /// Returns until when the request can be used: its time runs from the approval that completed the quorum.
    pub fn usable_until<'a>(&self, approvals: impl IntoIterator<Item = &'a Decided>) -> Stamp {
        if self.request.forced {
            return self.request.expires;
        }
        let mut made: Vec<Stamp> =
            approvals.into_iter().map(|decided| decided.statement.made).collect();
        made.sort_unstable();
        let last = usize::try_from(self.request.quorum)
            .ok()
            .and_then(|quorum| made.get(quorum.checked_sub(1)?));
        let from = last.copied().unwrap_or(self.request.created);
        Stamp(from.0.saturating_add(self.request.execution_s.saturating_mul(1_000_000)))
    }
}

impl Decided {
    fn person(&self) -> (&Principal, &PublicKey) {
        (&self.statement.approver, &self.key)
    }
}

/// Checks everything that the genesis of a session says of its approvals, as of its making.
///
/// # Errors
/// With every fault that was found.
pub fn check(
    access: &Access,
    session: SessionId,
    created: Stamp,
) -> Result<Approved, Vec<Objection>> {
    let petition = Petition::of(access).map_err(|what| vec![what])?;
    let mut faults = terms(access, &petition, created);
    let mut approvals: Vec<Decided> = Vec::new();
    for signed in access.approvals.iter().take(APPROVALS_MAX) {
        let decided = base64::decode(&signed.statement)
            .ok_or(Objection::Form("a statement is not base64"))
            .and_then(|bytes| petition.decided(&bytes, &signed.signature));
        match decided {
            Err(what) => faults.push(what),
            Ok(decided) => {
                faults.extend(petition.holds(&decided, created).err());
                faults.extend(petition.same(None, &decided));
                faults
                    .extend(approvals.iter().filter_map(|one| petition.same(Some(one), &decided)));
                approvals.push(decided);
            }
        }
    }
    faults.extend(enough(access, &petition, &approvals, created));
    let claim = claimed(access, &petition, session, created);
    if let Ok(key) = &claim {
        faults.extend(approvals.iter().filter_map(|one| petition.claims(key, one)));
    }
    let key = claim.map_err(|what| faults.push(what)).ok();
    if !faults.is_empty() {
        return Err(faults);
    }
    let notes = match (access.forced, access.quorum) {
        (true, _) => vec!["forced: opened without its approvals"],
        (false, 0) => vec!["quorum 0: opened by its requester alone"],
        _ => Vec::new(),
    };
    let requester = &petition.request.requester;
    let mut people = vec![Signatory::new("request", requester, &petition.key)];
    let approved = |one: &Decided| Signatory::new("approval", &one.statement.approver, &one.key);
    people.extend(approvals.iter().map(approved));
    people.extend(key.map(|key| Signatory::new("claim", requester, &key)));
    let approvers = approvals.into_iter().map(|decided| decided.statement.approver).collect();
    Ok(Approved { request: petition.request, digest: petition.digest, approvers, people, notes })
}

/// Checks an extension: its form, its signature, that it is for this session, and its times.
fn extended(
    signers: &AllowedSigners,
    bytes: &[u8],
    signature: &str,
    session: SessionId,
    now: Stamp,
) -> Result<(Extension, PublicKey), Objection> {
    let extension = Extension::parse(bytes)?;
    let by = &extension.approver;
    let key = signed(signers, bytes, signature, EXTENSION_NAMESPACE, (by, extension.made))
        .map_err(|why| Objection::Unsigned { whose: Whose::Of(by.clone()), why })?;
    if extension.session != session {
        return Err(Objection::ExtendsOther(by.clone()));
    }
    if extension.expires <= now {
        return Err(Objection::ExtensionExpired(by.clone()));
    }
    if extension.made.0 > now.0.saturating_add(SKEW_US) {
        return Err(Objection::ExtensionEarly(by.clone()));
    }
    Ok((extension, key))
}

/// What the genesis says of the request, against what the request says.
fn terms(access: &Access, petition: &Petition, created: Stamp) -> Vec<Objection> {
    let request = &petition.request;
    let same = (&access.role, &access.role_arn, access.quorum, access.forced)
        == (&request.role, &request.role_arn, request.quorum, request.forced);
    let checks = [
        (access.v == 1, "another version"),
        (same, "role, quorum or override are not those of the request"),
        (access.approvals.len() <= APPROVALS_MAX, "too many approvals"),
        (
            request.created.0 <= created.0.saturating_add(SKEW_US),
            "the request was made after the session began",
        ),
    ];
    checks.into_iter().filter(|(holds, _)| !holds).map(|(_, what)| what.into()).collect()
}

fn enough(
    access: &Access,
    petition: &Petition,
    approvals: &[Decided],
    created: Stamp,
) -> Vec<Objection> {
    let mut faults = Vec::new();
    if !access.forced && (approvals.len() as u64) < access.quorum {
        faults.push(Objection::TooFew { has: approvals.len(), quorum: access.quorum });
    }
    if created.0 > petition.usable_until(approvals).0.saturating_add(SKEW_US) {
        faults.push(Objection::Expired);
    }
    faults
}

/// Whoever opened it has shown a key of whoever asked.
fn claimed(
    access: &Access,
    petition: &Petition,
    session: SessionId,
    created: Stamp,
) -> Result<PublicKey, Objection> {
    let bytes =
        base64::decode(&access.claim.statement).ok_or("the claim's statement is not base64")?;
    let taking = petition.taken(&bytes, &access.claim.signature, session)?;
    if taking.made.0 > created.0.saturating_add(SKEW_US) {
        return Err(Objection::ClaimedLate);
    }
    let signature = SshSig::parse(&access.claim.signature).map_err(|e| {
        let why = Unsigned::Signature(e);
        Objection::Unsigned { whose: Whose::Claim, why }
    })?;
    Ok(signature.key)
}

/// Checks a signature and returns its key, which is allowed for that person at that time.
fn signed(
    signers: &AllowedSigners,
    bytes: &[u8],
    signature: &str,
    namespace: &str,
    (principal, at): (&Principal, Stamp),
) -> Result<PublicKey, Unsigned> {
    let signature = SshSig::parse(signature).map_err(Unsigned::Signature)?;
    let presence = signature.verify(namespace, bytes).map_err(Unsigned::Signature)?;
    let allowed = signers.allow(principal.as_str(), &signature.key, namespace, at, presence);
    allowed.map_err(Unsigned::NotAllowed)?;
    Ok(signature.key)
}
