//! Event lines, as `export` reads them.
#![no_main]

use bg_recorder::codec::{Header, Line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(line) = Line::parse(bytes) {
        std::hint::black_box(line.exact().is_ok());
    }
    std::hint::black_box(is_header(bytes));
});

fn is_header(bytes: &[u8]) -> bool {
    bg_recorder::codec::parse_header(bytes).is_ok_and(|header: Header| header.version == 2)
}
