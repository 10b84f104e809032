//! Telling people what happens: webhooks and SNS. Nobody waits for a receiver, and nothing is forgotten.

mod courier;
mod message;
mod outbox;
mod secret;
mod shape;
mod sns;
mod undelivered;
mod webhook;

use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use bg_aws::edge::Reach;
use bg_recorder::chain::Digest;

use self::courier::{Courier, Destination};
pub use self::message::{Message, Occasion};
use crate::config::NotifyConfig;
use crate::news::{Listener, News};

/// Tells whoever is configured. Each message is first written into an outbox, then delivered by a thread; what is not
/// delivered stays, and is tried again by this process and by later ones.
#[derive(Debug)]
pub struct Notifier {
    couriers: Vec<Courier>,
    /// The role that drills open.
    drill: Option<String>,
    listener: Arc<dyn Listener>,
}

impl Notifier {
    /// Starts delivering, beginning with what earlier runs left. Where nobody is configured this does nothing.
    pub fn new(
        notify: &NotifyConfig,
        drill: Option<String>,
        aws: &Reach,
        state: &Path,
        listener: &Arc<dyn Listener>,
    ) -> Self {
        let webhooks = notify.webhooks.iter().cloned().map(Destination::Webhook);
        let topic = notify.topic.iter().map(|arn| Destination::Topic(arn.clone(), aws.clone()));
        let start = |destination: Destination| {
            let id = id(&destination);
            let started = Courier::start(destination, state, &id, listener);
            started.inspect_err(|e| listener.hear(&News::NoCourier(e))).ok()
        };
        let couriers = webhooks.chain(topic).filter_map(start).collect();
        Self { couriers, drill, listener: Arc::clone(listener) }
    }

    /// Tells everybody. Returns at once.
    pub fn tell(&self, message: Message) {
        let drill = message.role.is_some() && message.role == self.drill;
        let message = Message { drill, ..message };
        for courier in &self.couriers {
            if let Err(e) = courier.tell(&message) {
                self.listener.hear(&News::NotKept { receiver: &courier.name, why: &e });
            }
        }
    }

    /// Returns who hears of everything.
    pub fn receivers(&self) -> impl Iterator<Item = &str> {
        self.couriers.iter().map(|courier| courier.name.as_str())
    }

    /// Returns a receiver that has taken a message, as soon as there is one.
    pub fn receipt(&self, id: &str, patience: Duration) -> Option<&str> {
        let until = Instant::now() + patience;
        loop {
            let taken = self.couriers.iter().find(|courier| courier.has_delivered(id));
            match taken {
                Some(courier) => return Some(&courier.name),
                None if Instant::now() >= until => return None,
                None => thread::sleep(LOOK),
            }
        }
    }

    /// Gives first tries a moment, and says what is not delivered yet.
    pub fn finish(self) {
        let until = Instant::now() + PATIENCE;
        for courier in &self.couriers {
            courier.wait(until);
        }
        let left = self
            .couriers
            .iter()
            .map(|courier| (courier, courier.left()))
            .filter(|(_, (count, _))| *count > 0);
        let mut all = 0;
        let mut whom = Vec::new();
        for (courier, (count, why)) in left {
            all += count;
            let why = why.map_or_else(|| "no answer yet".to_owned(), |why| why.to_string());
            whom.push(format!("{} ({why})", courier.name));
        }
        if all > 0 {
            self.listener.hear(&News::Undelivered { count: all, whom: &whom.join(", ") });
        }
    }
}

/// Names a receiver's outbox. The URL itself may be a secret.
fn id(destination: &Destination) -> String {
    let text = match destination {
        Destination::Webhook(webhook) => format!("{:?} {}", webhook.shape, webhook.url),
        Destination::Topic(arn, _) => arn.clone(),
    };
    Digest::of(text.as_bytes()).to_string().chars().take(16).collect()
}

/// How often a receipt is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// How long the end of a command waits for first tries.
const PATIENCE: Duration = Duration::from_secs(2);
