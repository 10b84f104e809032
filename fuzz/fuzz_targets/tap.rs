//! What the report hears of a session: cuts change nothing, no found secret is in what is kept, and it fits a fact.
//!
//! The first byte says how long chunks are; the rest is output and, mirrored, input.
#![no_main]

use bg_recorder::stamp::Stamp;
use bg_relay::tap::{Seen, Tap};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // What a report reads of it, from a store that somebody may have written to.
    if let Ok(seen) = serde_json::from_slice::<Seen>(bytes) {
        let again = serde_json::to_vec(&seen).expect("JSON");
        assert_eq!(serde_json::from_slice::<Seen>(&again).expect("our own"), seen);
    }
    let Some((size, text)) = bytes.split_first() else { return };
    let whole = heard([text]);
    let cut = heard(text.chunks(usize::from(*size).max(1)));
    assert_eq!(whole, cut);
});

/// Returns what was heard, without times.
fn heard<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<String>, Vec<(String, String, u64)>, u64, u64) {
    let mut tap = Tap::default();
    for chunk in chunks {
        tap.shown(chunk, Stamp(0));
        tap.typed(chunk, Stamp(0));
    }
    let Seen { commands, commands_more, exposures, exposures_more } = tap.finish();
    let json = serde_json::to_string(&commands).expect("JSON");
    assert!(json.len() < 262_144);
    let exposures: Vec<_> = exposures
        .into_iter()
        .map(|exposure| {
            (format!("{:?} {:?}", exposure.kind, exposure.stream), exposure.sha256, exposure.offset)
        })
        .collect();
    let mut exposures = exposures;
    exposures.sort();
    let commands = commands.into_iter().map(|typed| typed.line).collect();
    (commands, exposures, commands_more, exposures_more)
}
