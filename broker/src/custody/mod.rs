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
use bg_recorder::clock::Clock;
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
    orders: Option<Sender<Order>>,
}

/// That the deadline has moved.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    /// Where it is now.
    pub deadline: Stamp,
    /// The session policy that ends there.
    pub policy: String,
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

/// What custody stands in.
pub struct Around {
    /// Where credentials are handed out from.
    pub vault: Arc<Vault>,
    /// Whom it tells, and who ends it.
    pub switch: Switch,
    /// What the time is.
    pub clock: Arc<dyn Clock>,
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
        around: Around,
    ) -> io::Result<Self> {
        let (order, orders) = channel();
        let vault = Arc::clone(&around.vault);
        let renewal = Renewal::begin(source, wanted, first, deadline, around);
        let known = Arc::clone(&renewal.known);
        thread::Builder::new().name("custody".into()).spawn(move || renewal.keep(&orders))?;
        Ok(Self { vault, known, orders: Some(order) })
    }

    /// Returns where a new deadline is said: the credentials are issued anew with it at once.
    pub fn orders(&self) -> Option<Sender<Order>> {
        self.orders.clone()
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
        self.orders = None;
    }
}

impl Drop for Custody {
    fn drop(&mut self) {
        self.end();
    }
}

/// Credentials that get their successors. A thread turns it, or a test.
struct Renewal {
    source: Box<dyn CredentialSource>,
    wanted: Wanted,
    deadline: Stamp,
    around: Around,
    known: Arc<Mutex<Known>>,
    /// When the newest credentials die.
    expires: Stamp,
    /// How long it is until the next turn.
    wait: Duration,
    /// Whether the newest credentials end at an earlier deadline.
    short: bool,
    failing: bool,
}

impl Renewal {
    fn begin(
        source: Box<dyn CredentialSource>,
        wanted: Wanted,
        first: Issued,
        deadline: Stamp,
        around: Around,
    ) -> Self {
        let expires = first.expires;
        let newest = first.credentials().clone();
        let known = Arc::new(Mutex::new(Known { newest, expires_max: expires, issued: 1 }));
        around.vault.put(first, deadline);
        let wait = around.clock.now().until(expires) * 2 / 3;
        Self {
            source,
            wanted,
            deadline,
            around,
            known,
            expires,
            wait,
            short: false,
            failing: false,
        }
    }

    fn keep(mut self, orders: &Receiver<Order>) {
        loop {
            let order = orders.recv_timeout(self.next().unwrap_or(Duration::MAX));
            if order == Err(RecvTimeoutError::Disconnected) || self.around.switch.ended() {
                return;
            }
            if let Ok(order) = order {
                self.obey(order);
            }
            self.turn();
        }
    }

    fn obey(&mut self, order: Order) {
        self.deadline = self.deadline.max(order.deadline);
        self.wanted.policy = order.policy;
        self.short = true;
    }

    /// Returns how long it is until the next turn. Credentials that outlive the deadline need no successors: the
    /// session policy ends them there.
    fn next(&self) -> Option<Duration> {
        (self.short || self.expires < self.deadline).then_some(self.wait)
    }

    fn turn(&mut self) {
        match self.renew() {
            Ok(renewed) => {
                self.expires = renewed;
                self.wait = self.lifetime() * 2 / 3;
                self.short = false;
                self.failing = false;
            }
            Err(e) => {
                if !self.failing {
                    self.tell_failure(&e);
                }
                self.wait = RETRY.min(self.lifetime() / 4).max(RETRY_MIN);
                self.failing = true;
            }
        }
    }

    fn lifetime(&self) -> Duration {
        self.around.clock.now().until(self.expires)
    }

    fn renew(&self) -> Result<Stamp, NotIssued> {
        // A request that was sent counts as answered until it is known to have been refused.
        let before = {
            let mut known = lock(&self.known);
            let before = known.expires_max;
            let longest = Duration::from_secs(u64::from(self.wanted.duration_s));
            known.expires_max = before.max(self.around.clock.now().after(longest));
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
        self.around.vault.put(issued, self.deadline);
        self.around.switch.tell(notice, None);
        Ok(expires)
    }

    fn tell_failure(&self, NotIssued { call: e, .. }: &NotIssued) {
        let notice = Notice::Credentials {
            state: CredentialState::Refused,
            access_key_id: None,
            expires: Some(self.expires.to_string()),
            request_id: e.request_id.clone(),
            why: Some(e.to_string()),
        };
        let until = self.expires.clock();
        let line = format!("bg-shell: no new credentials, the old ones end at {until} UTC: {e}");
        self.around.switch.tell(notice, Some(line));
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long after a failure it is tried again, unless the credentials die before.
const RETRY: Duration = Duration::from_secs(30);
const RETRY_MIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
