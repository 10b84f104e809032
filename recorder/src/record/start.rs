//! How a recording begins: the genesis is in the store before anything else happens, or, where that is allowed and the
//! store is away, in the spool.

use std::path::Path;
use std::time::Duration;

use super::{Begins, RecordError, Recorder, Setup};
use crate::clock::boot_id;
use crate::format::chain::{Digest, Link};
use crate::format::codec::{Encoder, Header as CastHeader};
use crate::format::genesis::{Genesis, Host, Keys, SignKey};
use crate::format::note::{self, NoteKind};
use crate::format::session::ObjectName;
use crate::format::sign::SessionKey;
use crate::record::clerk::Clerk;
use crate::record::cosign::Cosigner;
use crate::record::epoch::Epochs;
use crate::record::host::{HostCount, Turn};
use crate::record::mark::Mark;
use crate::record::ship::Shipper;
use crate::record::spool::{self, Spool};

impl Recorder {
    /// Begins a tape. When this returns, its genesis is where it must be and its first frame in the spool.
    ///
    /// # Errors
    /// When any of that could not be done; no shell may be started then.
    pub fn begin(setup: Setup) -> Result<Self, RecordError> {
        let clerk = Clerk::start(setup.keys).map_err(RecordError::Spool)?;
        let session_key = SessionKey::generate()?;
        let boot_id = boot_id().map_err(RecordError::Spool)?;
        let created = setup.clock.now();
        let start_us = setup.clock.boot_us();
        let keys = Keys {
            sign: SignKey::of(&clerk.ring().sign_name, &clerk.ring().sign),
            standby: clerk.ring().standby.as_ref().map(|standby| standby.named()),
            wrap: clerk.ring().wrap.clone(),
            session: session_key.public(),
        };
        let turn = Turn::wait(&setup.state).map_err(RecordError::Spool)?;
        let (_, host) = place(&setup.state, &setup.spool, &setup.host_name)?;
        let mark = Mark::mint()?;
        let mut about = setup.about;
        mark.declare(&mut about);
        let genesis = Genesis {
            session: setup.session,
            created,
            boot_us: start_us,
            boot_id: boot_id.clone(),
            suite: 1,
            host,
            limits: setup.limits,
            keys,
            about,
        };
        let (bytes, spool) = counted(genesis, &clerk, &mark, &setup.state, &setup.spool)?;
        drop(turn);
        let link = Link::genesis(&bytes);
        let shipper = Shipper::start(setup.store, spool.dir(), &setup.session.prefix(created))
            .map_err(RecordError::Spool)?;
        shipper.send(ObjectName::Genesis, bytes.len() as u64, Digest::of(&bytes));
        let epochs = Epochs::begin(setup.session, setup.limits, link, &clerk, start_us)?;
        let mut recorder = Self {
            session: setup.session,
            created,
            start_us,
            boot_id,
            limits: setup.limits,
            clock: setup.clock,
            state: setup.state,
            spool,
            shipper,
            clerk,
            epochs,
            cosigner: Cosigner::default(),
            session_key,
            encoder: Encoder::default(),
            open: None,
            closed: None,
            unopened: None,
            unput: None,
            unsent: None,
            segments: 0,
            frames: 0,
            link,
            newest_note: (ObjectName::Genesis, Digest::of(&bytes)),
            last_us: start_us,
            totals: std::collections::BTreeMap::new(),
            gaps: Vec::new(),
            plain: Vec::new(),
            record: Vec::new(),
        };
        recorder.first_frame(setup.cast)?;
        recorder.genesis_stored(setup.begins)?;
        Ok(recorder)
    }

    fn first_frame(&mut self, cast: CastHeader) -> Result<(), RecordError> {
        let mut plain = Vec::new();
        Encoder::header(&CastHeader { timestamp: self.created.0 / 1_000_000, ..cast }, &mut plain);
        self.frame(self.start_us, &plain)
    }

    fn genesis_stored(&self, begins: Begins) -> Result<(), RecordError> {
        let progress = self.shipper.first(GENESIS_PATIENCE);
        match (progress.stored, progress.fatal, progress.down) {
            (1.., _, _) => Ok(()),
            (_, Some(why), _) => Err(RecordError::Store(why)),
            (_, None, _) if begins == Begins::Spooled => Ok(()),
            (_, None, Some((_, why))) => Err(RecordError::Unstored(why)),
            (_, None, None) => Err(RecordError::Store("it did not answer in time".into())),
        }
    }
}

/// Returns the count, locked, and the place in it that is the next one.
fn place(state: &Path, spools: &Path, name: &str) -> Result<(HostCount, Host), RecordError> {
    let mut count = HostCount::open(state).map_err(RecordError::Spool)?;
    spool::all(spools).and_then(|all| count.adopt(&all)).map_err(RecordError::Spool)?;
    let host = count.next(name);
    Ok((count, host))
}

/// Signs the genesis and takes its place in the host's count. The signature names the place, and the key service may
/// take its time or never answer: so the count is not locked meanwhile, and who finds that somebody else took the
/// place signs for the next one.
fn counted(
    mut genesis: Genesis,
    clerk: &Clerk,
    mark: &Mark,
    state: &Path,
    spools: &Path,
) -> Result<(Vec<u8>, Spool), RecordError> {
    for _ in 0..PLACES_TRIED {
        let bytes = signed(&genesis, clerk)?;
        let (count, host) = place(state, spools, &genesis.host.name)?;
        if host != genesis.host {
            genesis.host = host;
            continue;
        }
        let mut spool = Spool::create(spools, genesis.session, mark, genesis.limits.sync_ms)
            .map_err(RecordError::Spool)?;
        spooled(&mut spool, &bytes, count, &genesis, Link::genesis(&bytes))?;
        return Ok((bytes, spool));
    }
    let what = "too many sessions begin here at once; try again";
    Err(RecordError::Spool(std::io::Error::new(std::io::ErrorKind::ResourceBusy, what)))
}

fn signed(genesis: &Genesis, clerk: &Clerk) -> Result<Vec<u8>, RecordError> {
    let text = note::text(NoteKind::Genesis, genesis)?;
    let ring = clerk.ring();
    let signature = ring.sign.line(&ring.sign_name, clerk.sign(&text).wait()?);
    Ok(note::assemble(&text, &[signature]))
}

/// The genesis is on the disk before the host's count names it: a crash in between leaves an orphan that the next
/// start or `recover` counts, never a hole in the count.
fn spooled(
    spool: &mut Spool,
    bytes: &[u8],
    count: HostCount,
    genesis: &Genesis,
    link: Link,
) -> Result<(), RecordError> {
    spool.put(ObjectName::Genesis, bytes).map_err(RecordError::Spool)?;
    spool.settle().map_err(RecordError::Spool)?;
    count.take(&genesis.host, genesis.session, link).map_err(RecordError::Spool)
}

/// How often a place is signed for, where others keep taking it.
const PLACES_TRIED: u32 = 50;
const GENESIS_PATIENCE: Duration = Duration::from_secs(15);
