//! Custody of a session's credentials: issued again before they die while the deadline is ahead, and then no more.

pub mod credentials;
pub mod endpoint;
pub mod killswitch;
pub mod private;
pub mod session_policy;
pub mod sts;
pub mod switch;
pub mod vault;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use aws_credential_types::Credentials;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::event::{CredentialState, Notice};
use bg_recorder::stamp::Stamp;

use crate::custody::credentials::{CredentialSource, Issued, NotIssued, Wanted};
use crate::custody::killswitch::Target as _;
use crate::custody::switch::Switch;
use crate::custody::vault::Vault;

/// Credentials that are kept alive. Dropping it ends that, and the serving.
pub struct Custody {
    vault: Arc<Vault>,
    known: Arc<Mutex<Known>>,
    /// The thread ends when this is gone.
    go_on: Option<Sender<()>>,
}

/// What is known of what was issued.
struct Known {
    newest: Credentials,
    /// No credentials live longer, also where an answer did not come.
    expires_max: Stamp,
    issued: u32,
}

/// What was held when custody ended.
pub struct Held {
    /// The newest credentials, to prove with that they are dead.
    pub credentials: Credentials,
    /// When the last of them dies by itself.
    pub expires: Stamp,
    /// How many were issued.
    pub issued: u32,
}

impl Custody {
    /// Takes the first credentials in, hands them out from now on, and gets new ones in time.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(
        source: Box<dyn CredentialSource>,
        wanted: Wanted,
        first: Issued,
        deadline: Stamp,
        (vault, switch): (Arc<Vault>, Switch),
    ) -> io::Result<Self> {
        let known =
            Known { newest: first.credentials().clone(), expires_max: first.expires, issued: 1 };
        let (known, (go_on, stop)) = (Arc::new(Mutex::new(known)), channel());
        let expires = first.expires;
        vault.put(first, deadline);
        let keeper = Keeper {
            source,
            wanted,
            deadline,
            vault: Arc::clone(&vault),
            switch,
            known: Arc::clone(&known),
        };
        thread::Builder::new().name("custody".into()).spawn(move || keeper.keep(expires, &stop))?;
        Ok(Self { vault, known, go_on: Some(go_on) })
    }

    /// Ends it: nothing is handed out from now on. Does not wait for a call that is under way; what it brings is
    /// dropped.
    pub fn stop(mut self) -> Held {
        self.end();
        let known = lock(&self.known);
        Held { credentials: known.newest.clone(), expires: known.expires_max, issued: known.issued }
    }

    fn end(&mut self) {
        self.vault.close("the session is over");
        self.go_on = None;
    }
}

impl Drop for Custody {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread.
struct Keeper {
    source: Box<dyn CredentialSource>,
    wanted: Wanted,
    deadline: Stamp,
    vault: Arc<Vault>,
    switch: Switch,
    known: Arc<Mutex<Known>>,
}

impl Keeper {
    fn keep(self, mut expires: Stamp, stop: &Receiver<()>) {
        let mut wait = lifetime(expires) * 2 / 3;
        let mut failing = false;
        // Credentials that outlive the deadline need no successors: the session policy ends them there.
        while expires < self.deadline {
            if stop.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) || self.switch.ended() {
                return;
            }
            match self.renew() {
                Ok(renewed) => {
                    (expires, failing) = (renewed, false);
                    wait = lifetime(expires) * 2 / 3;
                }
                Err(e) => {
                    if !failing {
                        self.tell_failure(&e, expires);
                    }
                    (wait, failing) = (RETRY.min(lifetime(expires) / 4).max(RETRY_MIN), true);
                }
            }
        }
    }

    fn renew(&self) -> Result<Stamp, NotIssued> {
        // A request that was sent counts as answered until it is known to have been refused.
        let before = {
            let mut known = lock(&self.known);
            let before = known.expires_max;
            known.expires_max = before.max(now_and(u64::from(self.wanted.duration_s)));
            before
        };
        let issued = self.source.assume(&self.wanted).inspect_err(|e| {
            if e.certain {
                lock(&self.known).expires_max = before;
            }
        })?;
        let expires = issued.expires;
        let mut known = lock(&self.known);
        known.newest = issued.credentials().clone();
        known.expires_max = before.max(expires);
        known.issued = known.issued.saturating_add(1);
        drop(known);
        let notice = Notice::Credentials {
            state: CredentialState::Renewed,
            access_key_id: Some(issued.access_key_id.clone()),
            expires: Some(expires.to_string()),
            request_id: issued.request_id.clone(),
            why: None,
        };
        self.vault.put(issued, self.deadline);
        self.switch.tell(notice, None);
        Ok(expires)
    }

    fn tell_failure(&self, NotIssued { call: e, .. }: &NotIssued, expires: Stamp) {
        let notice = Notice::Credentials {
            state: CredentialState::Refused,
            access_key_id: None,
            expires: Some(expires.to_string()),
            request_id: e.request_id.clone(),
            why: Some(e.to_string()),
        };
        let until = expires.clock();
        let line = format!("bg-shell: no new credentials, the old ones end at {until} UTC: {e}");
        self.switch.tell(notice, Some(line));
    }
}

fn lifetime(expires: Stamp) -> Duration {
    Duration::from_micros(expires.0.saturating_sub(SystemClock.wall_us()))
}

