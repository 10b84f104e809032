//! The switch of a session: whoever holds one can end it from another thread, or have something told in it.

use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bg_recorder::event::Notice;
use bg_relay::outside::{self, News, Revoked};

use crate::custody::killswitch::Target;
use crate::custody::vault::Vault;

/// A switch. Copies are the same one.
#[derive(Debug, Clone, Default)]
pub struct Switch {
    vault: Arc<Vault>,
    inside: Arc<Mutex<Inside>>,
}

#[derive(Debug, Default)]
struct Inside {
    revoked: Option<Revoked>,
    over: bool,
    bell: Option<Sender<()>>,
    news: Vec<News>,
}

impl Switch {
    /// Makes the switch of a session whose credentials are handed out from a vault.
    pub fn of(vault: Arc<Vault>) -> Self {
        Self { vault, inside: Arc::default() }
    }

    /// Has this rung when the session comes to its end, however it does.
    pub fn at_end(&self, bell: Sender<()>) {
        self.inside().bell = Some(bell);
    }

    /// Has something put on the tape, and shown.
    pub fn tell(&self, notice: Notice, line: Option<String>) {
        let mut inside = self.inside();
        if inside.news.len() < NEWS_MAX {
            inside.news.push(News { notice, line });
        }
    }

    /// Tells threads around the session that there is nothing left to do for them.
    pub fn finish(&self) {
        self.inside().over = true;
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl outside::Switch for Switch {
    fn off(&self, why: &'static str) {
        self.vault.close(why);
        if let Some(bell) = self.inside().bell.take() {
            // Who does not listen any more has denied already.
            bell.send(()).unwrap_or(());
        }
    }

    fn revoked(&self) -> Option<Revoked> {
        self.inside().revoked.clone()
    }

    fn news(&self) -> Vec<News> {
        std::mem::take(&mut self.inside().news)
    }
}

impl Target for Switch {
    /// Ends the session: at once no credentials are handed out any more, within a second its processes are told. The
    /// first reason counts.
    fn revoke(&self, by: String, reason: String) {
        self.vault.close("the access was revoked");
        self.inside().revoked.get_or_insert(Revoked { by, reason });
    }

    fn ended(&self) -> bool {
        self.inside().over
    }
}

/// More than a session can have; nobody takes them when it hangs.
const NEWS_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use bg_recorder::stamp::Stamp;
    use bg_relay::outside::Switch as _;

    use super::*;
    use crate::custody::vault::Answer;

    #[test]
    fn a_revoked_session_is_served_no_credentials_and_knows_who_it_was() {
        let vault = Arc::new(Vault::default());
        let switch = Switch::of(Arc::clone(&vault));
        let elsewhere = switch.clone();
        assert_eq!(switch.revoked(), None);
        std::thread::spawn(move || elsewhere.revoke("bob@ops".into(), "wrong account".into()))
            .join()
            .unwrap();
        switch.revoke("carol@ops".into(), "too late".into());
        assert_eq!(
            switch.revoked(),
            Some(Revoked { by: "bob@ops".into(), reason: "wrong account".into() })
        );
        assert!(matches!(vault.answer(Stamp(0)), Answer::Over("the access was revoked")));
    }
}
