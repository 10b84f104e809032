//! The second factor where AWS cannot check it: the broker does, against the person's secret (RFC 6238), once a code.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bg_recorder::session::SessionId;
use bg_recorder::store::{ObjectStore, StoreError};
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use crate::mfa::Code;

/// One person's authenticator.
pub struct Authenticator {
    person: String,
    /// Where the secret is.
    secrets: PathBuf,
    totp: Totp,
}

impl Authenticator {
    /// Reads a person's secret from a directory with one file a person.
    ///
    /// # Errors
    /// When there is none, others may read it, or it is no secret.
    pub fn of(person: &str, secrets: &Path) -> Result<Self, TotpError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        if person.is_empty() || person.starts_with('.') || !person.chars().all(plain) {
            return Err(TotpError::NotAName(person.to_owned()));
        }
        let path = secrets.join(person);
        let unreadable = |e| TotpError::Unreadable(path.clone(), e);
        let file = File::open(&path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.mode() & 0o777;
        if mode & 0o177 != 0 {
            return Err(TotpError::TooOpen(path, mode));
        }
        let mut text = Zeroizing::new(String::with_capacity(SECRET_MAX));
        file.take(SECRET_MAX as u64).read_to_string(&mut text).map_err(unreadable)?;
        let secret = Secret::try_from_base32(text.trim().replace(' ', "").to_ascii_uppercase())
            .map_err(|_| TotpError::NotASecret(path.clone()))?;
        // RFC 4226 4, R6: at least 128 bits. build() checks it.
        let totp = Builder::new().with_secret(secret).with_skew(SKEW_STEPS).build();
        let totp = totp.map_err(|_| TotpError::NotASecret(path))?;
        Ok(Self { person: person.to_owned(), secrets: secrets.to_owned(), totp })
    }

    /// Checks a code and burns it: nobody else can use it, on no machine.
    ///
    /// # Errors
    /// When it is wrong, was used, is of another time, or there were too many tries.
    pub fn check(
        &self,
        code: &Code,
        now_s: u64,
        session: SessionId,
        store: &dyn ObjectStore,
    ) -> Result<(), TotpError> {
        self.take_a_try(now_s, session, store)?;
        let Some(step) = self.totp.check(code.digits(), now_s) else {
            return Err(self.far(code, now_s));
        };
        self.burn_here(step)?;
        match store.put_new(&self.key(&step.to_string()), &line(session)) {
            Ok(()) => Ok(()),
            Err(StoreError::Exists(_)) => Err(TotpError::Used),
            Err(e) => Err(TotpError::Store(e)),
        }
    }

    /// Burns a step beside the secret, too: two evidence stores on one host share their people's codes. Who may not
    /// write there has the store's word alone.
    fn burn_here(&self, step: u64) -> Result<(), TotpError> {
        let burnt = format!(".{}.", self.person);
        let mark = self.secrets.join(format!("{burnt}{step}"));
        match File::options().write(true).create_new(true).mode(0o600).open(&mark) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(TotpError::Used),
            Err(_) => return Ok(()),
        }
        let entries = fs::read_dir(&self.secrets).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let of = name.to_str().and_then(|name| name.strip_prefix(&burnt)?.parse::<u64>().ok());
            // What is older than any code that may still come needs no mark.
            if of.is_some_and(|of| of + FAR_STEPS < step) {
                fs::remove_file(entry.path()).unwrap_or(());
            }
        }
        Ok(())
    }

    /// Tries are counted where all brokers see them, before the code is looked at: guessing takes weeks.
    fn take_a_try(
        &self,
        now_s: u64,
        session: SessionId,
        store: &dyn ObjectStore,
    ) -> Result<(), TotpError> {
        let step = now_s / STEP_S;
        for n in 0..TRIES_MAX {
            match store.put_new(&self.key(&format!("try-{step}-{n}")), &line(session)) {
                Ok(()) => return Ok(()),
                Err(StoreError::Exists(_)) => {}
                Err(e) => return Err(TotpError::Store(e)),
            }
        }
        Err(TotpError::TooMany)
    }

    /// Tells a wrong code from one that was right at another time.
    fn far(&self, code: &Code, now_s: u64) -> TotpError {
        let at = |step: u64| {
            self.totp.generate(step.saturating_mul(STEP_S)).to_string() == code.digits()
        };
        let here = now_s / STEP_S;
        let found = (here.saturating_sub(FAR_STEPS)..=here.saturating_add(FAR_STEPS))
            .find(|step| at(*step));
        match found {
            None => TotpError::Wrong,
            Some(step) => TotpError::OtherTime {
                off_s: step.abs_diff(here).saturating_mul(STEP_S),
                which: if step < here { "behind" } else { "ahead of" },
            },
        }
    }

    fn key(&self, name: &str) -> String {
        format!("mfa/{}/{name}", self.person)
    }
}

