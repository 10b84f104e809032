//! A request with its approvals as the genesis carries them, any part of which a fault may bend before it is
//! signed.

use bg_recorder::approval::access::{Access, Signed};
use bg_recorder::approval::request::Request;
use bg_recorder::approval::statement::{Decision, Nonce, Principal, Statement};
use bg_recorder::approval::taking::Taking;
use bg_recorder::approval::{APPROVAL_NAMESPACE, CLAIM_NAMESPACE, REQUEST_NAMESPACE};
use bg_recorder::chain::Digest;
use bg_recorder::genesis::Genesis;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use data_encoding::BASE64;
use serde_json::Value;

use crate::forge::WALL_US;
use crate::people::Key;

/// What is asked for, who may decide, who did.
pub struct Plea {
    /// What Alice asks for.
    pub request: Request,
    /// Who signs it.
    pub by: Key,
    /// In which namespace.
    pub namespace: &'static str,
    /// The allowed_signers text.
    pub signers: String,
    /// The decisions.
    pub votes: Vec<Vote>,
    /// That Alice opens it.
    pub claim: Claim,
    /// Before the request is signed, after it was written.
    pub bytes: fn(Vec<u8>) -> Vec<u8>,
    /// Before it goes into the genesis.
    pub access: fn(&mut Access),
}

/// One decision.
pub struct Vote {
    /// What is said. The digest is the request's unless it was set.
    pub statement: Statement,
    /// The digest, where it is not the request's.
    pub digest: Option<Digest>,
    /// Who signs it.
    pub by: Key,
    /// In which namespace.
    pub namespace: &'static str,
}

/// The opening of a request.
pub struct Claim {
    /// What is said. The digest is the request's unless it was set.
    pub taking: Taking,
    /// The digest, where it is not the request's.
    pub digest: Option<Digest>,
    /// Who signs it.
    pub by: Key,
    /// In which namespace.
    pub namespace: &'static str,
}

impl Plea {
    /// Alice asks; Bob and Carol approve.
    pub fn granted(session: SessionId) -> Self {
        let signers = [
            ("alice", ALICE),
            ("bob", BOB),
            ("carol", CAROL),
            ("dave", DAVE),
            ("erin", ERIN),
            ("frank", FRANK),
            ("grace", GRACE),
        ];
        let signers =
            signers.map(|(name, key)| format!("{name}@example.com {}\n", key.line())).concat();
        Self {
            request: request(),
            by: ALICE,
            namespace: REQUEST_NAMESPACE,
            signers: format!("# who may ask and approve\n\n{signers}"),
            votes: vec![Vote::of("bob", BOB), Vote::of("carol", CAROL)],
            claim: Claim::of(session),
            bytes: |bytes| bytes,
            access: |_| {},
        }
    }

    /// Signs all of it.
    pub fn access(&self) -> Access {
        let bytes = (self.bytes)(self.request.write().unwrap());
        let votes = self.votes.iter().map(|vote| vote.sign(Digest::of(&bytes))).collect();
        let signature = self.by.sign(self.namespace, &bytes);
        let claim = self.claim.sign(Digest::of(&bytes));
        let signers = self.signers.as_bytes();
        let mut access = Access::new(&self.request, &bytes, &signature, signers, votes, claim);
        (self.access)(&mut access);
        access
    }
}

impl Claim {
    /// Alice's, a minute before the session.
    fn of(session: SessionId) -> Self {
        let taking = Taking {
            v: 1,
            request: request().id,
            request_sha256: Digest::of(b""),
            session,
            requester: principal("alice"),
            made: Stamp(WALL_US - 60_000_000),
            nonce: Nonce::new([8; 16]),
        };
        Self { taking, digest: None, by: ALICE, namespace: CLAIM_NAMESPACE }
    }

    fn sign(&self, request_sha256: Digest) -> Signed {
        let request_sha256 = self.digest.unwrap_or(request_sha256);
        let bytes = Taking { request_sha256, ..self.taking.clone() }.write().unwrap();
        Signed { statement: BASE64.encode(&bytes), signature: self.by.sign(self.namespace, &bytes) }
    }
}

impl Vote {
    /// An approval, made five minutes before the session.
    pub fn of(name: &str, by: Key) -> Self {
        let statement = Statement {
            v: 1,
            decision: Decision::Approve,
            request: request().id,
            request_sha256: Digest::of(b""),
            approver: principal(name),
            made: Stamp(WALL_US - 300_000_000),
            expires: Stamp(WALL_US + 3_600_000_000),
            nonce: Nonce::new([9; 16]),
        };
        Self { statement, digest: None, by, namespace: APPROVAL_NAMESPACE }
    }

    fn sign(&self, request_sha256: Digest) -> Signed {
        let request_sha256 = self.digest.unwrap_or(request_sha256);
        let bytes = Statement { request_sha256, ..self.statement.clone() }.write().unwrap();
        Signed { statement: BASE64.encode(&bytes), signature: self.by.sign(self.namespace, &bytes) }
    }
}

/// Puts a bent plea into a genesis.
pub fn plead(genesis: &mut Genesis, bend: impl FnOnce(&mut Plea)) {
    let mut plea = Plea::granted(genesis.session);
    bend(&mut plea);
    let access = serde_json::to_value(plea.access()).unwrap();
    let about = [("role", Value::from(ROLE)), ("max_duration_s", 3_600.into()), ("access", access)];
    genesis.about.extend(about.map(|(name, value)| (name.to_owned(), value)));
}

/// Returns someone's principal.
pub fn principal(name: &str) -> Principal {
    format!("{name}@example.com").try_into().unwrap()
}

fn request() -> Request {
    Request {
        v: 1,
        id: "01a20764-d400-7000-8000-00000000000a".parse().unwrap(),
        role: ROLE.into(),
        role_arn: "arn:aws:iam::123456789012:role/bg-prod-admin".into(),
        requester: principal("alice"),
        reason: "disk full on db-3".into(),
        incident: Some("INC-7".into()),
        duration_s: 3_600,
        created: Stamp(WALL_US - 600_000_000),
        expires: Stamp(WALL_US + 3_000_000_000),
        execution_s: 1_800,
        quorum: 2,
        policy_sha256: Digest::of(b"policy"),
        nonce: Nonce::new([7; 16]),
        forced: false,
    }
}

/// The role of all pleas.
pub const ROLE: &str = "prod-admin";
/// Who asks.
pub const ALICE: Key = Key::Ed25519(1);
/// Approves.
pub const BOB: Key = Key::Ed25519(2);
/// Approves, with RSA.
pub const CAROL: Key = Key::Rsa;
/// Approves, with P-256.
pub const DAVE: Key = Key::P256(4);
/// Approves, with an authenticator.
pub const ERIN: Key = Key::SkEd25519(5, 1);
/// Approves, with an authenticator of the other kind.
pub const FRANK: Key = Key::SkP256(6, 1);
/// Approves, with P-384.
pub const GRACE: Key = Key::P384(7);
