//! Until a request is approved: one that is at hand already is named, one that is not is waited for.

use std::sync::Arc;
use std::time::Duration;

use bg_recorder::abreast::Abreast;
use bg_recorder::approval::REQUEST_NAMESPACE;
use bg_recorder::session::SessionId;
use bg_recorder::store::ObjectStore;

use crate::config::RoleConfig;
use crate::failure::Failure;
use crate::news::News;
use crate::request::dossier::{Dossier, FACT_MAX};
use crate::request::filing::Ask;
use crate::request::lookup::{REQUESTS, ids_of, listed};
use crate::request::signer::{Signer, SignerArgs, signers};
use crate::request::standing::Standing;
use crate::request::terms::minute;
use crate::world::World;

/// Nobody is asked again for what was approved already: an approved request of this person for this role is named
/// instead.
pub(super) fn at_hand(
    world: &World,
    role: &RoleConfig,
    ask: &Ask<'_>,
    args: &SignerArgs,
) -> Result<(), Failure> {
    if role.quorum == 0 || ask.forced {
        return Ok(());
    }
    let (_, signers) = signers(role)?;
    let me = Signer::find(args, &signers, REQUEST_NAMESPACE, world)?.person.clone();
    let entries = listed(&*world.store())?;
    let now = world.clock.now();
    let lasts = role.approval_expires + role.execution_expires;
    let recent = |id: &SessionId| id.minted().after(lasts) >= now;
    let mut ids: Vec<SessionId> = ids_of(&entries, now).into_iter().filter(recent).collect();
    let ids = ids.split_off(ids.len().saturating_sub(AT_HAND_MAX));
    let keys = ids.iter().map(|id| format!("{REQUESTS}{id}/request"));
    let read = Abreast::read(world.store(), keys, FACT_MAX).listed(REQUESTS, entries);
    let store: Arc<dyn ObjectStore> = Arc::new(read);
    for id in ids.iter().rev() {
        let Ok(dossier) = Dossier::read(world, &store, *id, now) else { continue };
        let request = dossier.request();
        let mine = request.requester == me && request.role == ask.role && !request.forced;
        if mine && dossier.standing(now) == Standing::Approved {
            let until = minute(dossier.usable_until());
            let what = format!("request {id} of {me} for {} is approved until {until}", ask.role);
            return Err(Failure::new(what).hint(format!(
                "open it with bg-shell open --request {id}; bg-shell request asks for another one"
            )));
        }
    }
    Ok(())
}

/// Waits until a request is approved, and says who approves. An interrupt ends the waiting, not the request; so
/// that is said before, and signals stay what they are.
pub(super) fn wait(world: &World, id: SessionId) -> Result<Dossier, Failure> {
    let mut told = 0;
    let mut waiting = false;
    let mut failed = 0;
    loop {
        let now = world.clock.now();
        let dossier = match Dossier::open(world, id, now) {
            Ok(dossier) => dossier,
            // Who waits for hours outlasts a store that is away for seconds.
            Err(e) if !waiting || failed >= FAILED_MAX => return Err(e),
            Err(_) => {
                failed += 1;
                world.clock.wait(POLL);
                continue;
            }
        };
        failed = 0;
        let standing = dossier.standing(now);
        for (decided, _) in dossier.approvals.iter().skip(told) {
            world.hear(&News::Approved(&decided.statement));
        }
        told = dossier.approvals.len();
        if standing != Standing::Requested {
            still(&dossier, standing)?;
            return Ok(dossier);
        }
        if !waiting {
            world.hear(&News::Waiting(dossier.request()));
            waiting = true;
        }
        world.clock.wait(POLL);
    }
}

/// A request that stands otherwise opens nothing.
pub(super) fn still(dossier: &Dossier, standing: Standing) -> Result<(), Failure> {
    if standing == Standing::Approved {
        return Ok(());
    }
    let id = dossier.request().id;
    let by = dossier.denials.first().map_or(String::new(), |denial| {
        let who = &denial.statement.approver;
        let why = dossier.reasons.iter().find(|(name, _)| name == who.as_str());
        format!(" by {who}{}", why.map_or(String::new(), |(_, why)| format!(": {why}")))
    });
    Err(Failure::new(format!("request {id} is {}{by}", standing.to_string().to_lowercase())).hint(
        format!(
            "a request opens one session: make a new one; bg-shell requests {id} shows this one"
        ),
    ))
}

const POLL: Duration = Duration::from_secs(1);
/// How many of the newest requests are looked at for one that can be used.
const AT_HAND_MAX: usize = 256;
/// How often in a row the evidence may be unreadable while somebody waits.
const FAILED_MAX: u32 = 30;
