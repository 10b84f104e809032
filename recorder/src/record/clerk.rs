//! The clerk: calls the key service on a thread of its own, so that recording never waits for it.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::keys::{KeyError, KeyRing, KeyService, MintedKey, WrapContext};

/// Hands requests to the key service in order.
#[derive(Debug)]
pub struct Clerk {
    ring: KeyRing,
    jobs: Sender<Job>,
}

impl Clerk {
    /// Starts the thread, which ends when the clerk is dropped.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(service: Box<dyn KeyService>) -> std::io::Result<Self> {
        let ring = service.ring().clone();
        let (jobs, inbox) = channel();
        thread::Builder::new().name("clerk".into()).spawn(move || work(&*service, &inbox))?;
        Ok(Self { ring, jobs })
    }

    /// Returns the public side of all keys.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Asks for an epoch key.
    pub fn mint(&self, context: WrapContext) -> Pending<MintedKey> {
        self.ask(|reply| Job::Mint(context, reply))
    }

    /// Asks for a signature.
    pub fn sign(&self, text: &[u8]) -> Pending<Vec<u8>> {
        self.ask(|reply| Job::Sign(text.to_vec(), reply))
    }

    fn ask<T>(&self, job: impl FnOnce(Sender<Result<T, KeyError>>) -> Job) -> Pending<T> {
        let (reply, answer) = channel();
        // A clerk that is gone drops the reply, and the asker sees that.
        drop(self.jobs.send(job(reply)));
        Pending(answer)
    }
}

/// An answer that is on its way.
#[derive(Debug)]
pub struct Pending<T>(Receiver<Result<T, KeyError>>);

impl<T> Pending<T> {
    /// Returns the answer, once it is there.
    pub fn poll(&self) -> Option<Result<T, KeyError>> {
        match self.0.try_recv() {
            Ok(answer) => Some(answer),
            Err(std::sync::mpsc::TryRecvError::Empty) => None,
            Err(std::sync::mpsc::TryRecvError::Disconnected) => Some(Err(gone())),
        }
    }

    /// Waits for the answer.
    ///
    /// # Errors
    /// As the key service says.
    pub fn wait(self) -> Result<T, KeyError> {
        self.0.recv().unwrap_or_else(|_| Err(gone()))
    }
}

enum Job {
    Mint(WrapContext, Sender<Result<MintedKey, KeyError>>),
    Sign(Vec<u8>, Sender<Result<Vec<u8>, KeyError>>),
}

fn work(service: &dyn KeyService, inbox: &Receiver<Job>) {
    for job in inbox {
        // An asker that no longer waits is no error: its session has ended.
        match job {
            Job::Mint(context, reply) => drop(reply.send(service.mint(&context))),
            Job::Sign(text, reply) => drop(reply.send(service.sign(&text))),
        }
    }
}

fn gone() -> KeyError {
    KeyError::Unavailable("the key thread is gone".into())
}
