//! The broker's other files, as far as the relay knows them.

use std::io;
use std::marker::PhantomData;

use super::world::{Source, Track, world};
use crate::event::Polled;

/// `crate::config`.
pub mod config {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Secrets {
        Redact,
        Record,
    }
}

/// `crate::os::contain`.
pub mod contain {
    use super::*;

    pub struct Contained;

    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Ending {
        Exited(i32),
        KeeperLost,
    }

    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Ended {
        pub how: Ending,
        pub killed: u64,
    }

    impl Contained {
        pub fn end(&mut self) -> io::Result<()> {
            world(|world| world.told_to_end())
        }

        pub fn ended(&mut self) -> io::Result<Option<Ended>> {
            world(|world| world.keeper_heard())
        }
    }

    impl Polled for Contained {
        fn source(&self) -> Source {
            Source::Keeper
        }
    }
}

/// `crate::outage::letterbox`.
pub mod letterbox {
    use super::*;
    use bg_recorder::approval::access::Signed;
    use bg_recorder::stamp::Stamp;

    pub struct Letterbox;

    #[derive(Clone)]
    pub struct Granted {
        pub by: String,
        pub for_s: u64,
        pub signed: Option<Signed>,
    }

    impl Letterbox {
        pub fn plea(&self) -> String {
            "save what you need".into()
        }

        pub fn take(&mut self, _: Stamp) -> Vec<Result<Granted, String>> {
            world(|world| std::mem::take(&mut world.letters))
        }
    }
}

/// `crate::failure`.
pub mod failure {
    #[derive(Debug)]
    pub struct Failure;
}

/// `crate::herald`.
pub mod herald {
    use super::*;
    use crate::outage::letterbox::Granted;
    use bg_recorder::stamp::Stamp;

    pub struct Herald<'a>(pub PhantomData<&'a ()>);

    impl Herald<'_> {
        pub fn deadline_near(&self, _: u64) {}

        pub fn outage(&self, _: &str) {}

        pub fn back(&self, _: u64) {}

        pub fn extended(&self, _: &Granted, _: u64, _: Stamp) -> io::Result<()> {
            Ok(())
        }
    }
}

/// `crate::os::pty`.
pub mod pty {
    use super::*;
    use crate::os::terminal::Size;

    pub struct Pty;

    pub struct Read {
        pub len: usize,
        pub ended: bool,
    }

    impl Pty {
        pub fn read(&self, to: &mut [u8]) -> io::Result<Read> {
            world(|world| world.read_output(to))
        }

        pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            world(|world| world.write_shell(bytes))
        }

        pub fn secret_entry(&self) -> io::Result<bool> {
            world(|world| {
                if world.pty_fails { Err(io::Error::other("no modes")) } else { Ok(world.secret) }
            })
        }

        pub fn end_of_file(&self) -> io::Result<Option<u8>> {
            world(|world| {
                let unread = world.let_go || world.shell_busy;
                if world.pty_fails {
                    Err(io::Error::other("no modes"))
                } else {
                    Ok((!unread).then_some(4))
                }
            })
        }

        pub fn let_go(&mut self) {
            world(|world| world.let_go = true);
        }

        pub fn resize(&self, _: Size) -> io::Result<()> {
            world(|world| if world.pty_fails { Err(io::Error::other("no pty")) } else { Ok(()) })
        }
    }

    impl Polled for Pty {
        fn source(&self) -> Source {
            Source::Pty
        }
    }
}

/// `crate::say`.
pub mod say {
    macro_rules! say {
        ($($text:tt)*) => { drop(format!($($text)*)) };
    }
    pub(crate) use say;
}

/// `crate::scribe`.
pub mod scribe {
    use super::*;
    use crate::os::worker::Worker;
    use bg_recorder::event::Event;
    use bg_recorder::record::RecordError;

    #[derive(Default)]
    pub struct Scribe {
        pub thread: Worker<RecordError>,
    }

