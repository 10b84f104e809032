//! The end of an access, moved while its session runs: written down first, then its credentials are issued anew.

use std::sync::Arc;
use std::sync::mpsc::Sender;

use bg_recorder::cause::chain;
use bg_recorder::facts::case::{Case, CaseError, REVOKE};
use bg_recorder::keys::KeyService;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::ObjectStore;
use bg_relay::outside::Granted;
use serde_json::json;

use crate::custody::Order;
use crate::custody::credentials::Wanted;
use crate::custody::session_policy::PolicyError;
use crate::facts::claim::Claim;
use crate::facts::intent::renew;
use crate::os::user::author;

/// Moves the end of one access. Copies move the same.
#[derive(Clone)]
pub struct Renewal {
    claim: Claim,
    store: Arc<dyn ObjectStore>,
    orders: Sender<Order>,
}

impl Renewal {
    pub(super) fn new(claim: Claim, store: Arc<dyn ObjectStore>, orders: Sender<Order>) -> Self {
        Self { claim, store, orders }
    }

    /// Lends the claim.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Moves the end. From the fact on, whoever looks after the access counts it as alive until then.
    ///
    /// # Errors
    /// When it is not written down: then nothing moves.
    pub fn renew(
        &self,
        keys: &dyn KeyService,
        granted: &Granted,
        deadline: Stamp,
    ) -> Result<(), NotRenewed> {
        // People approved it for so long. `extensions` is about sessions that nobody can reach.
        let signed = granted.signed.clone().ok_or(NotRenewed::Unsigned)?;
        let wanted = Wanted::of(&Claim { deadline, ..self.claim.clone() })?;
        let case = Case::new(self.claim.session, Arc::clone(&self.store));
        let facts = case.facts().map_err(NotRenewed::Fact)?;
        // What counts its credentials as dead by the old end was right, and stays so.
        if facts.iter().any(|fact| fact == REVOKE || fact.starts_with("close/")) {
            return Err(NotRenewed::Ending);
        }
        let says = json!({
            "deadline": deadline, "extended_by": granted.by, "as": "approver", "for_s": granted.for_s,
            "statement": signed.statement, "signature": signed.signature,
        });
        renew(&case, keys, &author(), &says).map_err(NotRenewed::Fact)?;
        let order = Order { deadline, policy: wanted.policy };
        self.orders.send(order).map_err(|_| NotRenewed::Ending)
    }
}

/// Why the end stays where it was.
#[derive(Debug, thiserror::Error)]
pub enum NotRenewed {
    /// No approver signed for it.
    #[error("an access ends later only where an approver signs that")]
    Unsigned,
    /// There are no keys to sign the fact with.
    #[error("it cannot be written down: the keys cannot be had")]
    Keys,
    /// The fact is not stored.
    #[error("it cannot be written down: {}", chain(.0))]
    Fact(CaseError),
    /// There is no session policy for the new end.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Somebody has ended the access, or it has ended.
    #[error("the access is being ended")]
    Ending,
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use bg_recorder::approval::access::Signed;
    use bg_recorder::dir::DirStore;
    use bg_recorder::facts::case::DENIED;
    use bg_recorder::keys::local::LocalKeys;
    use bg_recorder::session::SessionId;

    use super::*;

    struct Scene {
        _dir: tempfile::TempDir,
        keys: LocalKeys,
        case: Case,
        renewal: Renewal,
        orders: Receiver<Order>,
    }

    impl Scene {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let keys = LocalKeys::open_or_create(&dir.path().join("keys")).unwrap();
            let store: Arc<dyn ObjectStore> = Arc::new(DirStore::new(dir.path().join("evidence")));
            let claim = claim();
            let case = Case::new(claim.session, Arc::clone(&store));
            let (order, orders) = channel();
            Self { _dir: dir, keys, case, renewal: Renewal::new(claim, store, order), orders }
        }

        fn renew(&self) -> Result<(), NotRenewed> {
            let signed = Signed { statement: "a statement".into(), signature: "bob's".into() };
            self.renew_by(Some(signed))
        }

        fn renew_by(&self, signed: Option<Signed>) -> Result<(), NotRenewed> {
            let granted = Granted { by: "bob".into(), for_s: 60, signed };
            self.renewal.renew(&self.keys, &granted, END)
        }
    }

    fn claim() -> Claim {
        let role = "arn = 'arn:aws:iam::1:role/r'\nallowed_signers = '/x'\nmfa = { mode = 'none' }";
        Claim {
            session: SessionId::mint(),
            name: "prod".into(),
            role: toml::from_str(role).unwrap(),
            scope: None,
            person: "alice".into(),
            reason: "disk full".into(),
            incident: None,
            request: "a-request".into(),
            request_sha256: String::new(),
            deadline: Stamp(END.0 - 60_000_000),
            latest: END,
            forced: false,
            requested: Stamp(0),
            access: serde_json::Value::Null,
        }
    }

    const END: Stamp = Stamp(1_795_435_200_000_000);

    #[test]
    fn the_end_is_a_fact_and_then_custody_is_told() {
        let scene = Scene::new();
        scene.renew().unwrap();
        let fact = scene.case.trusted(&scene.keys, "renewed/1").unwrap().unwrap();
        assert_eq!((&fact.says["deadline"], &fact.says["as"]), (&json!(END), &json!("approver")));
        let order = scene.orders.try_recv().unwrap();
        assert_eq!(order.deadline, END);
        assert!(order.policy.contains("2026-11-23T12:00:00Z"), "{}", order.policy);
    }

    #[test]
    fn a_responder_does_not_move_the_end_of_an_access() {
        let scene = Scene::new();
        assert!(matches!(scene.renew_by(None), Err(NotRenewed::Unsigned)));
        assert!(scene.orders.try_recv().is_err());
        assert!(scene.case.trusted(&scene.keys, "renewed/1").unwrap().is_none());
    }

    #[test]
    fn the_end_of_an_access_that_is_being_ended_stays() {
        for ending in [REVOKE, DENIED] {
            let scene = Scene::new();
            scene.case.put(&scene.keys, "carol@ops", ending, json!({})).unwrap();
            assert!(matches!(scene.renew(), Err(NotRenewed::Ending)), "{ending}");
            assert!(scene.orders.try_recv().is_err());
            assert!(scene.case.trusted(&scene.keys, "renewed/1").unwrap().is_none());
        }
    }
}
