//! A bucket, seen directly: what the store promises, whatever else writes there or fails.

use std::sync::{Arc, Barrier};

use bg_recorder::store::{ObjectStore as _, StoreError};
use serde_json::Value;

use crate::cloud::public_key;
use crate::support::bucket::{edge, record, replay, store, weed};
use crate::support::emulator::Cloud;
use crate::support::second::Second;
use crate::support::tape::Tape;
use crate::support::wire::{Fault, Wire};
use crate::support::world::World;

#[test]
fn of_twenty_racing_puts_one_wins() {
    let cloud = Cloud::shared();
    let store = Arc::new(weed(cloud, "race"));
    for round in 0..5 {
        let start = Arc::new(Barrier::new(20));
        let puts: Vec<_> = (0..20u8)
            .map(|n| {
                let store = Arc::clone(&store);
                let start = Arc::clone(&start);
                std::thread::spawn(move || {
                    start.wait();
                    store.put_new(&format!("claims/{round}"), &[n; 100])
                })
            })
            .collect();
        let results: Vec<_> = puts.into_iter().map(|put| put.join().unwrap()).collect();
        let won: Vec<_> = (0..20u8).filter(|n| results[usize::from(*n)].is_ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        assert!(
            results.iter().all(|put| matches!(put, Ok(()) | Err(StoreError::Exists(_)))),
            "{results:?}"
        );
        assert_eq!(store.get(&format!("claims/{round}"), 100).unwrap(), [won[0]; 100]);
    }
}

#[test]
fn a_bucket_behaves_as_a_directory_does() {
    let store = weed(Cloud::shared(), "behaves");
    for n in 0..1_100u32 {
        store.put_new(&format!("many/{n:05}"), b"x").unwrap();
    }
    let many = store.list("many/").unwrap();
    assert_eq!(many.len(), 1_100, "more than a page");
    assert!(many.is_sorted() && many[7].key == "many/00007" && many[7].len == 1);
    assert_eq!(store.list("man/").unwrap(), [], "a prefix ends with a slash");
    store.put_new("a/b", b"one").unwrap();
    assert!(matches!(store.put_new("a/b", b"one"), Err(StoreError::Exists(_))));
    assert_eq!(store.get("a/b", 3).unwrap(), b"one");
    assert!(matches!(store.get("a/b", 2), Err(StoreError::TooLarge(_))));
    assert!(matches!(store.get("a/c", 2), Err(StoreError::Missing(_))));
    for key in ["../x", "/etc/passwd", "a/../b", "a//b", "a/", "", "./a"] {
        assert!(matches!(store.get(key, 1), Err(StoreError::NotAKey(_))), "{key}");
        assert!(matches!(store.put_new(key, b""), Err(StoreError::NotAKey(_))), "{key}");
    }
}

#[test]
fn a_lost_answer_is_no_lost_race() {
    let cloud = Cloud::shared();
    let wire = Wire::to(cloud.weed.port);
    let mine = store(&edge(&wire.endpoint()), "lost");
    let direct = weed(cloud, "lost");
    wire.fault_once(|request| request.method == "PUT", Fault::ResetAnswer);
    mine.put_new("claims/1", b"mine").unwrap();
    assert_eq!(
        direct.get("claims/1", 9).unwrap(),
        b"mine",
        "stored by the attempt whose answer was lost"
    );
    direct.put_new("claims/2", b"theirs").unwrap();
    wire.fault_once(|request| request.method == "PUT", Fault::ResetAnswer);
    assert!(matches!(mine.put_new("claims/2", b"mine"), Err(StoreError::Exists(_))));
    assert!(
        matches!(mine.put_new("claims/1", b"mine"), Err(StoreError::Exists(_))),
        "one attempt: not ours"
    );
}

#[test]
fn objects_are_locked_where_that_is_configured() {
    let cloud = Cloud::shared();
    cloud.owner("s3.create_bucket(Bucket='locked', ObjectLockEnabledForBucket=True)");
    let lock = "object_lock = \"governance\"\nobject_lock_days = 2\n";
    let evidence = cloud.versioned("tapes").replace("s3://versioned", "s3://locked") + lock;
    let world = cloud.world("recorder", &evidence);
    record(&world, "echo kept");
    assert_eq!(replay(&world, &["verify", "last"]).0, 0);
    let modes = cloud.owner(
        "import datetime
for entry in s3.list_objects_v2(Bucket='locked', Prefix='tapes/sessions')['Contents']:
    head = s3.head_object(Bucket='locked', Key=entry['Key'], ChecksumMode='ENABLED')
    days = (head['ObjectLockRetainUntilDate'] - datetime.datetime.now(datetime.timezone.utc)).total_seconds() / 86400
    print(head['ObjectLockMode'], round(days, 1), len(head['ChecksumSHA256']), head['ContentType'])",
    );
    assert!(modes.lines().count() >= 4, "{modes}");
    assert!(
        modes.lines().all(|line| line == "GOVERNANCE 2.0 44 application/octet-stream"),
        "{modes}"
    );
}

#[test]
fn a_second_version_and_a_delete_marker_are_found() {
    let cloud = Cloud::shared();
    let world = cloud.world("recorder", &cloud.versioned("twice"));
    record(&world, "echo once");
    assert_eq!(replay(&world, &["verify", "last"]).0, 0);
    // The same bytes again: nothing but the versions can show it.
    cloud.owner(
        "key = s3.list_objects_v2(Bucket='versioned', Prefix='twice/sessions')['Contents'][-1]['Key']
s3.put_object(Bucket='versioned', Key=key, Body=s3.get_object(Bucket='versioned', Key=key)['Body'].read())",
    );
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 1 && verdict.contains("more than one version"), "{verdict}");
    let world = cloud.world("recorder", &cloud.versioned("gone"));
    record(&world, "echo gone");
    cloud.owner(
        "key = s3.list_objects_v2(Bucket='versioned', Prefix='gone/sessions')['Contents'][-1]['Key']
s3.delete_object(Bucket='versioned', Key=key)",
    );
    let (code, verdict, _) = replay(&world, &["verify", "last"]);
    assert!(code == 1 && verdict.contains("a delete marker"), "{verdict}");
    // The whole of the host's only session: no later one is there to miss it.
    cloud.owner(
        "for entry in s3.list_objects_v2(Bucket='versioned', Prefix='gone/sessions')['Contents']:
    s3.delete_object(Bucket='versioned', Key=entry['Key'])",
    );
    let (code, _, said) = replay(&world, &["verify", "--all"]);
    assert!(
        code == 1 && said.contains("over all sessions: ") && said.contains("a delete marker"),
        "{said}"
    );
}

