//! Custody, with a source of credentials that does as it is told.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use bg_aws::fault::{CallError, CallKind};
use bg_relay::outside::Switch as _;

use super::*;
use crate::custody::vault::Answer;
use crate::mfa::Code;
use crate::os::hands::Hands;

/// STS, minus the cloud: credentials of a quarter of an hour; some calls fail.
struct Mint {
    clock: Arc<Hands>,
    fails: fn(u32) -> bool,
    calls: Arc<AtomicU32>,
}

impl Mint {
    fn issue(&self, call: u32) -> Issued {
        let credentials =
            Credentials::new(format!("ASIA{call}"), "s", Some("t".into()), None, "test");
        let expires = self.clock.now().after(LIFE);
        Issued::new(credentials, "AROA1:bg-1".into(), expires, Some(format!("request-{call}")))
    }
}

impl CredentialSource for Mint {
    fn prove_mfa(&mut self, _: &str, _: &Code, _: u32) -> Result<Option<String>, CallError> {
        Ok(None)
    }

    fn assume(&self, _: &Wanted) -> Result<Issued, NotIssued> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        if (self.fails)(call) {
            let call = CallError {
                action: "sts:AssumeRole",
                kind: CallKind::Denied,
                code: Some("AccessDenied".into()),
                message: "too old".into(),
                request_id: Some("request-x".into()),
            };
            return Err(NotIssued { call, certain: true });
        }
        Ok(self.issue(call))
    }
}

struct Scene {
    mint: Mint,
    vault: Arc<Vault>,
    switch: Switch,
    clock: Arc<Hands>,
    calls: Arc<AtomicU32>,
}

impl Scene {
    fn new(fails: fn(u32) -> bool) -> Self {
        let vault = Arc::new(Vault::default());
        let calls = Arc::default();
        let clock = Hands::at(NOON);
        let switch = Switch::of(Arc::clone(&vault));
        let mint = Mint { clock: clock.clone(), fails, calls: Arc::clone(&calls) };
        Self { mint, vault, switch, clock, calls }
    }

    fn around(&self) -> Around {
        let vault = Arc::clone(&self.vault);
        Around { vault, switch: self.switch.clone(), clock: self.clock.clone() }
    }

    /// Returns how long it waited.
    fn turn(&self, renewal: &mut Renewal) -> Duration {
        let wait = renewal.next().unwrap();
        self.clock.wait(wait);
        renewal.turn();
        wait
    }

    fn answer(&self) -> Answer {
        self.vault.answer(self.clock.now())
    }
}

fn wanted() -> Wanted {
    Wanted {
        role_arn: String::new(),
        session_name: String::new(),
        source_identity: String::new(),
        tags: Vec::new(),
        policy: String::new(),
        duration_s: 900,
    }
}

fn renewal(scene: Scene, window: Duration) -> (Scene, Renewal) {
    let around = scene.around();
    let first = scene.mint.issue(0);
    let calls = Arc::clone(&scene.calls);
    let mint = Mint { clock: scene.clock.clone(), fails: scene.mint.fails, calls };
    let renewal = Renewal::begin(Box::new(mint), wanted(), first, NOON.after(window), around);
    (scene, renewal)
}

fn is_renewed(notice: &Notice) -> bool {
    matches!(notice, Notice::Credentials { state: CredentialState::Renewed, .. })
}

const NOON: Stamp = Stamp(1_795_435_200_000_000);
const LIFE: Duration = Duration::from_secs(900);
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn credentials_are_renewed_before_they_die_while_the_deadline_is_ahead() {
    let (scene, mut renewal) = renewal(Scene::new(|_| false), HOUR);
    while renewal.next().is_some() {
        assert!(scene.turn(&mut renewal) < LIFE);
        assert!(matches!(scene.answer(), Answer::Credentials(_)));
    }
    let issued = scene.calls.load(Ordering::SeqCst);
    assert_eq!(issued, 5, "every ten minutes, until some outlive the hour");
    let news = scene.switch.news();
    assert!(news.iter().all(|news| is_renewed(&news.notice)));
    assert!(news.iter().all(|news| news.line.is_none()), "a responder is not bothered");
    let known = lock(&renewal.known);
    assert_eq!((known.issued, known.newest.access_key_id()), (6, "ASIA5"));
    assert!(known.expires_max >= NOON.after(HOUR));
}

#[test]
fn credentials_that_outlive_the_deadline_are_not_renewed() {
    let (scene, renewal) = renewal(Scene::new(|_| false), LIFE / 2);
    assert_eq!(renewal.next(), None);
    scene.clock.wait(LIFE / 2);
    assert!(matches!(scene.answer(), Answer::Over(_)));
    assert_eq!(scene.calls.load(Ordering::SeqCst), 0);
}

#[test]
fn a_deadline_that_moves_has_credentials_issued_anew_also_where_that_fails_at_first() {
    let (scene, mut renewal) = renewal(Scene::new(|call| call < 2), LIFE / 2);
    assert_eq!(renewal.next(), None);
    // The old ones would outlive it; what they may do ends at the deadline before.
    let deadline = NOON.after(LIFE * 3 / 4);
    renewal.obey(Order { deadline, policy: "until then".into() });
    renewal.turn();
    assert_eq!(scene.turn(&mut renewal), RETRY);
    assert_eq!((renewal.wanted.policy.as_str(), renewal.next()), ("until then", None));
    scene.clock.wait(LIFE / 2);
    assert!(matches!(scene.answer(), Answer::Credentials(_)), "after the first deadline");
    scene.clock.wait(LIFE / 4);
    assert!(matches!(scene.answer(), Answer::Over(_)));
}

#[test]
fn a_refusal_is_told_once_and_tried_again() {
    let (scene, mut renewal) = renewal(Scene::new(|call| call < 3), HOUR);
    scene.turn(&mut renewal);
    assert_eq!(scene.turn(&mut renewal), RETRY);
    assert!(!renewal.known.lock().unwrap().newest.access_key_id().ends_with('3'));
    assert_eq!(scene.turn(&mut renewal), RETRY);
    let news = scene.switch.news();
    assert_eq!(news.len(), 2, "{news:?}");
    let line = news[0].line.as_ref().unwrap();
    assert!(line.contains("no new credentials") && line.contains("request-x"), "{line}");
    assert!(line.contains("the old ones end at 12:15:00 UTC"), "{line}");
    assert!(is_renewed(&news[1].notice));
}

#[test]
fn after_the_stop_nothing_is_served_and_nothing_is_renewed() {
    let scene = Scene::new(|_| false);
    let first = scene.mint.issue(0);
    let around = scene.around();
    let Scene { mint, vault, clock, calls, .. } = scene;
    let custody =
        Custody::start(Box::new(mint), wanted(), first, NOON.after(HOUR), around).unwrap();
    let held = custody.stop();
    assert!(matches!(vault.answer(clock.now()), Answer::Over("the session is over")));
    // The thread ends, and its source with it.
    let since = Instant::now();
    while Arc::strong_count(&calls) > 1 {
        assert!(since.elapsed() < Duration::from_secs(30), "waited in vain");
        thread::yield_now();
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!((held.issued, held.expires), (1, NOON.after(LIFE)));
}
