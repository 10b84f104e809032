//! What happens in a drill, step by step.

mod outcome;

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Instant;

use bg_recorder::facts::case::{ACTIVE, CASES, Case, PENDING, PROVED};
use bg_recorder::session::SessionId;
use bg_recorder::verdict::Verdict;

use super::copy::Copy;
use super::log::{Log, Stopped, Wrong, millis};
use super::responder::{Circumstances, Responder, SHOWN_VARIABLE, Session};
use super::valve::Valve;
use super::{Drill, Fault, altered};
use crate::environment::DRILL_AHEAD_VARIABLE;
use crate::failure::{PENDING as IS_PENDING, REVOKED};

/// Plays it; returns the session that was opened, if there was one. The log says the rest.
pub fn play(drill: &Drill<'_>, responder: Responder<'_>, log: &mut Log) -> Option<SessionId> {
    let mut play = Play { drill, responder, planted: planted(), session: None };
    // Where it stopped is in the log.
    play.run(log).unwrap_or(());
    play.session
}

struct Play<'a> {
    drill: &'a Drill<'a>,
    responder: Responder<'a>,
    /// An access key id that nobody has.
    planted: String,
    session: Option<SessionId>,
}

impl Play<'_> {
    fn run(&mut self, log: &mut Log) -> Result<(), Stopped> {
        let began = Instant::now();
        let (circumstances, valve) = log.step("circumstances", || self.circumstances())?;
        // What is approved names its store, and this one is reached through the valve from the start.
        let asked = match &valve {
            Some(_) => Circumstances { config: circumstances.config.clone(), ..Default::default() },
            None => Circumstances::default(),
        };
        let request = self.request(&asked, log)?;
        if self.drill.fault == Some(Fault::ClockSkew) {
            return self.is_refused(request.as_deref(), &circumstances, log);
        }
        let mut session = log.step("open", || {
            let session = self.open(request.as_deref(), &circumstances)?;
            let saw = format!("session {}", session.id);
            Ok((session, saw))
        })?;
        self.session = Some(session.id);
        log.to_access_ms = Some(millis(began.elapsed()));
        let copy = self.copy(&session, log)?;
        log.step("commands", || match self.responder.works()? {
            0 => Ok(((), "they ran".to_owned())),
            code => Err(Wrong::Saw(format!("the last one ended with {code}"))),
        })?;
        match self.drill.fault {
            None => self.leaves(&mut session, log)?,
            Some(Fault::RecorderKill) => self.is_killed(&mut session, log)?,
            Some(Fault::LeakedKey) => self.is_revoked(&mut session, log)?,
            Some(Fault::StoreDown) => self.loses_the_store(&mut session, valve.as_ref(), log)?,
            Some(Fault::IamDown) => self.loses_iam(&mut session, log)?,
            Some(Fault::ClockSkew) => {}
        }
        if let Some(copy) = copy {
            log.step("copy", || copy.is_denied().map(|saw| ((), saw)))?;
        }
        let wanted = if self.drill.fault == Some(Fault::RecorderKill) {
            Verdict::Recovered
        } else {
            Verdict::Intact
        };
        log.step("tape", || self.tape(session.id, wanted))
    }

    /// Asks, and approves. The practice world has nobody to ask.
    fn request(&self, asked: &Circumstances, log: &mut Log) -> Result<Option<String>, Stopped> {
        if self.drill.role.is_none() {
            return Ok(None);
        }
        let (key, approvers) = &self.drill.keys;
        let id = log.step("request", || {
            let mut args: Vec<&OsStr> =
                ["request", "--reason", REASON, "--role", &self.drill.name].map(OsStr::new).into();
            if let Some(key) = key {
                args.extend([OsStr::new("--key"), key.as_os_str()]);
            }
            let id = self.responder.runs_under(asked, &args, &[0])?;
            Ok((id.clone(), format!("request {id}")))
        })?;
        for key in approvers {
            log.step("approve", || {
                let args = [
                    OsStr::new("approve"),
                    id.as_ref(),
                    "--yes".as_ref(),
                    "--key".as_ref(),
                    key.as_os_str(),
                ];
                let name = key.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let said = self.responder.runs_under(asked, &args, &[0]);
                said.map(|_| ((), format!("with {name}")))
            })?;
        }
        Ok(Some(id))
    }

    /// Arranges what is to break.
    fn circumstances(&self) -> Result<((Circumstances, Option<Valve>), String), Wrong> {
        let world = self.drill.world;
        let endpoint = world.config.aws.endpoint.clone();
        let store = world.config.evidence.endpoint.clone().or_else(|| endpoint.clone());
        let mut circumstances = Circumstances::default();
        let mut valve = None;
        let saw = match self.drill.fault {
            Some(Fault::StoreDown) => {
                let opened = Valve::open(&store.unwrap_or_default())?;
                let url = opened.url();
                circumstances.config = Some(self.alter(|table| {
                    altered::set(table, "evidence", "endpoint", Some(&url));
                })?);
                valve = Some(opened);
                format!("the store is reached through {url}")
            }
            Some(Fault::IamDown) => {
                circumstances.config = Some(self.alter(|table| {
                    altered::set(table, "aws", "endpoint", None);
                    altered::set(table, "evidence", "endpoint", store.as_deref());
                })?);
                circumstances.environment = vec![("AWS_ENDPOINT_URL_IAM", NOWHERE.into())];
                circumstances
                    .environment
                    .extend(endpoint.map(|url| ("AWS_ENDPOINT_URL", url.into())));
                "nothing answers where IAM should be".to_owned()
            }
            Some(Fault::ClockSkew) => {
                circumstances.environment = vec![(DRILL_AHEAD_VARIABLE, "600".into())];
                "the clock counts as ten minutes ahead".to_owned()
            }
            Some(Fault::LeakedKey) => {
                circumstances.environment = vec![(SHOWN_VARIABLE, self.planted.clone().into())];
                format!("{} will show on the screen", self.planted)
            }
            None | Some(Fault::RecorderKill) => "as they are".to_owned(),
        };
        Ok(((circumstances, valve), saw))
    }

    fn alter(&self, change: impl FnOnce(&mut toml::Table)) -> Result<PathBuf, Wrong> {
        let text = altered::configuration(self.drill.world, change)?;
        let path = self.responder.place.join("config.toml");
        altered::write(&path, &text)?;
        Ok(path)
    }

    fn open(&self, request: Option<&str>, circumstances: &Circumstances) -> Result<Session, Wrong> {
        let mut args: Vec<&OsStr> =
            ["--reason", REASON, "--role", &self.drill.name].map(OsStr::new).into();
        if let Some(request) = request {
            args.extend(["--request", request].map(OsStr::new));
        }
        if let (Some(_), Some(key)) = (request, &self.drill.keys.0) {
            args.extend([OsStr::new("--key"), key.as_os_str()]);
        }
        self.responder.opens(&args, circumstances)
    }

    fn copy(&self, session: &Session, log: &mut Log) -> Result<Option<Copy>, Stopped> {
        let Some(role) = self.drill.role else { return Ok(None) };
        let (url, token) = &session.endpoint;
        let copy = log.step("access", || {
            let copy = Copy::take(self.drill.world, role, url, token)?;
            let saw = copy.works()?;
            Ok((copy, saw))
        })?;
        Ok(Some(copy))
    }

    fn leaves(&self, session: &mut Session, log: &mut Log) -> Result<(), Stopped> {
        log.step("exit", || session.leave(0).map(|saw| ((), saw)))?;
        if self.drill.role.is_some() {
            log.to_revoke_ms = log.step("revoked", || self.proved(session.id))?;
            log.step("report", || self.reported(session.id))?;
        }
        Ok(())
    }

    fn is_killed(&self, session: &mut Session, log: &mut Log) -> Result<(), Stopped> {
        log.step("kill", || session.kill().map(|()| ((), "the recorder is dead".to_owned())))?;
        log.step("processes", || session.has_no_process().map(|saw| ((), saw)))?;
        log.step("recover", || {
            self.responder
                .runs(&["recover"].map(OsStr::new), &[0])
                .map(|_| ((), "shipped".to_owned()))
        })?;
        if self.drill.role.is_none() {
            return Ok(());
        }
        self.is_denied(session.id, log)
    }

    fn is_revoked(&self, session: &mut Session, log: &mut Log) -> Result<(), Stopped> {
        let id = session.id.to_string();
        log.step("revoke", || {
            let args = ["revoke", &id, "--reason", REASON].map(OsStr::new);
            self.responder.runs(&args, &[0]).map(|_| ((), "the kill switch".to_owned()))
        })?;
        log.step("end", || session.ends(REVOKED.into()).map(|saw| ((), saw)))?;
        log.to_revoke_ms = log.step("revoked", || self.proved(session.id))?;
        log.step("exposed", || self.is_told(session.id))
    }

    fn loses_the_store(
        &self,
        session: &mut Session,
        valve: Option<&Valve>,
        log: &mut Log,
    ) -> Result<(), Stopped> {
        log.step("cut", || {
            valve.map(Valve::shut).ok_or("there is no valve")?;
            Ok(((), "the store is gone".to_owned()))
        })?;
        log.step("exit", || session.leave(0).map(|saw| ((), saw)))?;
        log.step("spool", || {
            match std::fs::read_dir(self.drill.world.evidence().spool()).map_or(0, Iterator::count)
            {
                0 => Err("nothing was kept".into()),
                kept => Ok(((), format!("{kept} kept"))),
            }
        })?;
        log.step("recover", || {
            self.responder
                .runs(&["recover"].map(OsStr::new), &[0])
                .map(|_| ((), "shipped".to_owned()))
        })?;
        self.reconcile(log)?;
        self.is_denied(session.id, log)
    }

    fn loses_iam(&self, session: &mut Session, log: &mut Log) -> Result<(), Stopped> {
        log.step("exit", || session.leave(0).map(|saw| ((), saw)))?;
        log.step("pending", || {
            let case = Case::new(session.id, self.drill.world.store());
            let facts = case.facts()?;
            if facts.iter().any(|fact| fact == PROVED) {
                return Err("it was called revoked".into());
            }
            let pending = facts.iter().any(|fact| fact.starts_with(PENDING));
            if pending {
                Ok(((), "it is called pending".to_owned()))
            } else {
                Err("nothing says so".into())
            }
        })?;
        self.reconcile(log)?;
        self.is_denied(session.id, log)
    }

    fn reconcile(&self, log: &mut Log) -> Result<(), Stopped> {
        log.step("reconcile", || {
            let codes = [0, IS_PENDING.into()];
            self.responder
                .runs(&["reconcile"].map(OsStr::new), &codes)
                .map(|_| ((), "done".to_owned()))
        })
    }

    /// No session begins, and nothing was issued.
    fn is_refused(
        &self,
        request: Option<&str>,
        how: &Circumstances,
        log: &mut Log,
    ) -> Result<(), Stopped> {
        let issued = || {
            let listed = self.drill.world.store().list(CASES)?;
            Ok::<_, Wrong>(
                listed.iter().filter(|entry| entry.key.ends_with(&format!("/{ACTIVE}"))).count(),
            )
        };
        log.step("refused", || {
            let before = issued()?;
            match self.open(request, how) {
                Ok(session) => Err(Wrong::Saw(format!("session {} began", session.id))),
                Err(_) if issued()? > before => Err("credentials were issued".into()),
                Err(why) => Ok(((), why.to_string())),
            }
        })
    }
}

/// Makes an access key id that nobody has.
fn planted() -> String {
    let random = data_encoding::BASE32.encode(uuid::Uuid::now_v7().as_bytes());
    format!("AKIA{}", random.chars().skip(10).take(16).collect::<String>())
}

const REASON: &str = "drill";
/// The discard service: nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:9";
