//! Bytes of a terminal as a person sees them: without control sequences.

use zeroize::Zeroizing;

/// Yields the bytes that are text, tabs and line ends; skips control sequences (ECMA-48) and other controls.
#[derive(Clone, Copy)]
pub struct Visible<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Visible<'a> {
    /// Takes raw bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, left: usize::MAX }
    }

    /// Returns the run of such bytes that begins here, and at most `max` of it.
    pub fn run(mut self, is: impl Fn(u8) -> bool, max: usize) -> Zeroizing<Vec<u8>> {
        self.left = self.left.min(max);
        let mut run = Zeroizing::new(Vec::with_capacity(max.min(RUN_EXPECTED)));
        run.extend(self.take_while(|b| is(*b)));
        run
    }

    /// Returns what follows `count` visible bytes.
    #[must_use]
    pub fn skip(mut self, count: usize) -> Self {
        for _ in 0..count {
            self.next();
        }
        self
    }

    /// Returns no more than `count` visible bytes of it.
    #[must_use]
    pub fn upto(self, count: usize) -> Self {
        Self { left: self.left.min(count), ..self }
    }

    /// Moves to the next run of such bytes and behind it, and returns it.
    pub fn next_run(&mut self, is: impl Fn(u8) -> bool) -> Option<Zeroizing<Vec<u8>>> {
        let first = self.find(|b| is(*b))?;
        let mut run = Zeroizing::new(Vec::with_capacity(RUN_EXPECTED));
        run.push(first);
        run.extend(self.by_ref().take_while(|b| is(*b)));
        Some(run)
    }
}

impl Iterator for Visible<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        loop {
            let (&first, rest) = self.bytes.split_first().filter(|_| self.left > 0)?;
            self.bytes = rest;
            match first {
                ESC => self.bytes = after_sequence(rest),
                b'\n' | b'\r' | b'\t' | 0x20..=0x7e | 0x80.. => {
                    self.left -= 1;
                    return Some(first);
                }
                _ => {}
            }
        }
    }
}

/// Returns what follows the control sequence whose ESC was just read.
fn after_sequence(bytes: &[u8]) -> &[u8] {
    let behind = |end: Option<usize>| end.and_then(|end| bytes.get(end + 1..)).unwrap_or_default();
    match bytes.first() {
        // CSI: parameters, intermediates, one final byte.
        Some(b'[') => {
            behind(bytes.iter().skip(1).position(|b| (0x40..=0x7e).contains(b)).map(|at| at + 1))
        }
        // OSC, DCS, PM, APC: up to BEL, or ESC \, whose backslash is left.
        Some(b']' | b'P' | b'^' | b'_') => {
            let end = bytes.iter().position(|b| matches!(*b, BEL | ESC));
            let end = end.map(|at| if bytes.get(at) == Some(&ESC) { at + 1 } else { at });
            behind(end)
        }
        // Two characters, or more with intermediates.
        Some(_) => behind(bytes.iter().position(|b| !(0x20..=0x2f).contains(b))),
        None => bytes,
    }
}

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
/// Room for most runs at once.
const RUN_EXPECTED: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_not_seen() {
        let raw =
            b"\x1b[0;32mAK\x1b[1mIA\x1b]0;title\x07x\x1b]8;;u\x1b\\y\x1b(Bz\0\x08\r\n\x1b=w\x1b[3";
        assert_eq!(Visible::new(raw).collect::<Vec<u8>>(), b"AKIAxyz\r\nw");
    }

    #[test]
    fn runs_are_bounded() {
        let mut seen = Visible::new(b"  abc--defg").upto(8);
        assert_eq!(*seen.next_run(|b| b.is_ascii_alphabetic()).unwrap(), b"abc");
        assert_eq!(*seen.run(|b| b == b'-', 9), b"-", "the first ended the run");
        assert_eq!(*seen.next_run(|b| b.is_ascii_alphabetic()).unwrap(), b"d");
    }
}
