//! A gate, over an account in memory and a store in a directory.

use std::cell::RefCell;
use std::time::Duration;

use bg_recorder::dir::DirStore;
use bg_recorder::keys::local::LocalKeys;

use super::*;
use crate::os::hands::Hands;

/// A gate that remembers how it stands; somebody may come while it is being shut, or go while it is opened.
#[derive(Default)]
struct Remembered {
    open: RefCell<bool>,
    meanwhile: RefCell<Option<Box<dyn FnOnce()>>>,
    before_it_opens: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Hinge for Remembered {
    fn open(&self) -> Result<(), CallError> {
        if let Some(meanwhile) = self.before_it_opens.borrow_mut().take() {
            meanwhile();
        }
        *self.open.borrow_mut() = true;
        Ok(())
    }

    fn shut(&self) -> Result<(), CallError> {
        if let Some(meanwhile) = self.meanwhile.borrow_mut().take() {
            meanwhile();
        }
        *self.open.borrow_mut() = false;
        Ok(())
    }
}

struct Place(tempfile::TempDir, LocalKeys, Arc<Hands>);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys = LocalKeys::open_or_create(&dir.path().join("keys")).unwrap();
        Self(dir, keys, Hands::at(Stamp(NOON_US)))
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(DirStore::new(self.0.path().join("evidence")))
    }

    fn door<'a>(&'a self, hinge: &'a Remembered) -> Door<'a> {
        let prefix = "gates/1-r/".into();
        Door { hinge, prefix, store: self.store(), keys: &self.1, clock: &*self.2 }
    }
}

const NOON_US: u64 = 1_795_435_200_000_000;
const FAR: Stamp = Stamp(4_000_000_000_000_000);

#[test]
fn the_last_one_shuts_the_gate_and_nobody_before() {
    let place = Place::new();
    let hinge = Remembered::default();
    let door = place.door(&hinge);
    let one = SessionId::mint();
    let two = SessionId::mint();
    door.open(one, FAR).unwrap();
    door.open(two, FAR).unwrap();
    assert_eq!(door.close(one).unwrap(), GateStanding::Needed(1));
    assert!(*hinge.open.borrow());
    assert_eq!(door.close(two).unwrap(), GateStanding::Closed);
    assert!(!*hinge.open.borrow());
    assert_eq!(door.close(two).unwrap(), GateStanding::Closed, "twice is as once");
}

#[test]
fn who_opens_while_another_one_shuts_finds_it_open() {
    let place = Place::new();
    let hinge = Remembered::default();
    let door = place.door(&hinge);
    let one = SessionId::mint();
    let two = SessionId::mint();
    door.open(one, FAR).unwrap();
    let other = Place(
        tempfile::tempdir().unwrap(),
        LocalKeys::open_or_create(&place.0.path().join("keys")).unwrap(),
        Arc::clone(&place.2),
    );
    let store = place.store();
    *hinge.meanwhile.borrow_mut() = Some(Box::new(move || {
        let hinge = Remembered::default();
        let Place(_, keys, clock) = &other;
        let prefix = "gates/1-r/".into();
        Door { hinge: &hinge, prefix, store, keys, clock: &**clock }.open(two, FAR).unwrap();
    }));
    assert_eq!(door.close(one).unwrap(), GateStanding::Needed(1));
    assert!(*hinge.open.borrow());
}

#[test]
fn who_comes_and_goes_while_another_one_shuts_leaves_it_shut() {
    let place = Place::new();
    let hinge = Remembered::default();
    let door = place.door(&hinge);
    let one = SessionId::mint();
    let two = SessionId::mint();
    door.open(one, FAR).unwrap();
    let other = Arc::new(Place(
        tempfile::tempdir().unwrap(),
        LocalKeys::open_or_create(&place.0.path().join("keys")).unwrap(),
        Arc::clone(&place.2),
    ));
    let store = place.store();
    let theirs = move |act: fn(&Door<'_>, SessionId)| -> Box<dyn FnOnce()> {
        let other = Arc::clone(&other);
        let store = Arc::clone(&store);
        Box::new(move || {
            let hinge = Remembered::default();
            let Place(_, keys, clock) = &*other;
            let prefix = "gates/1-r/".into();
            act(&Door { hinge: &hinge, prefix, store, keys, clock: &**clock }, two);
        })
    };
    *hinge.meanwhile.borrow_mut() = Some(theirs(|door, two| door.open(two, FAR).unwrap()));
    *hinge.before_it_opens.borrow_mut() = Some(theirs(|door, two| {
        assert_eq!(door.close(two).unwrap(), GateStanding::Closed);
    }));
    assert_eq!(door.close(one).unwrap(), GateStanding::Closed);
    assert!(!*hinge.open.borrow(), "nobody holds it any more");
}

#[test]
fn a_dead_session_holds_no_gate() {
    let place = Place::new();
    let hinge = Remembered::default();
    let door = place.door(&hinge);
    let one = SessionId::mint();
    let crashed = SessionId::mint();
    let dead_by = place.2.now().after(Duration::from_secs(3_600));
    door.open(crashed, dead_by).unwrap();
    door.open(one, FAR).unwrap();
    assert_eq!(door.close(one).unwrap(), GateStanding::Needed(1));
    place.2.wait(Duration::from_secs(3_600));
    assert_eq!(door.close(one).unwrap(), GateStanding::Closed);
}

#[test]
fn who_cannot_sign_shuts_no_gate_before_a_colleague() {
    let place = Place::new();
    let hinge = Remembered::default();
    let door = place.door(&hinge);
    let one = SessionId::mint();
    let two = SessionId::mint();
    door.open(one, FAR).unwrap();
    door.open(two, FAR).unwrap();
    place.store().put_new(&format!("gates/1-r/{two}/closed"), b"junk").unwrap();
    assert_eq!(door.close(one).unwrap(), GateStanding::Needed(1));
    assert!(*hinge.open.borrow());
    assert_eq!(
        door.close(two).unwrap(),
        GateStanding::Closed,
        "its own word is not needed for itself"
    );
}

#[test]
fn what_cannot_be_read_holds_the_gate_open() {
    let place = Place::new();
    let hinge = Remembered::default();
    let door = place.door(&hinge);
    let one = SessionId::mint();
    place.store().put_new(&format!("gates/1-r/{}/open", SessionId::mint()), b"junk").unwrap();
    door.open(one, FAR).unwrap();
    assert_eq!(door.close(one).unwrap(), GateStanding::Needed(1));
}
