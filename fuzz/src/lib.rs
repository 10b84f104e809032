//! The recorder's library as the relay's target sees it: all of it, but shipping is what the script says.

pub use bg_recorder::*;

/// Shipping, told by a script instead of threads.
pub mod ship {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::time::Instant;

    /// What a script says of the store.
    #[derive(Debug, Default)]
    pub struct Told {
        /// Since when the store is away.
        pub down: Option<Instant>,
        /// Why shipping stopped for good.
        pub fatal: Option<String>,
        /// Bytes that wait in the spool.
        pub waiting: u64,
    }

    /// Stands in for the view of shipping.
    #[derive(Debug, Clone, Default)]
    pub struct Watch(pub Rc<RefCell<Told>>);

    impl Watch {
        /// Says since when the store is away.
        pub fn down(&self) -> Option<Instant> {
            self.0.borrow().down
        }

        /// Says why shipping stopped for good.
        pub fn fatal(&self) -> Option<String> {
            self.0.borrow().fatal.clone()
        }

        /// Says how many bytes wait.
        pub fn waiting_bytes(&self) -> u64 {
            self.0.borrow().waiting
        }
    }
}

/// Epochs, told by nobody.
pub mod epoch {
    pub use bg_recorder::epoch::*;
    use bg_recorder::event::Notice;

    /// Stands in for the view of the keys.
    #[derive(Debug, Clone, Default)]
    pub struct KeyWatch;

    impl KeyWatch {
        /// Says nothing new.
        pub fn news(&self) -> Option<Notice> {
            None
        }
    }
}
