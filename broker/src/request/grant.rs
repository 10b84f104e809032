//! A grant: an approved request, checked again, that one session may claim.

use std::sync::Arc;
use std::time::Duration;

use bg_recorder::abreast::Abreast;
use bg_recorder::approval::access::{Access, Signed};
use bg_recorder::approval::quorum::{Approved, check};
use bg_recorder::approval::sshsig::SshSig;
use bg_recorder::approval::taking::Taking;
use bg_recorder::approval::{CLAIM_NAMESPACE, REQUEST_NAMESPACE};
use bg_recorder::base64;
use bg_recorder::facts::case::Fact;
use bg_recorder::keys::KeyService;
use bg_recorder::note;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use bg_recorder::store::{ObjectStore, StoreError};
use serde_json::json;

use crate::config::RoleConfig;
use crate::facts::claim::Claim;
use crate::failure::Failure;
use crate::news::News;
use crate::os::user::author;
use crate::request::dossier::{Dossier, FACT_MAX, REQUESTS, find, ids_of, listed, signers};
use crate::request::filing::{Ask, file, filed, nonce};
use crate::request::signer::{Signer, SignerArgs};
use crate::request::standing::Standing;
use crate::request::terms::minute;
use crate::world::World;

/// What somebody who opens a role says.
#[derive(Debug, Clone, Default)]
pub struct GrantArgs {
    /// The request to use. None: one is filed.
    pub request: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// For which incident.
    pub incident: Option<String>,
    /// For how long; None: as long as the role allows.
    pub duration: Option<Duration>,
    /// Without approvals.
    pub forced: bool,
    /// Who signs the request, and with what.
    pub signer: SignerArgs,
}

/// A request with enough approvals. It exists only if they hold, and is worth nothing before it is claimed.
pub struct Grant<'a> {
    world: &'a World,
    role: &'a RoleConfig,
    dossier: Dossier,
    session: SessionId,
    /// That its requester opens it, in that session.
    taking: Signed,
}

impl<'a> Grant<'a> {
    /// Takes an approved request, or files one and waits for its approvals.
    ///
    /// # Errors
    /// When it was denied, withdrawn, used or has expired; when whoever waits gives up.
    pub fn obtain(world: &'a World, role_name: &str, args: &GrantArgs) -> Result<Self, Failure> {
        let role = world.role(role_name)?;
        let id = match &args.request {
            Some(text) => find(&*world.store(), text)?,
            None => {
                let ask = ask(role_name, args)?;
                at_hand(world, role, &ask, &args.signer)?;
                let request = file(world, &ask, &args.signer)?;
                filed(world, &request);
                request.id
            }
        };
        // Who cannot sign shall not wait for it.
        let signer = opener(world, role, id, &args.signer)?;
        let dossier = wait(world, id)?;
        let request = dossier.request();
        if request.role != role_name {
            return Err(Failure::new(format!("request {id} is for the role {}", request.role))
                .hint(format!("open it with --role {}", request.role)));
        }
        if args.forced && !request.forced {
            return Err(Failure::new(format!(
                "request {id} does not ask to be opened without approvals"
            ))
            .hint("make another with bg-shell request --override"));
        }
        let session = SessionId::mint();
        let taking = take(world, &dossier, session, &signer, world.clock.now())?;
        holds(&dossier, session, &taking, world.clock.now())?;
        Ok(Self { world, role, dossier, session, taking })
    }

    /// Returns the one session that it is for.
    pub fn session(&self) -> SessionId {
        self.session
    }