#[test]
fn what_is_written_over_an_object_hides_nothing_of_it() {
    let cloud = Cloud::shared();
    let world = cloud.world("recorder", &cloud.versioned("over"));
    record(&world, "echo first; sleep 1.2; echo second; sleep 1.2; echo third");
    cloud.configure(&world, "auditor", &cloud.versioned("over"));
    let before = verified(&world);
    assert_eq!(before["verdict"], "intact", "{before}");
    let good = before["frames"].as_u64().unwrap();
    assert!(before["segments"].as_u64() >= Some(3), "{before}");
    cloud.owner(
        "keys = [o['Key'] for o in s3.list_objects_v2(Bucket='versioned', Prefix='over/sessions')['Contents']]
key = lambda end: next(key for key in keys if key.endswith(end))
def again(end, change):
    body = bytearray(s3.get_object(Bucket='versioned', Key=key(end))['Body'].read())
    s3.put_object(Bucket='versioned', Key=key(end), Body=bytes(change(body)))
def changed(body):
    body[-60] ^= 1
    return body
again('segments/0000000001', changed)
again('checkpoints/0000000001', lambda body: body.replace(b'\"frames\":', b'\"frames\": '))
again('seal', lambda body: b'garbage')
again('genesis', lambda body: body.replace(b'a test', b'a joke'))
s3.delete_object(Bucket='versioned', Key=key('segments/0000000000'))
s3.delete_object(Bucket='versioned', Key=key('checkpoints/0000000002'))",
    );
    let after = verified(&world);
    assert_eq!(
        (&after["verdict"], after["frames"].as_u64()),
        (&"broken".into(), Some(good)),
        "{after}"
    );
    let findings = after["findings"].as_array().unwrap();
    assert!(findings.iter().all(|finding| finding["kind"] == "fault"), "{after}");
    let of = |what: &str| {
        findings
            .iter()
            .filter(|finding| finding["what"].as_str().unwrap().starts_with(what))
            .count()
    };
    assert_eq!((of("more than one version"), of("a delete marker")), (4, 2), "{after}");
    let (code, shown, said) = replay(&world, &["cat", "last", "--up-to-break"]);
    assert_eq!((code, shown.as_str()), (0, "first\nsecond\nthird\n"), "{said}");
    // The second verifier reads directories: the versions that are read are a whole tape, and the newest are none.
    let trust = world.home().join("sign.pem");
    std::fs::write(&trust, public_key(cloud)).unwrap();
    for (which, verdict) in [("-1", "intact"), ("0", "broken")] {
        let dir = world.home().join(which);
        let tape = cloud.owner(&format!(
            "import os
below = 'over/sessions'
tape = set()
for key in {{v['Key'] for v in s3.list_object_versions(Bucket='versioned', Prefix=below)['Versions']}}:
    versions = s3.list_object_versions(Bucket='versioned', Prefix=key)['Versions']
    path = os.path.join({dir:?}, key)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    body = s3.get_object(Bucket='versioned', Key=key, VersionId=versions[{which}]['VersionId'])['Body']
    open(path, 'wb').write(body.read())
    tape.add('/'.join(path.split('/sessions/')[0:1] + ['sessions'] + path.split('/sessions/')[1].split('/')[:4]))
print(tape.pop())"
        ));
        let tape = Tape { dir: tape.trim().into(), practice: world.practice() };
        assert_eq!(Second::verdicts(&trust, &[tape]), [verdict]);
    }
}

fn verified(world: &World) -> Value {
    let (_, said, error) = replay(world, &["verify", "last", "--json"]);
    serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}{error}"))
}
