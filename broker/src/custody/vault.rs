//! What the session's endpoint answers with, from memory: not yet, the newest credentials, or never again.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bg_recorder::stamp::Stamp;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::custody::credentials::Issued;

/// The one place that a session's credentials are handed out from.
#[derive(Debug, Default)]
pub struct Vault(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    state: Holding,
    served: u64,
}

#[derive(Debug, Default)]
enum Holding {
    #[default]
    NotYet,
    Open(Issued, Stamp),
    Closed(&'static str),
}

/// What whoever asks is told.
pub enum Answer {
    /// The credentials, as the container credentials provider of the AWS SDKs reads them.
    Credentials(Zeroizing<Vec<u8>>),
    /// Come again.
    NotYet(&'static str),
    /// Never again.
    Over(&'static str),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Credentials(_) => f.write_str("Credentials(..)"),
            Self::NotYet(why) | Self::Over(why) => f.write_str(why),
        }
    }
}

impl Vault {
    /// Takes newer credentials in, until the deadline. After [`Vault::close`] it takes none: they are dropped.
    pub fn put(&self, issued: Issued, deadline: Stamp) {
        let mut inside = self.inside();
        if !matches!(inside.state, Holding::Closed(_)) {
            inside.state = Holding::Open(issued, deadline);
        }
    }

    /// Hands out nothing from now on, and drops what it had. The first reason counts.
    pub fn close(&self, why: &'static str) {
        let mut inside = self.inside();
        if !matches!(inside.state, Holding::Closed(_)) {
            inside.state = Holding::Closed(why);
        }
    }

    /// Answers as of now.
    pub fn answer(&self, now: Stamp) -> Answer {
        let mut inside = self.inside();
        let answer = match &inside.state {
            Holding::NotYet => Answer::NotYet("the access is not active yet"),
            Holding::Closed(why) => Answer::Over(why),
            Holding::Open(_, deadline) if *deadline <= now => {
                Answer::Over("the session's time is over")
            }
            Holding::Open(issued, _) if issued.expires <= now => {
                Answer::NotYet("the credentials have expired, and new ones could not be had so far")
            }
            Holding::Open(issued, deadline) => {
                // A client asks again before this, and so notices soon when the session is over.
                let short = Stamp(now.0.saturating_add(SERVED_US));
                serve(issued, short.min(issued.expires).min(*deadline))
            }
        };
        if matches!(answer, Answer::Credentials(_)) {
            inside.served = inside.served.saturating_add(1);
        }
        answer
    }

    /// Returns how often credentials were handed out.
    pub fn served(&self) -> u64 {
        self.inside().served
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Served<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: &'a str,
}

fn serve(issued: &Issued, expires: Stamp) -> Answer {
    let credentials = issued.credentials();
    let expiration = expires.seconds();
    let served = Served {
        access_key_id: credentials.access_key_id(),
        secret_access_key: credentials.secret_access_key(),
        token: credentials.session_token().unwrap_or_default(),
        expiration: &expiration,
    };
    // Large enough that it never grows: a buffer that moves leaves a copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(BODY_MAX));
    match serde_json::to_writer(&mut *body, &served) {
        Ok(()) => Answer::Credentials(body),
        Err(_) => Answer::NotYet("the credentials cannot be told"),
    }
}

/// Five minutes: SDKs ask again when so much is left, which is every time.
const SERVED_US: u64 = 300_000_000;
const BODY_MAX: usize = 8_192;

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use serde_json::Value;

    use super::*;

    const NOW: Stamp = Stamp(1_795_435_200_000_000);

    fn after(seconds: u64) -> Stamp {
        Stamp(NOW.0 + seconds * 1_000_000)
    }

    fn issued(expires: Stamp) -> Issued {
        let credentials = Credentials::new("ASIA1", "secret", Some("token".into()), None, "test");
        Issued::new(credentials, "AROA1:bg-1".into(), expires, None)
    }

    fn expiration(vault: &Vault, now: Stamp) -> String {
        let Answer::Credentials(body) = vault.answer(now) else { panic!("no credentials") };
        serde_json::from_slice::<Value>(&body).unwrap()["Expiration"].as_str().unwrap().to_owned()
    }

    #[test]
    fn credentials_are_told_for_five_minutes_at_most() {
        let vault = Vault::default();
        assert!(matches!(vault.answer(NOW), Answer::NotYet(_)));
        vault.put(issued(after(900)), after(3_600));
        assert_eq!(expiration(&vault, NOW), "2026-11-23T12:05:00Z");
        assert_eq!(expiration(&vault, after(700)), "2026-11-23T12:15:00Z");
        vault.put(issued(after(900)), after(60));
        assert_eq!(expiration(&vault, NOW), "2026-11-23T12:01:00Z");
        assert_eq!(vault.served(), 3);
    }

    #[test]
    fn neither_vault_nor_answer_prints_a_secret() {
        let vault = Vault::default();
        vault.put(issued(after(900)), after(3_600));
        let printed = format!("{vault:?} {:?}", vault.answer(NOW));
        assert!(printed.contains("Credentials(..)") && !printed.contains("secret"), "{printed}");
        assert!(!printed.contains("token"), "{printed}");
    }

    #[test]
    fn nothing_is_told_after_the_end() {
        let vault = Vault::default();
        vault.put(issued(after(900)), after(3_600));
        assert!(matches!(vault.answer(after(900)), Answer::NotYet(_)));
        assert!(matches!(vault.answer(after(3_600)), Answer::Over(_)));
        vault.close("it was stopped");
        vault.put(issued(after(900)), after(3_600));
        vault.close("twice");
        assert!(matches!(vault.answer(NOW), Answer::Over("it was stopped")));
        assert_eq!(vault.served(), 0);
    }
}
