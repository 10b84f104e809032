//! Segment headers and records: a header that decodes must encode to the same fields, a walk must end.
#![no_main]

use bg_recorder::segment::{Header, Record, Walk};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok((header, head)) = Header::decode(bytes) else { return };
    let encoded = header.encode().expect("a decoded header encodes");
    assert_eq!(Header::decode(&encoded).expect("and decodes again").0, header);
    let mut walk = Walk::new(&header, head);
    while let Ok(Record::Frame { .. }) = walk.step(bytes) {}
});
