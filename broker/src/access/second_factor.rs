//! Which second factor an access has, and who has seen it.

use bg_aws::fault::{CallError, CallKind};
use bg_recorder::session::SessionId;

use crate::config::Mfa;
use crate::custody::credentials::CredentialSource;
use crate::failure::Failure;
use crate::mfa::totp::Authenticator;
use crate::mfa::{self, Attested, Code};
use crate::news::News;
use crate::os::signals::Signals;
use crate::request::grant::Grant;
use crate::world::World;

/// A second factor that was given.
pub enum SecondFactor {
    /// A code that AWS is to check.
    ForAws {
        /// The device.
        serial: String,
        /// The code; it is used once.
        code: Option<Code>,
        /// What the prompt says when another one is needed.
        who: (String, String),
    },
    /// One that the broker has checked.
    Checked,
    /// None is asked for.
    NotAsked,
}

impl SecondFactor {
    /// Asks for what the role demands; checks it here, where AWS cannot.
    ///
    /// # Errors
    /// When it is not given, or not right.
    pub fn take(
        grant: &Grant<'_>,
        session: SessionId,
        world: &World,
        signals: &mut Signals,
    ) -> Result<Self, Failure> {
        let role = grant.role();
        let person = grant.person();
        match &role.mfa {
            Mfa::None => Ok(Self::NotAsked),
            Mfa::User { serial } => {
                let code = Some(mfa::ask(person, role.role_name(), signals)?);
                let who = (person.to_owned(), role.role_name().to_owned());
                Ok(Self::ForAws { serial: serial.clone(), code, who })
            }
            Mfa::Broker { secrets } => {
                let failed = |e: crate::mfa::totp::TotpError| {
                    let hint = e.hint();
                    Failure::new("the second factor does not count").because(e).hint(hint)
                };
                let authenticator = Authenticator::of(person, secrets).map_err(failed)?;
                for tries_left in (0..TRIES).rev() {
                    let code = mfa::ask(person, role.role_name(), signals)?;
                    let now_s = world.clock.wall_us() / 1_000_000;
                    match authenticator.check(&code, now_s, session, &*world.store()) {
                        Ok(()) => return Ok(Self::Checked),
                        Err(e) if e.again() && tries_left > 0 => {
                            let why = e.to_string();
                            world.hear(&News::WrongCode { why: &why, hint: e.hint() });
                        }
                        Err(e) => return Err(failed(e)),
                    }
                }
                Ok(Self::Checked)
            }
        }
    }

    /// Returns who has seen it, or is to.
    pub fn attested(&self) -> Attested {
        match self {
            Self::ForAws { .. } => Attested::Aws,
            Self::Checked => Attested::Broker,
            Self::NotAsked => Attested::Nobody,
        }
    }

    /// Has AWS check the code, where it is to. A code that AWS calls wrong is asked for anew: a slip of the finger
    /// is no reason to use another approval up.
    ///
    /// # Errors
    /// When AWS refuses it for another reason, or too often.
    pub fn prove(
        &mut self,
        world: &World,
        source: &mut dyn CredentialSource,
        duration_s: u32,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        let Self::ForAws { serial, code, who } = self else { return Ok(()) };
        let mut tries = 1;
        loop {
            let given = match code.take() {
                Some(given) => given,
                None => mfa::ask(&who.0, &who.1, signals)?,
            };
            match source.prove_mfa(serial, &given, duration_s) {
                Ok(_) => return Ok(()),
                Err(e) if wrong_code(&e) && tries < TRIES => {
                    world.hear(&News::CodeRefused { why: &e.to_string() });
                    tries += 1;
                }
                Err(e) => {
                    return Err(super::opening::refused(
                        "AWS does not accept the second factor",
                        e,
                    ));
                }
            }
        }
    }
}

/// A wrong, used or late code is refused like this. GetSessionToken needs no permission that could be missing.
fn wrong_code(e: &CallError) -> bool {
    e.kind == CallKind::Denied && e.code.as_deref() == Some("AccessDenied")
}

const TRIES: u32 = 3;
