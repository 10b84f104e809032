//! The tapes of an evidence store, and how one is named on the command line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bg_aws::archive::Archive;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::session::SessionId;
use bg_recorder::sign::SigningPublic;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{Listed, ObjectStore, StoreError};
use bg_recorder::tape::Tape;
use bg_recorder::verdict::{Finding, Report, Verdict};
use bg_recorder::verify::verify;

use crate::evidence::fetch::Fetch;
use crate::evidence::surplus::Surplus;
use crate::evidence::versions::Versions;
use crate::failure::Failure;

/// The tapes below `sessions/` of a store.
#[derive(Debug)]
pub struct Catalog {
    archive: Archive,
}

/// Where one tape is.
#[derive(Debug)]
pub struct Place {
    /// The session that the place is for, where its name is a session id.
    pub session: Option<SessionId>,
    archive: Archive,
    versions: Arc<Versions>,
    fetch: Fetch,
    prefix: String,
}

impl Place {
    fn new(session: Option<SessionId>, archive: Archive, prefix: String) -> Self {
        let versions = Arc::new(Versions::of(&archive));
        let fetch = Fetch::new(Arc::clone(&versions) as Arc<dyn ObjectStore>);
        Self { session, archive, versions, fetch, prefix }
    }

    /// Lists the tape that is there.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn tape(&self) -> Result<Tape<'_>, Failure> {
        Tape::list(&self.fetch, &self.prefix, self.session).map_err(unlistable)
    }

    /// Lists and verifies the tape that is there: of objects with several versions those that it names itself.
    ///
    /// A tape that grows while it is listed can look as if something were missing from it: where more is there
    /// than was listed, it is verified again.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn judged(&self, trusted: &[SigningPublic]) -> Result<(Tape<'_>, Report), Failure> {
        let surplus = Surplus::below(&self.archive, &self.prefix);
        self.versions.choose(&self.prefix, &surplus.histories);
        let (tape, mut report) = self.settled(trusted)?;
        surplus.tell(&self.prefix, &mut report);
        Ok((tape, report))
    }

    fn settled(&self, trusted: &[SigningPublic]) -> Result<(Tape<'_>, Report), Failure> {
        let mut tape = self.tape()?;
        self.fetch.show(tape.objects.len());
        let settled = self.verified(&mut tape, trusted);
        self.fetch.hide();
        settled.map(|report| (tape, report))
    }

    fn verified<'p>(
        &'p self,
        tape: &mut Tape<'p>,
        trusted: &[SigningPublic],
    ) -> Result<Report, Failure> {
        for _ in 0..GROWTHS_MAX {
            let report = verify(tape, trusted, SystemClock.wall_us());
            if report.verdict != Verdict::Broken {
                return Ok(report);
            }
            let now = self.tape()?;
            if now.objects == tape.objects {
                return Ok(report);
            }
            *tape = now;
        }
        Ok(verify(tape, trusted, SystemClock.wall_us()))
    }

    /// Takes the tape that is the whole of an archive: `s3://bucket/…/<session id>`.
    ///
    /// # Errors
    /// When there is no tape, or the bucket cannot be looked at.
    pub fn in_bucket(archive: Archive) -> Result<Self, Failure> {
        let last = archive.name.trim_end_matches('/').rsplit('/').next();
        let session = last.and_then(|name| name.parse().ok());
        let nothing = Failure::new(format!("there is no tape in {}", archive.name))
            .hint("name the prefix that ends with the session's id, or its id alone");
        let place = Self::new(session, archive, String::new());
        if place.tape()?.objects.is_empty() { Err(nothing) } else { Ok(place) }
    }

    /// Takes a directory that has a session's objects.
    ///
    /// # Errors
    /// When there is no such directory, or no tape in it.
    pub fn at(path: &Path) -> Result<Self, Failure> {
        let cannot =
            |source| Failure::new(format!("cannot look at {}", path.display())).because(source);
        let root = fs::canonicalize(path).map_err(cannot)?;
        if !root.is_dir() {
            let hint =
                "name the directory that has the session's objects, the one with `genesis` in it";
            return Err(Failure::new(format!("{} is not a directory", path.display())).hint(hint));
        }
        let session =
            root.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        let place = Self::new(session, Archive::dir(root), String::new());
        if place.session.is_none() && place.tape()?.objects.is_empty() {
            let hint =
                "name the directory that has the session's objects, the one with `genesis` in it";
            return Err(Failure::new(format!("there is no tape in {}", path.display())).hint(hint));
        }
        Ok(place)
    }
}

/// What was found below `sessions/`.
#[derive(Debug)]
pub struct Found {
    /// The places of tapes, newest first.
    pub places: Vec<Place>,
    /// Names that belong to no tape.
    pub strays: Vec<String>,
}

impl Catalog {
    /// Takes an evidence store.
    pub fn new(archive: Archive) -> Self {
        Self { archive }
    }

