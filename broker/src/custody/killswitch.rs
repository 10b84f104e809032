//! The kill switch: a running session looks every second whether somebody wants it ended.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bg_recorder::clock::Clock;
use bg_recorder::facts::case::{Case, CaseError, REVOKE};
use bg_recorder::session::SessionId;
use bg_recorder::store::ObjectStore;

/// What is ended by the kill switch.
pub trait Target: Send {
    /// Ends the session, at once and once.
    fn revoke(&self, by: String, reason: String);

    /// Returns whether it has ended, for whatever reason.
    fn ended(&self) -> bool;
}

/// Looks for the `revoke` fact of a session until that has ended.
///
/// That there is such an object is enough, whatever is in it: whoever can write evidence may end a session, and
/// nobody who cannot sign should be able to keep one alive by being first. While the store cannot be read it
/// goes on looking: what then ends the session is the store's own patience.
///
/// # Errors
/// When the system has no thread for it.
pub fn watch(
    store: Arc<dyn ObjectStore>,
    session: SessionId,
    target: impl Target + 'static,
    clock: Arc<dyn Clock>,
) -> io::Result<()> {
    let look = move || {
        let case = Case::new(session, store);
        while !target.ended() {
            if let Some((by, reason)) = pulled(&case) {
                return target.revoke(by, reason);
            }
            clock.wait(PERIOD);
        }
    };
    thread::Builder::new().name("killswitch".into()).spawn(look).map(drop)
}

fn pulled(case: &Case) -> Option<(String, String)> {
    match case.get(REVOKE) {
        Ok(Some(fact)) => {
            let reason =
                fact.says.get("reason").and_then(|reason| reason.as_str()).unwrap_or("no reason");
            Some((fact.by, reason.to_owned()))
        }
        Err(CaseError::NotAFact(..)) => Some(("somebody".into(), "an unreadable reason".into())),
        Ok(None) | Err(_) => None,
    }
}

const PERIOD: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use bg_recorder::clock::SystemClock;
    use bg_recorder::dir::DirStore;
    use bg_recorder::keys::local::LocalKeys;

    use super::*;

    struct Session(Mutex<Sender<(String, String)>>);

    impl Target for Session {
        fn revoke(&self, by: String, reason: String) {
            self.0.lock().unwrap().send((by, reason)).unwrap();
        }

        fn ended(&self) -> bool {
            false
        }
    }

    fn watched(
        dir: &std::path::Path,
        session: SessionId,
    ) -> (Arc<dyn ObjectStore>, Receiver<(String, String)>) {
        let (sender, receiver) = channel();
        let store: Arc<dyn ObjectStore> = Arc::new(DirStore::new(dir.join("evidence")));
        watch(Arc::clone(&store), session, Session(Mutex::new(sender)), Arc::new(SystemClock))
            .unwrap();
        (store, receiver)
    }

    #[test]
    fn the_fact_ends_the_session() {
        let dir = tempfile::tempdir().unwrap();
        let session = SessionId::mint();
        let (store, receiver) = watched(dir.path(), session);
        let keys = LocalKeys::open_or_create(&dir.path().join("keys")).unwrap();
        let says = serde_json::json!({"reason": "wrong account"});
        let other = Case::new(SessionId::mint(), Arc::clone(&store));
        other.put(&keys, "bob@there", REVOKE, says.clone()).unwrap();
        Case::new(session, store).put(&keys, "bob@there", REVOKE, says).unwrap();
        let (by, reason) = receiver.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(by == "bob@there" && reason == "wrong account", "{by}: {reason}");
    }

    #[test]
    fn junk_in_its_place_ends_the_session_too() {
        let dir = tempfile::tempdir().unwrap();
        let session = SessionId::mint();
        let (store, receiver) = watched(dir.path(), session);
        store.put_new(&format!("cases/{session}/revoke"), b"junk").unwrap();
        receiver.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}