    pub fn role(&self) -> &'a RoleConfig {
        self.role
    }

    /// Returns the role's session policy, as it was approved.
    pub fn scope(&self) -> Option<&[u8]> {
        self.dossier.scope.as_deref()
    }

    /// Returns who asked.
    pub fn person(&self) -> &str {
        self.dossier.request().requester.as_str()
    }

    /// Claims the request for its session; whoever comes second gets nothing. Everything is verified again.
    ///
    /// # Errors
    /// When somebody else has claimed it, or it does not hold any more.
    pub fn claim(self, keys: &dyn KeyService) -> Result<Claim, Failure> {
        let id = self.dossier.request().id;
        let bytes = self.claim_bytes(keys)?;
        let key = format!("{REQUESTS}{id}/claim");
        let store = self.world.store();
        match store.put_new(&key, &bytes) {
            Ok(()) => {}
            // A put that was repeated after an answer was lost meets itself: the bytes are nobody else's.
            Err(StoreError::Exists(_))
                if store.get(&key, note::NOTE_MAX as u64).is_ok_and(|found| found == bytes) => {}
            Err(StoreError::Exists(_)) => {
                return Err(Failure::new(format!("request {id} was claimed by another session"))
                    .hint("a request opens one session; make a new one"));
            }
            Err(e) => return Err(Failure::new("cannot claim the request").because(e)),
        }
        self.settle()
    }

    /// What came in until the claim counts: a denial or a withdrawal that was there first wins.
    fn settle(self) -> Result<Claim, Failure> {
        let session = self.session;
        let now = self.world.clock.now();
        let id = self.dossier.request().id;
        let mut dossier = Dossier::open(self.world, id, now)?;
        if dossier.claim.take().is_none_or(|claim| claim.session != session) {
            return Err(Failure::new(format!("request {id} was claimed by another session")));
        }
        still(&dossier, dossier.standing(now))?;
        let (access, approved) = holds(&dossier, session, &self.taking, self.world.clock.now())?;
        let request = approved.request;
        let role = self.role.clone();
        let duration_us = request.duration_s.saturating_mul(1_000_000);
        Ok(Claim {
            session,
            name: request.role,
            role,
            scope: dossier.scope,
            person: request.requester.to_string(),
            reason: request.reason,
            incident: request.incident,
            request: id.to_string(),
            request_sha256: approved.digest.to_string(),
            deadline: Stamp(now.0.saturating_add(duration_us)),
            forced: request.forced,
            requested: request.created,
            access: serde_json::to_value(access)
                .map_err(|e| Failure::new("cannot write the access").because(e))?,
        })
    }

    fn claim_bytes(&self, keys: &dyn KeyService) -> Result<Vec<u8>, Failure> {
        let request = self.dossier.request().id;
        let says = json!({
            "request": request, "request_sha256": self.dossier.petition.digest, "nonce": nonce()?,
            "statement": self.taking.statement, "signature": self.taking.signature,
        });
        let signed = Fact::now(self.session, &author(), "claim", says).signed(keys);
        signed.map_err(|e| Failure::new("cannot sign the claim").because(e))
    }
}

fn ask<'a>(role: &'a str, args: &'a GrantArgs) -> Result<Ask<'a>, Failure> {
    let reason = args.reason.as_deref().ok_or_else(|| {
        Failure::new(format!("opening {role} needs a reason"))
            .hint("give one with --reason, or an approved request with --request")
    })?;
    Ok(Ask {
        role,
        reason,
        incident: args.incident.as_deref(),
        duration: args.duration,
        forced: args.forced,
    })
}