    pub struct Recorder;

    impl Scribe {
        pub fn recorder(&self) -> Recorder {
            Recorder
        }
    }

    impl Recorder {
        pub fn accept(&mut self, event: Event<'_>) -> Result<(), RecordError> {
            world(|world| world.accept(event))
        }

        pub fn tick(&mut self) -> Result<(), RecordError> {
            world(|world| world.tick())
        }

        pub fn next_tick_ms(&self) -> u64 {
            world(|world| world.next_tick_ms())
        }
    }
}

/// `crate::os::signals`.
pub mod signals {
    use super::*;

    pub struct Signals;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Signal {
        Resized,
        HungUp,
        Terminated(&'static str),
    }

    impl Signals {
        pub fn pending(&mut self) -> Vec<Signal> {
            world(|world| world.signals_heard())
        }
    }

    impl Polled for Signals {
        fn source(&self) -> Source {
            Source::Signals
        }
    }
}

/// `crate::custody::switch`.
pub mod switch {
    use super::*;
    use bg_recorder::event::Notice;

    pub struct Switch;

    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Revoked {
        pub by: String,
        pub reason: String,
    }

    pub struct News {
        pub notice: Notice,
        pub line: Option<String>,
    }

    impl Switch {
        pub fn off(&self, _: &'static str) {
            world(|world| world.off = true);
        }

        pub fn revoked(&self) -> Option<Revoked> {
            world(|world| world.revoked.clone())
        }

        pub fn news(&self) -> Vec<News> {
            world(|world| std::mem::take(&mut world.news))
        }
    }
}

/// `crate::os::terminal`.
pub mod terminal {
    use super::*;
    use crate::os::worker::Worker;

    #[derive(Clone, Copy)]
    pub struct Size {
        pub ws_col: u16,
        pub ws_row: u16,
    }

    pub fn size() -> Size {
        Size { ws_col: 80, ws_row: 24 }
    }

    #[derive(Default)]
    pub struct Screen {
        pub thread: Worker<io::Error>,
    }

    impl Screen {
        pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            world(|world| world.write_screen(bytes))
        }

        pub fn is_terminal(&self) -> bool {
            world(|world| world.screen_is_terminal)
        }
    }
}

/// `crate::os::worker`.
pub mod worker {
    use super::*;
    use bg_recorder::record::RecordError;

    /// Stands in for a thread: it works when the script says so.
    pub struct Worker<E> {
        outstanding: usize,
        fault: PhantomData<E>,
    }

    pub type Done<E> = (Vec<u8>, Result<(), E>);

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

    impl<E> Default for Worker<E> {
        fn default() -> Self {
            Self { outstanding: 0, fault: PhantomData }
        }
    }

    impl<E: Fault> Worker<E> {
        pub fn offer(&mut self, chunk: Vec<u8>) {
            self.outstanding += 1;
            world(|world| world.offer(E::TRACK, chunk));
        }

        pub fn outstanding(&self) -> usize {
            self.outstanding
        }

        pub fn done(&mut self) -> io::Result<Option<Done<E>>> {
            let done = world(|world| world.done(E::TRACK))?;
            Ok(done.map(|done| self.back(done)))
        }

        pub fn wait(&mut self) -> Option<Done<E>> {
            let done =
                if self.outstanding > 0 { world(|world| world.wait_for(E::TRACK)) } else { None };
            match done {
                Some(done) => Some(self.back(done)),
                None => {
                    self.outstanding = self.outstanding.saturating_sub(1);
                    None
                }
            }
        }

        fn back(&mut self, (chunk, well): (Vec<u8>, bool)) -> Done<E> {
            self.outstanding -= 1;
            (chunk, if well { Ok(()) } else { Err(E::fault()) })
        }
    }

    impl<E: Fault> Polled for Worker<E> {
        fn source(&self) -> Source {
            Source::Worker(E::TRACK)
        }
    }
}
