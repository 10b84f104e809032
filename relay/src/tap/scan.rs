//! Finds secrets in a stream, wherever its chunks are cut.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};
use bg_recorder::stamp::Stamp;
use zeroize::Zeroizing;

use super::patterns::{AHEAD, BEFORE, NEEDLES, Needle, Secret};
use super::visible::Visible;

/// Searches a stream. It keeps the last few bytes, or more from the first word on that waits for what follows it.
#[derive(Default)]
pub struct Scanner {
    kept: Zeroizing<Vec<u8>>,
    /// The offset of the first kept byte.
    start: u64,
    /// Words that begin before this place in `kept` have been looked at.
    looked: usize,
    /// A word in `kept` waits for more bytes.
    waiting: bool,
    /// Up to which offset bytes had come when, while something waits.
    times: Vec<(u64, Stamp)>,
    /// When the last bytes came.
    now_us: u64,
}

/// A secret with its place.
#[derive(Debug, Clone)]
pub struct Hit {
    /// What was found.
    pub secret: Secret,
    /// When its first bytes came.
    pub at: Stamp,
    /// The offset of the word that gave it away.
    pub offset: u64,
}

impl Scanner {
    /// Takes the next bytes, and when they came; returns what is certain now.
    pub fn feed(&mut self, bytes: &[u8], now: Stamp) -> Vec<Hit> {
        self.now_us = now.0;
        if !self.waiting && !self.straddles(bytes) && !any_word(bytes) {
            self.pass(bytes);
            return Vec::new();
        }
        self.kept.extend_from_slice(bytes);
        self.note_time();
        self.look(AHEAD)
    }

    /// Looks at what waits; no more bytes will come.
    pub fn finish(&mut self) -> Vec<Hit> {
        self.look(0)
    }

    /// Returns whether a word stands across what is kept and these.
    fn straddles(&self, bytes: &[u8]) -> bool {
        let mut seam = [0; 2 * WORD_MAX];
        let last = self.kept.get(self.kept.len().saturating_sub(WORD_MAX)..).unwrap_or_default();
        let first = bytes.get(..bytes.len().min(WORD_MAX)).unwrap_or_default();
        for (to, from) in seam.iter_mut().zip(last.iter().chain(first)) {
            *to = *from;
        }
        any_word(&seam)
    }

    /// Lets bytes pass in which no word begins, but perhaps at their end.
    fn pass(&mut self, bytes: &[u8]) {
        let last = bytes.get(bytes.len().saturating_sub(BEFORE + WORD_MAX)..).unwrap_or_default();
        if last.len() < bytes.len() {
            self.start += (self.kept.len() + bytes.len() - last.len()) as u64;
            self.kept.clear();
        }
        self.kept.extend_from_slice(last);
        self.keep_from(self.kept.len().saturating_sub(WORD_MAX));
    }

    /// Keeps what begins there, and what a word there may need before it.
    fn keep_from(&mut self, place: usize) {
        let gone = place.saturating_sub(BEFORE);
        self.kept.drain(..gone);
        self.start += gone as u64;
        self.looked = place - gone;
    }

    fn note_time(&mut self) {
        let end = self.start + self.kept.len() as u64;
        let now = Stamp(self.now_us);
        match self.times.last_mut() {
            Some((known, at)) if now.0.saturating_sub(at.0) < SAME_TIME_US => *known = end,
            _ => self.times.push((end, now)),
        }
    }

    /// Looks at every word that has `ahead` bytes from its beginning on; the first that has not waits.
    fn look(&mut self, ahead: usize) -> Vec<Hit> {
        let words = words(&self.kept, self.looked);
        let decided = words.iter().take_while(|(at, _)| at + ahead <= self.kept.len()).count();
        let hits =
            words.iter().take(decided).flat_map(|(at, needle)| self.look_at(*at, needle)).collect();
        let waits = words.get(decided).map(|(at, _)| *at);
        self.waiting = waits.is_some();
        self.keep_from(
            waits.unwrap_or_else(|| self.looked.max(self.kept.len().saturating_sub(WORD_MAX))),
        );
        if !self.waiting {
            self.times.clear();
        }
        hits
    }

    fn look_at(&self, at: usize, needle: &Needle) -> Vec<Hit> {
        let offset = self.start + at as u64;
        let before = self.kept.get(at.saturating_sub(BEFORE)..at).unwrap_or_default();
        let before: Vec<u8> = Visible::new(before).collect();
        let end = self.kept.len().min(at + AHEAD);
        let found =
            (needle.look)(&before, Visible::new(self.kept.get(at..end).unwrap_or_default()));
        let came = self.times.iter().find(|(end, _)| *end > offset).map(|(_, at)| *at);
        let at = came.unwrap_or(Stamp(self.now_us));
        found.into_iter().map(|secret| Hit { secret, at, offset }).collect()
    }
}

/// Lists the words in bytes, in the order of their places.
fn words(bytes: &[u8], from: usize) -> Vec<(usize, &'static Needle)> {
    let mut words = Vec::new();
    let mut at = from;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty())
        && let Some(next) = next_word(rest)
    {
        at += next;
        let begins =
            |needle: &&Needle| bytes.get(at..).is_some_and(|rest| rest.starts_with(needle.word));
        words.extend(NEEDLES.iter().filter(begins).map(|needle| (at, needle)));
        at += 1;
    }
    words
}

fn any_word(bytes: &[u8]) -> bool {
    next_word(bytes).is_some()
}