/// Nobody is asked again for what was approved already: an approved request of this person for this role is named
/// instead.
fn at_hand(
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
    let mut ids: Vec<SessionId> = ids_of(&entries).into_iter().filter(recent).collect();
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

/// Finds a key of whoever asked: nobody else may open what was approved for them.
fn opener(
    world: &World,
    role: &RoleConfig,
    id: SessionId,
    args: &SignerArgs,
) -> Result<Signer, Failure> {
    let dossier = Dossier::open(world, id, world.clock.now())?;
    let requester = &dossier.request().requester;
    if args.person.as_ref().is_some_and(|person| person != requester.as_str()) {
        return Err(Failure::new(format!("only {requester} can open request {id}"))
            .hint("it was approved for them; make a request of your own"));
    }
    let (_, signers) = signers(role)?;
    let args = SignerArgs { person: Some(requester.to_string()), key: args.key.clone() };
    Signer::find(&args, &signers, CLAIM_NAMESPACE, world)
}

/// Has the requester sign that this session takes the request.
fn take(
    world: &World,
    dossier: &Dossier,
    session: SessionId,
    signer: &Signer,
    made: Stamp,
) -> Result<Signed, Failure> {
    let statement = Taking {
        v: 1,
        request: dossier.request().id,
        request_sha256: dossier.petition.digest,
        session,
        requester: signer.person.clone(),
        made,
        nonce: nonce()?,
    };
    let bytes = statement.write().map_err(Failure::new)?;
    let signature = signer.sign(world, CLAIM_NAMESPACE, &bytes)?;
    let key = SshSig::parse(&signature)
        .map_err(|e| Failure::new("cannot read our own signature").because(e))?
        .key;
    let mut approvals = dossier.approvals.iter();
    if let Some(why) = approvals.find_map(|(one, _)| dossier.petition.claims(&key, one)) {
        return Err(Failure::new(format!("cannot open the request with this key: {why}"))
            .hint("sign with a key that allowed_signers lists for you alone"));
    }
    Ok(Signed { statement: base64::encode(&bytes), signature })
}

/// Waits until a request is approved, and says who approves. An interrupt ends the waiting, not the request; so
/// that is said before, and signals stay what they are.
fn wait(world: &World, id: SessionId) -> Result<Dossier, Failure> {
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

/// Judges what the genesis will carry, as its verifiers will.
fn holds(
    dossier: &Dossier,
    session: SessionId,
    taking: &Signed,
    now: Stamp,
) -> Result<(Access, Approved), Failure> {
    let access = dossier.access(taking.clone());
    let approved = check(&access, session, now).map_err(|objections| {
        let objections: Vec<String> = objections.iter().map(ToString::to_string).collect();
        Failure::new(format!("the approvals do not hold: {}", objections.join("; ")))
    })?;
    Ok((access, approved))
}

fn still(dossier: &Dossier, standing: Standing) -> Result<(), Failure> {
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
/// How often in a row the evidence may be unreadable while somebody waits.
/// How many of the newest requests are looked at for one that can be used.
const AT_HAND_MAX: usize = 256;
const FAILED_MAX: u32 = 30;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;
    use std::thread;

    use bg_recorder::approval::statement::Decision;
    use bg_recorder::clock::Clock as _;
    use bg_recorder::practice::Practice;

    use super::*;
    use crate::environment::Environment;
    use crate::os::hands::Hands;
    use crate::request::decide::Bench;

    fn world(dir: &Path) -> World {
        let environment = Environment {
            practice: Practice { root: dir.join("state") },
            shell: None,
            path: std::ffi::OsString::new(),
            term: None,
            inside: None,
            config: Some(dir.join("config.toml")),
            home: None,
            config_home: None,
            credentials: Vec::new(),
            terminals: Vec::new(),
            proxies: Vec::new(),
            ca: None,
            drill_ahead_s: 0,
        };
        World::open(environment, crate::news::nobody()).unwrap()
    }

    fn desk(quorum: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let role = format!(
            "arn = \"arn:aws:iam::123456789012:role/x\"\nquorum = {quorum}\noverride = true"
        );
        let config = format!(
            "[evidence]\nstore = \"{at}/store\"\n[roles.x]\n{role}\nallowed_signers = \"{at}/signers\"\n[roles.x.mfa]\nmode = \"none\"\n"
        );
        std::fs::write(dir.path().join("config.toml"), config).unwrap();
        let mut signers = String::new();
        for name in ["alice", "bob", "carol"] {
            let mut keygen = Command::new("ssh-keygen");
            let made = keygen
                .args(["-q", "-N", "", "-t", "ed25519", "-f"])
                .arg(dir.path().join(name))
                .status();
            assert!(made.unwrap().success());
            let public = std::fs::read_to_string(dir.path().join(format!("{name}.pub"))).unwrap();
            signers += &format!("{name}@example.com {public}");
        }
        std::fs::write(dir.path().join("signers"), signers).unwrap();
        dir
    }

    fn signer(dir: &Path, name: &str) -> SignerArgs {
        SignerArgs { person: None, key: Some(dir.join(name)) }
    }

    fn args(dir: &Path, request: Option<String>) -> GrantArgs {
        GrantArgs {
            request,
            reason: Some("x".into()),
            signer: signer(dir, "alice"),
            ..GrantArgs::default()
        }
    }

    fn decide(dir: &Path, name: &str, id: &str, decision: Decision) {
        let world = world(dir);
        let bench = Bench::take(&world, id, decision).unwrap();
        bench.decide(&bench.signer(&signer(dir, name)).unwrap()).unwrap();
    }

    fn open(dir: &Path, request: Option<String>) -> Result<Claim, String> {
        let world = world(dir);
        let grant = Grant::obtain(&world, "x", &args(dir, request)).map_err(|e| e.to_string())?;
        grant.claim(&*world.keys().unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn of_twenty_sessions_one_claims() {
        let dir = desk(0);
        let first = world(dir.path());
        let request = Grant::obtain(&first, "x", &args(dir.path(), None)).unwrap();
        let id = request.dossier.request().id.to_string();
        first.keys().unwrap();
        let claims: Vec<Result<Claim, String>> = thread::scope(|scope| {
            let claim = || open(dir.path(), Some(id.clone()));
            let racing: Vec<_> = (0..20).map(|_| scope.spawn(claim)).collect();
            racing.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won: Vec<&Claim> = claims.iter().flatten().collect();
        assert_eq!(won.len(), 1);
        let claim = won[0];
        assert_eq!(
            (claim.person.as_str(), claim.request.as_str()),
            ("alice@example.com", id.as_str())
        );
        for failure in claims.iter().filter_map(|claim| claim.as_ref().err()) {
            assert!(failure.contains("claimed"), "{failure}");
        }
        let access: Access = serde_json::from_value(claim.access.clone()).unwrap();
        let approved = check(&access, claim.session, first.clock.now()).unwrap();
        assert_eq!(approved.notes, ["quorum 0: opened by its requester alone"]);
        let dossier = Dossier::open(&first, id.parse().unwrap(), claim.requested).unwrap();
        assert_eq!((dossier.claim.unwrap().session, dossier.ignored), (claim.session, Vec::new()));
    }

    #[test]
    fn nobody_but_the_requester_opens_what_was_approved() {
        let dir = desk(0);
        let world = world(dir.path());
        let request = Grant::obtain(&world, "x", &args(dir.path(), None)).unwrap();
        let id = request.dossier.request().id.to_string();
        let as_bob =
            SignerArgs { person: Some("bob@example.com".into()), ..signer(dir.path(), "bob") };
        let as_alice =
            SignerArgs { person: Some("alice@example.com".into()), ..signer(dir.path(), "bob") };
        for (signer, expected) in [
            (signer(dir.path(), "bob"), "may not sign for alice@example.com"),
            (as_alice, "may not sign for alice@example.com"),
            (as_bob, "only alice@example.com can open"),
        ] {
            let args = GrantArgs { signer, ..args(dir.path(), Some(id.clone())) };
            let refused = Grant::obtain(&world, "x", &args).err().unwrap().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
        assert!(open(dir.path(), Some(id)).is_ok());
    }

    #[test]
    fn a_claim_that_the_requester_did_not_sign_is_told() {
        let dir = desk(0);
        let world = world(dir.path());
        let args = args(dir.path(), None);
        let mut grant = Grant::obtain(&world, "x", &args).unwrap();
        let id = grant.dossier.request().id;
        let other = Grant::obtain(&world, "x", &args).unwrap();
        grant.taking = other.taking;
        let refused = grant.claim(&*world.keys().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("the claim is for another request's bytes"), "{refused}");
        let dossier = Dossier::open(&world, id, world.clock.now()).unwrap();
        assert_eq!(dossier.ignored, ["claim: the claim is for another request's bytes"]);
        assert!(dossier.claim.is_some(), "its name is taken all the same");
    }

    #[test]
    fn the_session_policy_that_was_approved_is_the_one_that_is_used() {
        let dir = desk(0);
        let config = dir.path().join("config.toml");
        let policy = dir.path().join("policy.json");
        let text = std::fs::read_to_string(&config).unwrap();
        let named = format!("session_policy = \"{}\"\nquorum", policy.display());
        std::fs::write(&config, text.replace("quorum", &named)).unwrap();
        let allowing = |action: &str| {
            format!(r#"{{"Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"*"}}]}}"#)
        };
        std::fs::write(&policy, allowing("s3:Get*")).unwrap();
        let claim = open(dir.path(), None).unwrap();
        let world = world(dir.path());
        let grant = Grant::obtain(&world, "x", &args(dir.path(), None)).unwrap();
        std::fs::write(&policy, allowing("*")).unwrap();
        let wanted = crate::custody::credentials::Wanted::of(&claim).unwrap();
        assert!(wanted.policy.contains("s3:Get*"), "{}", wanted.policy);
        let refused = grant.claim(&*world.keys().unwrap()).unwrap_err().to_string();
        assert!(refused.contains("is not that which it was made under"), "{refused}");
    }

    #[test]
    fn whoever_waits_gets_the_grant_once_it_is_approved() {
        let dir = desk(2);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| open(dir.path(), None));
            let store = world(dir.path()).store();
            while crate::request::dossier::ids(&*store).unwrap().is_empty() {
                thread::yield_now();
            }
            let id = crate::request::dossier::ids(&*store).unwrap()[0].to_string();
            decide(dir.path(), "bob", &id, Decision::Approve);
            decide(dir.path(), "carol", &id, Decision::Approve);
            let claim = waiting.join().unwrap().unwrap();
            assert_eq!(claim.access["approvals"].as_array().unwrap().len(), 2);
            assert!(!claim.forced);
        });
    }

    #[test]
    fn a_denial_before_the_claim_wins() {
        let dir = desk(1);
        let world = world(dir.path());
        let filed =
            file(&world, &ask("x", &args(dir.path(), None)).unwrap(), &signer(dir.path(), "alice"))
                .unwrap();
        let id = filed.id.to_string();
        decide(dir.path(), "bob", &id, Decision::Approve);
        let grant = Grant::obtain(&world, "x", &args(dir.path(), Some(id.clone()))).unwrap();
        decide(dir.path(), "carol", &id, Decision::Deny);
        let claim = grant.claim(&*world.keys().unwrap());
        assert!(claim.unwrap_err().to_string().contains("is denied by carol@example.com"));
        let again = Grant::obtain(&world, "x", &args(dir.path(), Some(id)));
        assert!(again.err().unwrap().to_string().contains("is claimed"));
    }

    #[test]
    fn what_was_approved_for_one_store_opens_nothing_in_another() {
        let dir = desk(1);
        let here = world(dir.path());
        let filed =
            file(&here, &ask("x", &args(dir.path(), None)).unwrap(), &signer(dir.path(), "alice"))
                .unwrap();
        let id = filed.id.to_string();
        decide(dir.path(), "bob", &id, Decision::Approve);
        // Somebody copies the request with its approvals, and names that place in a configuration of their own.
        let config = dir.path().join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("/store\"", "/other\"")).unwrap();
        for key in
            [format!("{REQUESTS}{id}/request"), format!("{REQUESTS}{id}/approvals/bob@example.com")]
        {
            let bytes = here.store().get(&key, 1 << 20).unwrap();
            world(dir.path()).store().put_new(&key, &bytes).unwrap();
        }
        let refused = open(dir.path(), Some(id.clone())).unwrap_err();
        assert!(refused.contains("or its evidence store, is not that which"), "{refused}");
        std::fs::write(&config, text).unwrap();
        assert!(open(dir.path(), Some(id)).is_ok());
    }

    #[test]
    fn what_was_approved_yesterday_opens_nothing() {
        let dir = desk(1);
        let mut world = world(dir.path());
        let filed =
            file(&world, &ask("x", &args(dir.path(), None)).unwrap(), &signer(dir.path(), "alice"))
                .unwrap();
        let id = filed.id.to_string();
        decide(dir.path(), "bob", &id, Decision::Approve);
        let hands = Hands::at(filed.created);
        world.clock = hands.clone();
        let args = args(dir.path(), Some(id));
        let grant = Grant::obtain(&world, "x", &args).unwrap();
        hands.wait(Duration::from_secs(2 * 86_400));
        let late = grant.claim(&*world.keys().unwrap()).unwrap_err().to_string();
        assert!(late.contains("is expired"), "{late}");
    }

    #[test]
    fn an_override_is_granted_at_once_and_says_so() {
        let dir = desk(2);
        let world = world(dir.path());
        let forced = GrantArgs { forced: true, ..args(dir.path(), None) };
        let claim = Grant::obtain(&world, "x", &forced).unwrap().claim(&*world.keys().unwrap());
        let claim = claim.unwrap();
        assert!(claim.forced && claim.access["forced"] == true);
    }
}