/// Why the second factor does not count.
#[derive(Debug, thiserror::Error)]
pub enum TotpError {
    /// No file can be called so.
    #[error("{0:?} cannot be the name of a secret's file")]
    NotAName(String),
    /// There is no secret.
    #[error("cannot read the TOTP secret {path}", path = .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// Others may read it.
    #[error("the TOTP secret {path} has mode {1:04o}: others than its owner can read it", path = .0.display())]
    TooOpen(PathBuf, u32),
    /// It is no secret.
    #[error("{path} is not a TOTP secret: base32 of at least 16 bytes", path = .0.display())]
    NotASecret(PathBuf),
    /// The code is not right.
    #[error("the MFA code is wrong")]
    Wrong,
    /// It was used before.
    #[error("the MFA code was used already")]
    Used,
    /// It is right for another time.
    #[error(
        "the MFA code is of another time: the authenticator's clock is about {off_s} s {which} this machine's"
    )]
    OtherTime {
        /// How far off.
        off_s: u64,
        /// In which direction.
        which: &'static str,
    },
    /// Somebody is guessing.
    #[error("too many MFA codes were tried")]
    TooMany,
    /// Whether it was used cannot be known.
    #[error("cannot tell whether the MFA code was used")]
    Store(#[source] StoreError),
}

impl TotpError {
    /// Returns what to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotAName(_) => {
                "name the person in allowed_signers in letters, digits and _+=,.@-"
            }
            Self::Unreadable(..) => {
                "roles.<name>.mfa.secrets is a directory with one file for each person"
            }
            Self::TooOpen(..) => "chmod 600 it, and enrol the person anew: it may have been read",
            Self::NotASecret(_) => "enrol the person anew",
            Self::Wrong => "is it the entry of this account, and the code that is shown now?",
            Self::Used => "wait for the next code: each is good for one session",
            Self::OtherTime { .. } => "set the wrong one of both clocks; see timedatectl, chronyc",
            Self::TooMany => "wait half a minute; was it you?",
            Self::Store(_) => "see [evidence]: without the store no code can be accepted",
        }
    }

    /// Returns whether another code may be right.
    pub fn again(&self) -> bool {
        matches!(self, Self::Wrong | Self::Used)
    }
}

/// What stands in a burnt step: who burnt it.
fn line(session: SessionId) -> Vec<u8> {
    format!("{}\n", json!({"session": session})).into_bytes()
}

