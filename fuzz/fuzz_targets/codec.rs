//! Any bytes in any chunks come back exactly: the first byte of each chunk says how long it is.
#![no_main]

use bg_recorder::codec::{Encoder, Line};
use bg_recorder::event::Event;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut encoder = Encoder::default();
    let mut lines = Vec::new();
    let mut given = Vec::new();
    let mut rest = bytes;
    while let Some((len, more)) = rest.split_first() {
        let (chunk, more) = more.split_at((*len as usize).min(more.len()));
        encoder.event(given.len() as u64, Event::Output(chunk), &mut lines);
        given.extend_from_slice(chunk);
        rest = more;
    }
    let lines: Vec<Line> = lines
        .split_inclusive(|b| *b == b'\n')
        .map(|l| Line::parse(&l[..l.len() - 1]).expect("our own line"))
        .collect();
    let mut back = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        match (line.code, lines.get(at + 1)) {
            ('B', _) => back.extend(line.exact().expect("our own base64")),
            ('o', Some(next)) if next.code == 'B' => {}
            _ => back.extend_from_slice(line.data.as_bytes()),
        }
    }
    assert_eq!(back, given);
});
