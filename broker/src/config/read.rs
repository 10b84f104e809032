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

/// The role of the practice world.
pub const PRACTICE: &str = "practice";
const SYSTEM_FILE: &str = "/etc/bg-shell/config.toml";
const HINT: &str = "deploy/config/ has a commented example for each way to deploy";