fn now_and(seconds: u64) -> Stamp {
    Stamp(SystemClock.wall_us().saturating_add(seconds.saturating_mul(1_000_000)))
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long after a failure it is tried again, unless the credentials die before.
const RETRY: Duration = Duration::from_secs(30);
const RETRY_MIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Instant;

    use bg_aws::fault::{CallError, CallKind};

    use super::*;
    use crate::custody::vault::Answer;
    use crate::mfa::Code;

    /// STS, minus the cloud: credentials of so many milliseconds; some calls fail.
    struct Mint {
        life_ms: u64,
        fails: fn(u32) -> bool,
        calls: Arc<AtomicU32>,
    }

    impl Mint {
        fn issue(&self, call: u32) -> Issued {
            let credentials =
                Credentials::new(format!("ASIA{call}"), "s", Some("t".into()), None, "test");
            let expires = Stamp(SystemClock.wall_us() + self.life_ms * 1_000);
            Issued::new(credentials, "AROA1:bg-1".into(), expires, Some(format!("request-{call}")))
        }
    }

    impl CredentialSource for Mint {
        fn prove_mfa(&mut self, _: &str, _: &Code, _: u32) -> Result<Option<String>, CallError> {
            Ok(None)
        }

        fn assume(&self, _: &Wanted) -> Result<Issued, NotIssued> {
            let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if (self.fails)(call) {
                let call = CallError {
                    action: "sts:AssumeRole",
                    kind: CallKind::Denied,
                    code: Some("AccessDenied".into()),
                    message: "too old".into(),
                    request_id: Some("request-x".into()),
                };
                return Err(NotIssued { call, certain: true });
            }
            Ok(self.issue(call))
        }
    }

    struct Scene {
        custody: Custody,
        vault: Arc<Vault>,
        switch: Switch,
        calls: Arc<AtomicU32>,
    }

    fn scene(life_ms: u64, window_ms: u64, fails: fn(u32) -> bool) -> Scene {
        let vault = Arc::new(Vault::default());
        let calls = Arc::default();
        let switch = Switch::of(Arc::clone(&vault));
        let mint = Mint { life_ms, fails, calls: Arc::clone(&calls) };
        let first = mint.issue(0);
        let deadline = Stamp(SystemClock.wall_us() + window_ms * 1_000);
        let wanted = Wanted {
            role_arn: String::new(),
            session_name: String::new(),
            source_identity: String::new(),
            tags: Vec::new(),
            policy: String::new(),
            duration_s: 900,
        };
        let around = (Arc::clone(&vault), switch.clone());
        let custody = Custody::start(Box::new(mint), wanted, first, deadline, around).unwrap();
        Scene { custody, vault, switch, calls }
    }

    fn until(holds: impl Fn() -> bool) {
        let since = Instant::now();
        while !holds() {
            assert!(since.elapsed() < Duration::from_secs(30), "waited in vain");
            thread::park_timeout(Duration::from_millis(5));
        }
    }

    #[test]
    fn credentials_are_renewed_before_they_die_while_the_deadline_is_ahead() {
        let scene = scene(600, 3_600_000, |_| false);
        until(|| scene.calls.load(Ordering::SeqCst) >= 2);
        assert!(matches!(scene.vault.answer(SystemClock.now()), Answer::Credentials(_)));
        let news = scene.switch.news();
        assert!(matches!(
            &news[0].notice,
            Notice::Credentials { state: CredentialState::Renewed, .. }
        ));
        assert_eq!(news[0].line, None, "a responder is not bothered");
        let held = scene.custody.stop();
        assert!(held.issued >= 2 && held.credentials.access_key_id() != "ASIA0");
    }

    #[test]
    fn credentials_that_outlive_the_deadline_are_not_renewed() {
        let scene = scene(400, 300, |_| false);
        until(|| matches!(scene.vault.answer(SystemClock.now()), Answer::Over(_)));
        assert_eq!(scene.calls.load(Ordering::SeqCst), 0);
        assert_eq!(scene.custody.stop().issued, 1);
    }

    #[test]
    fn a_refusal_is_told_once_and_tried_again() {
        let scene = scene(3_000, 3_600_000, |call| call < 3);
        until(|| scene.calls.load(Ordering::SeqCst) >= 3);
        let mut news = Vec::new();
        let since = Instant::now();
        while news.len() < 2 && since.elapsed() < Duration::from_secs(30) {
            news.extend(scene.switch.news());
            thread::park_timeout(Duration::from_millis(5));
        }
        assert_eq!(news.len(), 2, "{news:?}");
        let line = news[0].line.as_ref().unwrap();
        assert!(line.contains("no new credentials") && line.contains("request-x"), "{line}");
        assert!(matches!(
            &news[1].notice,
            Notice::Credentials { state: CredentialState::Renewed, .. }
        ));
    }

    #[test]
    fn after_the_stop_nothing_is_served_and_nothing_is_renewed() {
        let scene = scene(400, 3_600_000, |_| false);
        let vault = Arc::clone(&scene.vault);
        let calls = Arc::clone(&scene.calls);
        let held = scene.custody.stop();
        assert!(matches!(vault.answer(SystemClock.now()), Answer::Over("the session is over")));
        let then = calls.load(Ordering::SeqCst);
        let since = Instant::now();
        while since.elapsed() < Duration::from_millis(800) {
            thread::park_timeout(Duration::from_millis(50));
        }
        assert!(calls.load(Ordering::SeqCst) <= then + 1, "one may have been under way");
        assert!(held.expires.0 > 0);
    }
}
