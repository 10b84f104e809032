//! The Deny of a session that comes to its end, in a thread of its own: it waits for no process and for no screen.

use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, JoinHandle};
use std::{io, mem};

use bg_aws::edge::{Edge, Reach};
use bg_aws::fault::CallError;
use bg_recorder::session::SessionId;

use crate::account::deny_policy::DenyPolicy;
use crate::account::iam::Iam;
use crate::custody::switch::Switch;

/// Waits for the switch to be turned off, and denies then. The close-out has what came of it, and goes on from there.
#[derive(Debug, Default)]
pub(super) struct Early(Option<JoinHandle<Option<Put>>>);

/// What came of the call.
pub(super) type Put = Result<Option<String>, CallError>;

impl Early {
    /// Begins to wait.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn wait(switch: &Switch, session: SessionId, role: &str, reach: Reach) -> io::Result<Self> {
        let (bell, heard) = channel();
        let role = role.to_owned();
        let deny = thread::Builder::new().name("deny".into());
        let waiting = deny.spawn(move || denied(&heard, session, &role, &reach))?;
        switch.at_end(bell);
        Ok(Self(Some(waiting)))
    }

    /// Returns what came of it, once it is known. The switch must be off.
    pub fn put(&mut self) -> Option<Put> {
        mem::take(self).0?.join().ok()?
    }
}

/// Denies when it is told to. Where it cannot even begin, the close-out tries, and says why.
fn denied(heard: &Receiver<()>, session: SessionId, role: &str, reach: &Reach) -> Option<Put> {
    heard.recv().ok()?;
    let iam = Iam::new(&Edge::open(reach).ok()?);
    Some(DenyPolicy { role, session }.put(&iam))
}
