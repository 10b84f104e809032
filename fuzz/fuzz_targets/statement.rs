//! What people sign, and what a genesis says of it: requests, decisions, claims, extensions, `about.access`. What is
//! read is written and read again as the same; an access that was approved reads as approved for its session only.
#![no_main]

use std::fmt::Debug;

use bg_recorder::approval::access::Access;
use bg_recorder::approval::extension::Extension;
use bg_recorder::approval::quorum::check;
use bg_recorder::approval::request::Request;
use bg_recorder::approval::statement::Statement;
use bg_recorder::approval::taking::Taking;
use bg_recorder::session::SessionId;
use bg_recorder::stamp::Stamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    again(bytes, Request::parse, Request::write);
    again(bytes, Statement::parse, Statement::write);
    again(bytes, Taking::parse, Taking::write);
    again(bytes, Extension::parse, Extension::write);
    if let Ok(access) = serde_json::from_slice::<Access>(bytes) {
        let session = SessionId::from_bytes(*b"not its session!");
        assert!(check(&access, session, Stamp(1_795_413_600_000_000)).is_err());
    }
});

fn again<T: Debug + PartialEq, E: Debug>(
    bytes: &[u8],
    parse: fn(&[u8]) -> Result<T, E>,
    write: fn(&T) -> Result<Vec<u8>, E>,
) {
    if let Ok(read) = parse(bytes) {
        // Escapes may make the same text longer than what was read.
        if let Ok(written) = write(&read) {
            assert_eq!(parse(&written).expect("our own"), read);
        }
    }
}
