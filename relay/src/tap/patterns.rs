//! What secrets look like.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::visible::Visible;

/// A kind of secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretKind {
    /// The id of an IAM user's access key.
    AwsAccessKeyId,
    /// The id of temporary credentials.
    AwsTemporaryKeyId,
    /// A secret access key.
    AwsSecretKey,
    /// The token of temporary credentials.
    AwsSessionToken,
    /// A private key, PEM.
    PrivateKey,
    /// A token of GitHub.
    GithubToken,
    /// A token of Slack.
    SlackToken,
    /// A JSON Web Token.
    Jwt,
}

/// A secret that was found. Its text is zeroed when dropped.
#[derive(Clone)]
pub struct Secret {
    /// What it looks like.
    pub kind: SecretKind,
    /// Its text.
    pub text: Zeroizing<String>,
    /// The access key id that it stood next to.
    pub key_id: Option<String>,
}

impl Secret {
    fn new(kind: SecretKind, text: &[u8]) -> Self {
        Self {
            kind,
            text: Zeroizing::new(String::from_utf8_lossy(text).into_owned()),
            key_id: None,
        }
    }

    /// Returns what may be told of it: an access key id is a name and no secret.
    pub fn masked(&self) -> String {
        if matches!(self.kind, SecretKind::AwsAccessKeyId | SecretKind::AwsTemporaryKeyId) {
            return self.text.to_string();
        }
        let count = self.text.chars().count();
        // All keys of one kind begin alike.
        if count < 4 * MASK || self.kind == SecretKind::PrivateKey {
            return "…".to_owned();
        }
        let first = self.text.chars().take(MASK);
        let last = self.text.chars().skip(count - MASK);
        first.chain(['…']).chain(last).collect()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secret({:?}, {})", self.kind, self.masked())
    }
}

