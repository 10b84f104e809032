//! The courier of one receiver: a thread that delivers what waits, in order, and tries again with back-off.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use bg_aws::edge::Reach;
use tokio::runtime::Runtime;

use super::message::Message;
use super::outbox::{Outbox, remove};
use super::sns::Topic;
use super::undelivered::Undelivered;
use super::webhook::{Caller, host};
use crate::config::Webhook;
use crate::news::Listener;

/// Where messages go.
#[derive(Debug, Clone)]
pub enum Destination {
    /// An HTTP POST.
    Webhook(Webhook),
    /// An SNS topic, and how AWS is reached.
    Topic(String, Reach),
}

impl Destination {
    /// Returns what it may be called in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Webhook(webhook) => host(&webhook.url),
            Self::Topic(arn, _) => arn.rsplit(':').next().unwrap_or(arn).to_owned(),
        }
    }
}

/// A thread that delivers to one receiver.
#[derive(Debug)]
pub struct Courier {
    /// What the receiver is called.
    pub name: String,
    outbox: Outbox,
    bell: Sender<Option<Message>>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    state: Mutex<Deliveries>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Deliveries {
    /// How many messages were handed over.
    told: u64,
    /// How many of them have been tried at least once.
    tried: u64,
    /// Why the last try failed, if it did.
    failing: Option<Undelivered>,
    /// The ids of what the receiver has taken from this process: an empty outbox shows nothing.
    taken: BTreeSet<String>,
}

impl Courier {
    /// Starts the thread. It begins with what earlier runs left, and ends with the process or when dropped.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start(
        destination: Destination,
        state: &Path,
        id: &str,
        listener: &Arc<dyn Listener>,
    ) -> io::Result<Self> {
        let (bell, rung) = channel();
        let progress = Arc::new(Progress::default());
        let name = destination.name();
        let round = Round {
            destination,
            outbox: Outbox::new(state, id, listener),
            progress: Arc::clone(&progress),
            carrier: None,
        };
        thread::Builder::new().name("courier".into()).spawn(move || round.run(&rung))?;
        Ok(Self { name, outbox: Outbox::new(state, id, listener), bell, progress })
    }

    /// Hands a message over: into the outbox, or where that fails to the thread at once.
    ///
    /// # Errors
    /// When the outbox does not take it; it is tried once all the same.
    pub fn tell(&self, message: &Message) -> io::Result<()> {
        let kept = self.outbox.put(message);
        self.progress.lock().told += 1;
        // A thread that is gone leaves the message to a later run.
        drop(self.bell.send(kept.is_err().then(|| message.clone())));
        kept
    }

    /// Waits until all that was handed over has been tried once. A receiver that is failing is not waited for.
    pub fn wait(&self, until: Instant) {
        let state = self.progress.lock();
        let patience = until.saturating_duration_since(Instant::now());
        drop(self.progress.changed.wait_timeout_while(state, patience, |state| {
            state.tried < state.told && state.failing.is_none()
        }));
    }

    /// Returns whether the receiver has taken a message of this process.
    pub fn has_delivered(&self, id: &str) -> bool {
        self.progress.lock().taken.contains(id)
    }

    /// Returns how many messages wait, and why, as far as known.
    pub fn left(&self) -> (usize, Option<Undelivered>) {
        let waiting = self.outbox.waiting().map_or(0, |waiting| waiting.len());
        (waiting, self.progress.lock().failing.clone())
    }
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, Deliveries> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread works with.
struct Round {
    destination: Destination,
    outbox: Outbox,
    progress: Arc<Progress>,
    carrier: Option<Carrier>,
}

/// What delivers, once something is to be delivered.
enum Carrier {
    Webhook(Runtime, Caller),
    Topic(Box<Topic>),
}

impl Round {
    fn run(mut self, rung: &Receiver<Option<Message>>) {
        let mut pause = PAUSE_MIN;
        let mut unkept = None;
        loop {
            let told = self.progress.lock().told;
            let kept = match unkept.take() {
                Some(message) => self.deliver(&message),
                None => Ok(()),
            };
            let outcome = kept.and(self.sweep());
            pause = if outcome.is_ok() { PAUSE_MIN } else { PAUSE_MAX.min(pause * 2) };
            self.tried(told, outcome.as_ref().err());
            let wait = if matches!(outcome, Ok(Swept::All)) { IDLE } else { pause };
            match rung.recv_timeout(wait) {
                Ok(message) => unkept = message,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn tried(&self, told: u64, failure: Option<&Undelivered>) {
        let mut state = self.progress.lock();
        state.tried = told;
        state.failing = failure.cloned();
        self.progress.changed.notify_all();
    }

    /// Delivers all that waits. Who does not answer is not asked again; a message that was refused stays, and the
    /// next is tried.
    fn sweep(&mut self) -> Result<Swept, Undelivered> {
        let unusable = |e: io::Error| Undelivered::Unusable(format!("the outbox: {e}"));
        if self.outbox.waiting().map_err(unusable)?.is_empty() {
            return Ok(Swept::All);
        }
        let Some(_turn) = self.outbox.turn().map_err(unusable)? else {
            return Ok(Swept::NotOurTurn);
        };
        let mut refused = None;
        for path in self.outbox.waiting().map_err(unusable)? {
            let Some(message) = self.outbox.read(&path).map_err(unusable)? else { continue };
            match self.deliver(&message) {
                Ok(()) => remove(&path).map_err(unusable)?,
                Err(e @ Undelivered::Refused(..)) => refused = Some(e),
                Err(e) => return Err(e),
            }
        }
        refused.map_or(Ok(Swept::All), Err)
    }

    fn deliver(&mut self, message: &Message) -> Result<(), Undelivered> {
        let carrier = match self.carrier.take() {
            Some(carrier) => carrier,
            None => Carrier::open(&self.destination)?,
        };
        let delivered = match &carrier {
            Carrier::Webhook(runtime, caller) => runtime.block_on(caller.deliver(message)),
            Carrier::Topic(topic) => topic.deliver(message),
        };
        self.carrier = Some(carrier);
        if delivered.is_ok() {
            self.progress.lock().taken.insert(message.id.clone());
        }
        delivered
    }
}

impl Carrier {
    fn open(destination: &Destination) -> Result<Self, Undelivered> {
        match destination {
            Destination::Webhook(webhook) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime =
                    runtime.map_err(|e| Undelivered::Unusable(format!("the network: {e}")))?;
                Ok(Self::Webhook(runtime, Caller::new(webhook)?))
            }
            Destination::Topic(arn, aws) => {
                Topic::new(arn, aws).map(|topic| Self::Topic(Box::new(topic)))
            }
        }
    }
}

/// How far a sweep got.
enum Swept {
    All,
    NotOurTurn,
}

const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// How long the thread sleeps when nothing waits.
const IDLE: Duration = Duration::from_secs(3_600);