    /// Finds all tapes.
    ///
    /// # Errors
    /// When the store cannot be looked at.
    pub fn found(&self) -> Result<Found, Failure> {
        let entries = self.archive.store.list(SESSIONS).map_err(unlistable)?;
        let mut places = BTreeMap::new();
        let mut strays = Vec::new();
        for Listed { key, .. } in entries {
            match placed(&key) {
                Some(place) => drop(places.insert(place, ())),
                None => strays.push(key),
            }
        }
        let place = |((session, prefix), ()): ((SessionId, String), ())| {
            Place::new(Some(session), self.archive.clone(), prefix)
        };
        Ok(Found { places: places.into_iter().rev().map(place).collect(), strays })
    }

    /// Names sessions, newest first: a month's a day at a time, so that the newest are there at once; where there are
    /// none, all of them. A store that cannot be looked at has none.
    pub fn ids(&self, found: &mut dyn FnMut(String)) {
        let now = SystemClock.wall_us();
        let mut some = false;
        for days in 0..MONTH_DAYS {
            let day = Stamp(now.saturating_sub(days * DAY_US)).day();
            let entries = self.archive.store.list(&format!("{SESSIONS}{day}/")).unwrap_or_default();
            let ids: BTreeSet<SessionId> =
                entries.iter().filter_map(|entry| Some(placed(&entry.key)?.0)).collect();
            some |= !ids.is_empty();
            ids.iter().rev().for_each(|id| found(id.to_string()));
        }
        if some {
            return;
        }
        let places = self.found().map(|found| found.places).unwrap_or_default();
        places.iter().filter_map(|place| place.session).for_each(|id| found(id.to_string()));
    }

    /// Returns what the versions say of sessions that are not among those found: deleted whole, perhaps.
    pub fn deleted(&self, found: &Found) -> Vec<Finding> {
        let known: BTreeSet<&str> =
            found.places.iter().map(|place| place.prefix.as_str()).collect();
        Surplus::below(&self.archive, SESSIONS).findings(|key| {
            let there = placed(key).is_some_and(|(_, prefix)| known.contains(prefix.as_str()));
            (!there).then_some(key)
        })
    }

    /// Finds the tape that the command line names by its id, the beginning of its id, or `last`.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub fn find(&self, name: &str) -> Result<Place, Failure> {
        let mut places = self.found()?.places;
        if places.is_empty() {
            return Err(self.empty());
        }
        if name == "last" {
            places.truncate(1);
        } else {
            places.retain(|place| {
                place.session.is_some_and(|id| !name.is_empty() && id.to_string().starts_with(name))
            });
        }
        let ids: Vec<String> = places.iter().take(4).map(|place| place.prefix.clone()).collect();
        match (places.pop(), places.len()) {
            (Some(place), 0) => Ok(place),
            (Some(_), _) => Err(Failure::new(format!("more than one session is called {name}"))
                .hint(format!("give more of the id: {}", ids.join(", ")))),
            (None, _) => Err(Failure::new(format!("there is no session {name}")).hint(
                "`bg-replay ls` lists the sessions; a directory is named with a slash in it",
            )),
        }
    }

    /// There is nothing here yet.
    pub fn empty(&self) -> Failure {
        Failure::new(format!("no sessions yet in {}", self.archive.name))
            .hint("`bg-shell` records one; evidence that is elsewhere is named by its directory")
    }
}

/// Returns the session and the prefix that a key belongs to.
fn placed(key: &str) -> Option<(SessionId, String)> {
    let parts: Vec<&str> = key.splitn(6, '/').collect();
    let (_, [_, _, _, id]) = parts
        .get(..5)?
        .split_first_chunk::<1>()
        .and_then(|(s, rest)| Some((s, <[&str; 4]>::try_from(rest).ok()?)))?;
    Some((id.parse().ok()?, format!("{}/", parts.get(..5)?.join("/"))))
}

fn unlistable(source: StoreError) -> Failure {
    Failure::new("cannot look into the evidence store")
        .because(source)
        .hint("check that you may read it")
}

const SESSIONS: &str = "sessions/";
const MONTH_DAYS: u64 = 31;
const DAY_US: u64 = 86_400_000_000;
/// A live tape grows about once a second: it does not grow during each of so many looks.
const GROWTHS_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    #[test]
    fn sessions_are_found_by_id_beginning_last_and_path() {
        let sample = Sample::default();
        let a = sample.record(&[(b"a", 0)]);
        let b = sample.record(&[(b"b", 0)]);
        let catalog = sample.catalog();
        let ids: Vec<_> =
            catalog.found().unwrap().places.iter().filter_map(|p| p.session).collect();
        assert_eq!(
            ids,
            [a, b]
                .into_iter()
                .max()
                .into_iter()
                .chain([a, b].into_iter().min())
                .collect::<Vec<_>>()
        );
        for (name, id) in
            [(a.to_string(), a), (b.to_string()[..30].to_owned(), b), ("last".into(), a.max(b))]
        {
            assert_eq!(catalog.find(&name).unwrap().session, Some(id), "{name}");
        }
        assert!(catalog.find("0").is_err(), "ambiguous");
        assert!(catalog.find("").is_err() && catalog.find("zz").is_err());
        let path = sample.tape_dir(a);
        assert_eq!(Place::at(&path.join("segments/../")).unwrap().session, Some(a));
        assert!(Place::at(&sample.evidence().join("none")).is_err());
        assert!(Place::at(&sample.evidence().join("sessions")).is_err());
    }
}
