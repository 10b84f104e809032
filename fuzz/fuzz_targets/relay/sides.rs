//! The sides of the relay, as the script has them.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use bg_recorder::event::{Event, Notice};
use bg_recorder::record::RecordError;
use bg_recorder::stamp::Stamp;
use bg_relay::outside::{
    Granted, Herald, Letterbox, News, Refused, Renewed, Revoked, Switch, Term, Tidings,
};
use bg_relay::session::{Contained, Inlet, Prompt, Pty, Read, Reading, Signal, Signals, Word};
use bg_relay::tape::{Done, Down, Keys, Store, Tape, Work};
use bg_relay::terminal::{Keyboard, Screen, Typed};
use rustix::termios::Winsize;

use crate::kernel::Source;
use crate::world::{OURS, Track, now_us, world};

/// Stands in for whatever the relay is given.
pub struct Side;

/// Each side that can be waited for is one type: its descriptor says which it is.
macro_rules! awaited {
    ($($name:ident)*) => {
        $(
            pub struct $name;

            impl AsFd for $name {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    Source::$name.fd()
                }
            }
        )*
    };
}

pub mod side {
    use super::{AsFd, BorrowedFd, Source};

    awaited!(Keyboard Pty Inlet Signals Keeper);
}

impl Keyboard for side::Keyboard {
    fn read(&mut self, to: &mut [u8]) -> Typed {
        world(|world| world.read_keyboard(to))
    }

    fn take_again(&mut self) -> bool {
        false
    }
}

impl Screen for Side {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        world(|world| world.write_screen(bytes))
    }

    fn size(&self) -> Winsize {
        Winsize { ws_col: 80, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 }
    }

    fn aside(&self, _: &str) {}
}

impl Pty for side::Pty {
    fn read(&self, to: &mut [u8]) -> io::Result<Read> {
        world(|world| world.read_output(to))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        world(|world| world.write_shell(bytes))
    }

    fn resize(&self, _: Winsize) -> io::Result<()> {
        world(|world| world.pty().map(drop))
    }
}

impl Prompt for side::Pty {
    fn reading(&self) -> io::Result<Reading> {
        world(|world| world.pty().map(|world| world.reading.unwrap_or(Reading::Lines)))
    }

    fn let_go(&mut self) {
        world(|world| world.let_go = true);
    }
}

impl Inlet for side::Inlet {
    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        world(|world| world.write_inlet(bytes))
    }

    fn unread(&self) -> io::Result<u64> {
        Ok(world(|world| world.law.unread))
    }
}

impl Contained for side::Keeper {
    fn end(&mut self) -> io::Result<()> {
        world(|world| world.told_to_end())
    }

    fn word(&mut self) -> io::Result<Option<Word>> {
        world(|world| world.keeper_heard())
    }
}

impl Signals for side::Signals {
    fn pending(&mut self) -> Vec<Signal> {
        world(|world| world.signals_heard())
    }
}

impl Letterbox for Side {
    fn plea(&self) -> String {
        "save what you need".into()
    }

    fn take(&mut self, _: Stamp) -> Vec<Result<Granted, Refused>> {
        world(|world| std::mem::take(&mut world.letters))
    }
}

/// Moves the end of the session, and says so when it is asked next.
#[derive(Default)]
pub struct Moves(Option<Renewed>);

impl Term for Moves {
    fn renew(&mut self, granted: Granted, by: Duration) {
        let title = Some(format!("{OURS}another title"));
        self.0 = Some(Renewed { granted, by, ends: Stamp(now_us()), title });
    }

    fn renewed(&mut self) -> Option<Result<Renewed, Refused>> {
        self.0.take().map(Ok)
    }
}

impl Herald for Side {
    fn tell(&self, _: Tidings<'_>) {}

    fn extended(&self, _: &Granted, _: u64, _: Stamp) -> io::Result<()> {
        Ok(())
    }
}

impl Switch for Side {
    fn off(&self, _: &'static str) {
        world(|world| world.off = true);
    }

    fn revoked(&self) -> Option<Revoked> {
        world(|world| world.revoked.clone())
    }

    fn news(&self) -> Vec<News> {
        world(|world| std::mem::take(&mut world.news))
    }
}

impl Tape for Side {
    fn accept(&self, event: Event<'_>) -> Result<(), RecordError> {
        world(|world| world.accept(event))
    }

    fn tick(&self) -> Result<(), RecordError> {
        world(|world| world.tick())
    }

    fn next_tick_ms(&self) -> u64 {
        world(|world| world.next_tick_ms())
    }
}

impl Store for Side {
    fn down(&self) -> Option<Down> {
        let away = world(|world| world.store_down())?;
        Some(Down { away, refusal: None })
    }

    fn fatal(&self) -> Option<String> {
        world(|world| world.fatal.clone())
    }

    fn waiting_bytes(&self) -> u64 {
        world(|world| world.waiting)
    }
}

impl Keys for Side {
    fn news(&self) -> Option<Notice> {
        None
    }
}

/// Stands in for a thread: it works when the script says so.
pub struct Worker<E>(PhantomData<E>);

impl<E> Default for Worker<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// What a worker fails with, and which it is.
pub trait Fault {
    const TRACK: Track;
    fn fault() -> Self;
}

impl Fault for RecordError {
    const TRACK: Track = Track::Scribe;
    fn fault() -> Self {
        Self::Ended
    }
}

impl Fault for io::Error {
    const TRACK: Track = Track::Screen;
    fn fault() -> Self {
        io::ErrorKind::BrokenPipe.into()
    }
}

fn back<E: Fault>((chunk, well): (Vec<u8>, bool)) -> Done<E> {
    (chunk, if well { Ok(()) } else { Err(E::fault()) })
}

impl<E: Fault> Work<E> for Worker<E> {
    fn offer(&mut self, chunk: Vec<u8>) {
        world(|world| world.offer(E::TRACK, chunk));
    }

    fn done(&mut self) -> io::Result<Option<Done<E>>> {
        Ok(world(|world| world.done(E::TRACK))?.map(back))
    }

    fn wait(&mut self) -> Option<Done<E>> {
        world(|world| world.wait_for(E::TRACK)).map(back)
    }
}

impl<E: Fault> AsFd for Worker<E> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        Source::Worker(E::TRACK).fd()
    }
}