/// A word that can be the beginning of a secret, or stand before one.
pub struct Needle {
    /// The word, exactly so.
    pub word: &'static [u8],
    /// Looks at what stands before the word, and at it and what follows.
    pub look: fn(before: &[u8], at: Visible<'_>) -> Vec<Secret>,
}

fn access_key(before: &[u8], at: Visible<'_>) -> Vec<Secret> {
    let id = at.run(key_id_byte, KEY_ID_LEN + 1);
    if id.len() != KEY_ID_LEN || before.last().copied().is_some_and(key_id_byte) {
        return Vec::new();
    }
    let kind = if id.starts_with(b"AKIA") {
        SecretKind::AwsAccessKeyId
    } else {
        SecretKind::AwsTemporaryKeyId
    };
    let key = Secret::new(kind, &id);
    let mut rest = at.skip(KEY_ID_LEN).upto(NEXT_TO);
    let secret = std::iter::from_fn(|| rest.next_run(base64_byte)).find(|run| is_secret_key(run));
    let secret = secret.map(|run| Secret {
        key_id: Some(key.text.to_string()),
        ..Secret::new(SecretKind::AwsSecretKey, &run)
    });
    [key].into_iter().chain(secret).collect()
}

fn labelled_key(_: &[u8], at: Visible<'_>) -> Vec<Secret> {
    let run = labelled(at);
    if is_secret_key(&run) { vec![Secret::new(SecretKind::AwsSecretKey, &run)] } else { Vec::new() }
}

fn labelled_token(_: &[u8], at: Visible<'_>) -> Vec<Secret> {
    let run = labelled(at);
    if run.len() < TOKEN_MIN {
        Vec::new()
    } else {
        vec![Secret::new(SecretKind::AwsSessionToken, &run)]
    }
}

/// Returns what stands behind a label such as `"SecretAccessKey": "`.
fn labelled(at: Visible<'_>) -> Zeroizing<Vec<u8>> {
    let label = at.run(|b| b.is_ascii_alphabetic() || b == b'_', LABEL_MAX);
    let mut rest = at.skip(label.len()).upto(BETWEEN + TOKEN_MAX);
    rest.next_run(base64_byte).unwrap_or_default()
}

fn private_key(before: &[u8], at: Visible<'_>) -> Vec<Secret> {
    let begins = before.rsplitn(2, |b| *b == b'\n').next().unwrap_or_default();
    if !begins.windows(BEGIN.len()).any(|window| window == BEGIN) {
        return Vec::new();
    }
    // The first line of the body tells one key from another; none has to be kept.
    let mut rest = at.skip(PRIVATE.len()).upto(PEM_LINES);
    let mut body = Zeroizing::new(Vec::new());
    while let Some(run) = rest.next_run(base64_byte) {
        body.extend_from_slice(&run);
    }
    // A header alone, as grep shows it, gives nothing away.
    if body.len() < PEM_MIN { Vec::new() } else { vec![Secret::new(SecretKind::PrivateKey, &body)] }
}

fn github(before: &[u8], at: Visible<'_>) -> Vec<Secret> {
    let run = at.run(|b| word_byte(b) || b == b'_', TOKEN_MAX);
    let free = !before.last().copied().is_some_and(|b| word_byte(b) || b == b'_');
    if free && run.len() >= GITHUB_MIN {
        vec![Secret::new(SecretKind::GithubToken, &run)]
    } else {
        Vec::new()
    }
}

fn slack(before: &[u8], at: Visible<'_>) -> Vec<Secret> {
    let run = at.run(|b| word_byte(b) || b == b'-', TOKEN_MAX);
    let free = !before.last().copied().is_some_and(word_byte);
    let typed = run.get(3).is_some_and(|b| b"abeprs".contains(b)) && run.get(4) == Some(&b'-');
    if free && typed && run.len() >= SLACK_MIN {
        vec![Secret::new(SecretKind::SlackToken, &run)]
    } else {
        Vec::new()
    }
}

fn jwt(before: &[u8], at: Visible<'_>) -> Vec<Secret> {
    let inside = |b: u8| word_byte(b) || matches!(b, b'-' | b'_' | b'.');
    if before.last().copied().is_some_and(inside) {
        return Vec::new();
    }
    let run = at.run(inside, TOKEN_MAX);
    let mut parts = run.split(|b| *b == b'.');
    let header = parts.next().is_some_and(|part| part.len() >= JWT_PART_MIN);
    let claims =
        parts.next().is_some_and(|part| part.len() >= JWT_PART_MIN && part.starts_with(b"eyJ"));
    let signature = parts.next().is_some_and(|part| part.len() >= JWT_PART_MIN);
    if header && claims && signature {
        vec![Secret::new(SecretKind::Jwt, &run)]
    } else {
        Vec::new()
    }
}

fn key_id_byte(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}

fn word_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

fn base64_byte(b: u8) -> bool {
    word_byte(b) || matches!(b, b'/' | b'+')
}

/// Forty characters of base64 that are no SHA-1 in hex.
fn is_secret_key(run: &[u8]) -> bool {
    let any = |is: fn(&u8) -> bool| run.iter().any(is);
    run.len() == SECRET_KEY_LEN && any(u8::is_ascii_uppercase) && any(u8::is_ascii_lowercase)
}

/// All words that are searched for.
pub const NEEDLES: [Needle; 17] = [
    Needle { word: b"AKIA", look: access_key },
    Needle { word: b"ASIA", look: access_key },
    Needle { word: b"ecretAccessKey", look: labelled_key },
    Needle { word: b"ecret_access_key", look: labelled_key },
    Needle { word: b"ECRET_ACCESS_KEY", look: labelled_key },
    Needle { word: b"essionToken", look: labelled_token },
    Needle { word: b"ession_token", look: labelled_token },
    Needle { word: b"ESSION_TOKEN", look: labelled_token },
    Needle { word: PRIVATE, look: private_key },
    Needle { word: b"ghp_", look: github },
    Needle { word: b"gho_", look: github },
    Needle { word: b"ghu_", look: github },
    Needle { word: b"ghs_", look: github },
    Needle { word: b"ghr_", look: github },
    Needle { word: b"github_pat_", look: github },
    Needle { word: b"xox", look: slack },
    Needle { word: b"eyJ", look: jwt },
];

const BEGIN: &[u8] = b"-----BEGIN ";
const PRIVATE: &[u8] = b"PRIVATE KEY-----";
const KEY_ID_LEN: usize = 20;
const SECRET_KEY_LEN: usize = 40;
/// How many characters behind an access key id its secret may stand.
const NEXT_TO: usize = 400;
/// How many characters may stand between a label and its value.
const BETWEEN: usize = 24;
const LABEL_MAX: usize = 24;
/// Session tokens are hundreds of characters long.
const TOKEN_MIN: usize = 64;
/// The most characters of a secret that are looked at.
const TOKEN_MAX: usize = 1_900;
const GITHUB_MIN: usize = 30;
const SLACK_MIN: usize = 16;
const JWT_PART_MIN: usize = 8;
/// How many characters of a private key tell it from another.
const PEM_LINES: usize = 160;
const PEM_MIN: usize = 32;
/// How many characters of a secret are shown at each end.
const MASK: usize = 4;
/// The most bytes that a needle's `look` may need behind its beginning, control sequences included.
pub const AHEAD: usize = 4_096;
/// The most bytes that it may need before.
pub const BEFORE: usize = 64;