/// Returns the first place where a word may begin: all words are looked for in one pass.
fn next_word(bytes: &[u8]) -> Option<usize> {
    static WORDS: OnceLock<Option<AhoCorasick>> = OnceLock::new();
    let searcher = WORDS.get_or_init(|| {
        let words = NEEDLES.each_ref().map(|needle| needle.word);
        AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(words).ok()
    });
    // Without a searcher, which only takes memory, each place is looked at.
    searcher.as_ref().map_or(Some(0), |searcher| searcher.find(bytes).map(|found| found.start()))
}

impl std::fmt::Debug for Scanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scanner({} kept, ..)", self.kept.len())
    }
}

/// The longest word has fewer bytes.
const WORD_MAX: usize = 20;
/// Bytes that came within this time of each other came together.
const SAME_TIME_US: u64 = 100_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::patterns::SecretKind;
    use super::*;

    const NOW: Stamp = Stamp(1_795_413_600_000_000);
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

    fn scan<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<(SecretKind, String, u64)> {
        let mut scanner = Scanner::default();
        let mut hits: Vec<Hit> =
            chunks.into_iter().flat_map(|chunk| scanner.feed(chunk, NOW)).collect();
        hits.extend(scanner.finish());
        hits.into_iter()
            .map(|hit| (hit.secret.kind, hit.secret.text.to_string(), hit.offset))
            .collect()
    }

    fn kinds(text: &str) -> Vec<SecretKind> {
        scan([text.as_bytes()]).into_iter().map(|(kind, ..)| kind).collect()
    }

    #[test]
    fn each_kind_is_found() {
        let token = "IQoJb3JpZ2luX2VjE".repeat(20);
        for (text, expected) in [
            ("id AKIAIOSFODNN7EXAMPLE.", vec![SecretKind::AwsAccessKeyId]),
            ("\"ASIAIOSFODNN7EXAMPLE\"", vec![SecretKind::AwsTemporaryKeyId]),
            (
                &format!("AKIAIOSFODNN7EXAMPLE\t{SECRET}\n"),
                vec![SecretKind::AwsAccessKeyId, SecretKind::AwsSecretKey],
            ),
            (
                &format!("\x1b[34;1m\"SecretAccessKey\"\x1b[0m: \x1b[32m\"{SECRET}\""),
                vec![SecretKind::AwsSecretKey],
            ),
            (&format!("AWS_SECRET_ACCESS_KEY={SECRET}"), vec![SecretKind::AwsSecretKey]),
            (&format!("aws_session_token = {token}"), vec![SecretKind::AwsSessionToken]),
            (
                &format!("-----BEGIN OPENSSH PRIVATE KEY-----\r\n{token}\r\n"),
                vec![SecretKind::PrivateKey],
            ),
            (&format!("ghp_{}", "a1B2".repeat(9)), vec![SecretKind::GithubToken]),
            (&format!("github_pat_{}", "a1B2_".repeat(9)), vec![SecretKind::GithubToken]),
            ("xoxb-123456789012-abcdefABCDEF", vec![SecretKind::SlackToken]),
            (
                "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVP-mB92K27uhbUJU1p1r",
                vec![SecretKind::Jwt],
            ),
        ] {
            assert_eq!(kinds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn what_only_looks_a_little_like_it_is_not() {
        for text in [
            "AKIA",
            "XAKIAIOSFODNN7EXAMPLE",
            "AKIAIOSFODNN7EXAMPLEX",
            "AKIAIOSFODNN7exampl",
            "SecretAccessKey must have 40 characters",
            "ghp_short",
            "eyJhbGciOi.x.y",
            "xoxo-hugs-and-kisses",
            "-----BEGIN RSA PRIVATE KEY-----\n",
            "-----END RSA PRIVATE KEY-----\n",
            "secret_access_key da39a3ee5e6b4b0d3255bfef95601890afd80709",
        ] {
            assert_eq!(kinds(text), [], "{text:?}");
        }
    }

    #[test]
    fn a_word_that_never_ends_keeps_memory_bounded() {
        let mut scanner = Scanner::default();
        for _ in 0..200 {
            scanner.feed(&b"AKIA".repeat(10_000), NOW);
            scanner.feed(&b"\x1b[".repeat(10_000), NOW);
            assert!(scanner.kept.len() < 100_000, "{}", scanner.kept.len());
        }
    }

    proptest! {
        /// Whatever is planted is found, at the same place, however the stream is cut.
        #[test]
        fn cuts_change_nothing(
            parts in prop::collection::vec(prop_oneof![
                Just("AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\r\n".to_owned()),
                Just("\x1b[32mghp_0123456789abcdefghijABCDEFGHIJ012345\x1b[0m ".to_owned()),
                Just("ecret_access_key".to_owned()),
                Just("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dBjftJeZ4CVPmB92K27u ".to_owned()),
                "[ -~\r\n\x1b]{0,200}",
                "(some line of a log\r\n){0,400}",
            ], 0..12),
            cuts in prop::collection::vec(0usize..8_000, 0..40),
        ) {
            let text = parts.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]);
            prop_assert_eq!(scan(chunks), scan([&text[..]]));
        }

        #[test]
        fn a_planted_key_is_found_wherever_it_is_split(before in "[a-z \r\n]{0,300}", at in 0usize..400, size in 1usize..50) {
            let text = format!("{before}\nAKIAIOSFODNN7EXAMPLE {SECRET}\r\n$ ").into_bytes();
            let (first, rest) = text.split_at(at.min(text.len()));
            let found = scan(std::iter::once(first).chain(rest.chunks(size)));
            prop_assert_eq!(found.len(), 2);
            prop_assert_eq!(found[0].2, before.len() as u64 + 1);
            prop_assert_eq!(&found[1].1, SECRET);
        }
    }
}
