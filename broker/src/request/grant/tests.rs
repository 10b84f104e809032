//! A grant, from the request to the claim, over a store in a directory.

use std::path::Path;
use std::process::Command;
use std::thread;

use bg_recorder::approval::statement::Decision;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::practice::Practice;

use super::*;
use crate::environment::Environment;
use crate::os::hands::Hands;
use crate::request::decide::Bench;
use crate::request::lookup::ids;

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
        multiplexed: false,
        ca: None,
        drill_ahead_s: 0,
    };
    World::open(environment, crate::news::nobody()).unwrap()
}

fn desk(quorum: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let role =
        format!("arn = \"arn:aws:iam::123456789012:role/x\"\nquorum = {quorum}\noverride = true");
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
    assert_eq!((claim.person.as_str(), claim.request.as_str()), ("alice@example.com", id.as_str()));
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
    let as_bob = SignerArgs { person: Some("bob@example.com".into()), ..signer(dir.path(), "bob") };
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
        while ids(&*store, SystemClock.now()).unwrap().is_empty() {
            thread::yield_now();
        }
        let id = ids(&*store, SystemClock.now()).unwrap()[0].to_string();
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
