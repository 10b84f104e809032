//! The end of a running session, as others than its loop know it. An access has it written down and its credentials
//! issued anew, in a thread of its own: the loop does not wait for the store.

use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use bg_recorder::stamp::Stamp;
use bg_relay::outside::{self, Granted, Refused, Renewed};

use super::summary;
use crate::access::{NotRenewed, Renewal};
use crate::world::World;

/// Moves the end of one session.
pub(super) struct Term<'a> {
    world: &'a World,
    ends: Stamp,
    /// None in the practice world: nobody else knows of the end.
    access: Option<Renewal>,
    back: Option<Receiver<Result<Renewed, Refused>>>,
}

impl<'a> Term<'a> {
    /// Begins with a session's first end.
    pub(super) fn new(world: &'a World, ends: Stamp, access: Option<Renewal>) -> Self {
        Self { world, ends, access, back: None }
    }
}

impl outside::Term for Term<'_> {
    fn renew(&mut self, granted: Granted, by: Duration) {
        let ends = self.ends.after(by);
        let title = self.access.as_ref().map(|access| summary::title(access.claim(), ends));
        let renewed = Renewed { granted, by, ends, title };
        let (send, back) = channel();
        self.back = Some(back);
        // A session that has ended meanwhile hears nothing.
        let Some(access) = self.access.clone() else {
            return send.send(Ok(renewed)).unwrap_or(());
        };
        let keys = self.world.key_source();
        let work = move || {
            let keys = keys().ok_or(NotRenewed::Keys);
            let moved = keys.and_then(|keys| access.renew(&*keys, &renewed.granted, ends));
            let moved = moved.map(|()| renewed).map_err(|why| Refused(why.to_string()));
            send.send(moved).unwrap_or(());
        };
        // Without a thread there is nobody to hear from.
        drop(thread::Builder::new().name("renewal".into()).spawn(work));
    }

    fn renewed(&mut self) -> Option<Result<Renewed, Refused>> {
        let renewed = match self.back.as_ref()?.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(Refused("it could not be written down".into())),
            Ok(renewed) => renewed,
        };
        self.back = None;
        if let Ok(renewed) = &renewed {
            self.ends = renewed.ends;
        }
        Some(renewed)
    }
}
