//! The small texts that stand in larger ones: what is read is written the same, so that no two texts mean one thing.
#![no_main]

use bg_recorder::approval::pattern::list_matches;
use bg_recorder::approval::statement::{Nonce, Principal};
use bg_recorder::base64;
use bg_recorder::chain::Digest;
use bg_recorder::low_s;
use bg_recorder::neutral::neutral;
use bg_recorder::once::map;
use bg_recorder::session::{ObjectName, SessionId};
use bg_recorder::stamp::Stamp;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let low = low_s::normalise(bytes.to_vec());
    assert_eq!(low_s::normalise(low.clone()), low);
    assert!(!low_s::is_low(bytes) || low == bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(decoded) = base64::decode(text) {
        assert_eq!(base64::encode(&decoded), text);
    }
    if let Some(digest) = Digest::from_hex(text) {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(id) = text.parse::<SessionId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(name) = text.parse::<ObjectName>() {
        assert_eq!(name.to_string(), text);
    }
    let json = Value::from(text);
    if let Ok(stamp) = serde_json::from_value::<Stamp>(json.clone()) {
        assert_eq!(stamp.to_string(), text);
    }
    if let Ok(nonce) = serde_json::from_value::<Nonce>(json.clone()) {
        assert_eq!(nonce.to_string(), text);
    }
    if let Ok(who) = serde_json::from_value::<Principal>(json) {
        assert_eq!(who.to_string(), text);
        assert!(list_matches(text, text) && !list_matches(&format!("*,!{text}"), text));
    }
    let drawn = neutral(text);
    assert!(!drawn.contains(char::is_control), "{drawn:?}");
    assert_eq!(neutral(&drawn), drawn);
    // An object without a member twice is what it is to everybody.
    let once = map(&mut serde_json::Deserializer::from_str(text));
    if let (Ok(once), Ok(all)) = (once, serde_json::from_str::<Value>(text)) {
        assert_eq!(Value::from(once), all);
    }
});
