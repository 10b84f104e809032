//! How a configuration file is found and read: what is unknown is refused with its line and the nearest known name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize as _, Deserializer, de};

use super::Config;
use crate::cli::Environment;
use crate::failure::Failure;

impl Config {
    /// Reads the file that was named, else the system's, else the user's, else the defaults.
    ///
    /// # Errors
    /// When a file that was named is missing, or any file says something unknown.
    pub fn load(named: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        let Some(path) = Self::find(named, environment) else { return Ok(Self::default()) };
        let unreadable = format!("cannot read the configuration {}", path.display());
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Failure::new(unreadable).because(e).hint("--config or BG_SHELL_CONFIG names it"))?;
        let config: Self = toml::from_str(&text).map_err(|e| {
            let line = e
                .span()
                .map_or(0, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            let message = e.message().replace('\n', " ");
            let hint = nearest(&message).unwrap_or_else(|| HINT.to_owned());
            Failure::new(format!("{}, line {line}: {message}", path.display())).hint(hint)
        })?;
        config.check().map_err(|what| Failure::new(format!("{}: {what}", path.display())).hint(HINT))?;
        Ok(config)
    }

    /// Returns the file that counts.
    pub fn find(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
        let user = environment.config_home.as_ref().map(|home| home.join("bg-shell/config.toml"));
        let found = [Some(PathBuf::from(SYSTEM_FILE)), user].into_iter().flatten().find(|path| path.exists());
        named.map(Path::to_owned).or(found)
    }

    /// What no single value shows.
    fn check(&self) -> Result<(), String> {
        if self.roles.contains_key(PRACTICE) {
            return Err(format!("a role cannot be called {PRACTICE:?}: that is the practice world's"));
        }
        if !self.roles.is_empty() && self.evidence.store.is_none() {
            return Err("roles need evidence.store: nobody gets credentials without evidence".into());
        }
        self.notify.check()?;
        self.roles.iter().try_for_each(|(name, role)| role.check(name))
    }
}

/// Finds what was probably meant in serde's "unknown field `x`, expected one of `a`, `b`".
fn nearest(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next().filter(|_| message.starts_with("unknown "))?;
    let close = quoted.map(|known| (strsim::damerau_levenshtein(unknown, known), known)).min()?;
    (close.0 <= 3)
        .then(|| format!("did you mean {}? bg-shell config check reads a file without using it", close.1))
}

/// Reads `45m`, `1h30m`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    match humantime::parse_duration(&text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err(de::Error::custom("a session needs some time")),
        Err(e) => Err(de::Error::custom(format!("{text:?} is no duration such as 45m or 1h30m: {e}"))),
    }
}

/// Reads `512MiB`, `1GiB`, or a number of bytes.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = match Size::deserialize(deserializer)? {
        Size::Bytes(bytes) => bytes,
        Size::Text(text) => bytes(&text)
            .ok_or_else(|| de::Error::custom(format!("{text:?} is no size; write it like 512MiB or 1GiB")))?,
    };
    if size < SPOOL_MIN {
        return Err(de::Error::custom("a spool needs room for one segment, 1MiB"));
    }
    Ok(size)
}

#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Size {
    Bytes(u64),
    Text(String),
}

fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let factor = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// Reads a percentage that something can reach.
pub(super) fn percent<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        percent @ 1..=100 => Ok(percent),
        other => Err(de::Error::custom(format!("{other} is no percentage from 1 to 100"))),
    }
}

/// One segment.
const SPOOL_MIN: u64 = 1 << 20;
/// The role of the practice world.
pub const PRACTICE: &str = "practice";
const SYSTEM_FILE: &str = "/etc/bg-shell/config.toml";
const HINT: &str = "deploy/config/ has a commented example for each way to deploy";