/// RFC 6238 4: the default step.
const STEP_S: u64 = 30;
/// RFC 6238 5.2 recommends one.
const SKEW_STEPS: u16 = 1;
/// Ten minutes: a code of such a time is told apart from a wrong one.
const FAR_STEPS: u64 = 20;
/// Tries within one step, over all brokers.
const TRIES_MAX: u32 = 3;
const SECRET_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use bg_recorder::dir::DirStore;

    use super::*;

    /// RFC 6238 appendix B's secret for SHA-1, in base32.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    const NOW_S: u64 = 1_111_111_109;

    struct Place {
        dir: tempfile::TempDir,
        store: DirStore,
    }

    impl Place {
        fn new(secret: &str, mode: u32) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("alice");
            std::fs::write(&path, secret).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let store = DirStore::new(dir.path().join("store"));
            Self { dir, store }
        }

        fn alice(&self) -> Result<Authenticator, TotpError> {
            Authenticator::of("alice", self.dir.path())
        }

        fn check(&self, code: &str, now_s: u64) -> Result<(), TotpError> {
            self.alice().unwrap().check(
                &Code::parse(code).unwrap(),
                now_s,
                SessionId::mint(),
                &self.store,
            )
        }

        fn code(&self, at_s: u64) -> String {
            self.alice().unwrap().totp.generate(at_s).to_string()
        }
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        let place = Place::new(SECRET, 0o600);
        // Appendix B: the last six of 07081804.
        assert_eq!(place.code(NOW_S), "081804");
        assert!(place.check("081804", NOW_S).is_ok());
    }

    #[test]
    fn a_code_is_good_one_step_early_and_late_and_no_more() {
        for (off_s, good) in [(-30, true), (0, true), (30, true), (-60, false), (60, false)] {
            let place = Place::new(SECRET, 0o600);
            let at = NOW_S.checked_add_signed(off_s).unwrap();
            assert_eq!(place.check(&place.code(at), NOW_S).is_ok(), good, "{off_s}");
        }
    }

    #[test]
    fn a_code_is_good_once() {
        let place = Place::new(SECRET, 0o600);
        assert!(place.check("081804", NOW_S).is_ok());
        assert!(matches!(place.check("081804", NOW_S), Err(TotpError::Used)));
        // The skew does not bring it back in the next step.
        assert!(matches!(place.check("081804", NOW_S + 30), Err(TotpError::Used)));
    }

    #[test]
    fn a_code_is_good_once_over_all_stores_of_a_host() {
        let place = Place::new(SECRET, 0o600);
        let other = DirStore::new(place.dir.path().join("other"));
        let code = Code::parse("081804").unwrap();
        let alice = place.alice().unwrap();
        assert!(place.check("081804", NOW_S).is_ok());
        let again = alice.check(&code, NOW_S, SessionId::mint(), &other);
        assert!(matches!(again, Err(TotpError::Used)));
        // Marks of long ago are swept, and nothing else is.
        let later_s = NOW_S + 30 * (FAR_STEPS + 1);
        assert!(place.check(&place.code(later_s), later_s).is_ok());
        let names = std::fs::read_dir(place.dir.path()).unwrap();
        let marks = names.filter(|entry| {
            entry.as_ref().unwrap().file_name().to_str().unwrap().starts_with(".alice.")
        });
        assert_eq!(marks.count(), 1);
        assert!(place.alice().is_ok());
    }

    #[test]
    fn a_clock_that_is_off_is_told_apart_from_a_wrong_code() {
        let place = Place::new(SECRET, 0o600);
        let late = place.check(&place.code(NOW_S - 300), NOW_S).unwrap_err();
        assert!(matches!(late, TotpError::OtherTime { off_s: 300, which: "behind" }), "{late}");
        let early = place.check(&place.code(NOW_S + 600), NOW_S).unwrap_err();
        assert!(matches!(early, TotpError::OtherTime { off_s: 600, which: "ahead of" }), "{early}");
        assert!(matches!(place.check(&place.code(NOW_S + 6_000), NOW_S), Err(TotpError::Wrong)));
    }

    #[test]
    fn guessing_is_stopped_over_all_brokers() {
        let place = Place::new(SECRET, 0o600);
        for _ in 0..3 {
            assert!(matches!(place.check("000000", NOW_S), Err(TotpError::Wrong)));
        }
        assert!(matches!(place.check("081804", NOW_S), Err(TotpError::TooMany)));
        assert!(place.check(&place.code(NOW_S + 30), NOW_S + 30).is_ok());
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        for mode in [0o640, 0o604, 0o610, 0o700] {
            assert!(
                matches!(Place::new(SECRET, mode).alice(), Err(TotpError::TooOpen(..))),
                "{mode:o}"
            );
        }
        assert!(Place::new(SECRET, 0o400).alice().is_ok());
        for bad in ["", "GEZDGNBV", "not base32!"] {
            assert!(
                matches!(Place::new(bad, 0o600).alice(), Err(TotpError::NotASecret(_))),
                "{bad}"
            );
        }
        for name in ["", ".", "..", "../alice", "a/b", ".hidden"] {
            let place = Place::new(SECRET, 0o600);
            assert!(
                matches!(Authenticator::of(name, place.dir.path()), Err(TotpError::NotAName(_))),
                "{name}"
            );
        }
    }
}
