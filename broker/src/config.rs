//! The configuration file. Without one, everything has its practice default.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cli::Environment;
use crate::failure::Failure;

/// What a configuration file may say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The practice world.
    pub practice: PracticeConfig,
}

/// The `[practice]` section.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PracticeConfig {
    /// What becomes of input typed at a secret prompt.
    pub secrets: Secrets,
    /// How long a session may last, such as `1h`.
    #[serde(deserialize_with = "duration")]
    pub max_duration: Duration,
}

impl Default for PracticeConfig {
    fn default() -> Self {
        Self { secrets: Secrets::Redact, max_duration: Duration::from_secs(3_600) }
    }
}

/// What becomes of input typed while the terminal has echo off and line mode on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secrets {
    /// Its length goes onto the tape.
    Redact,
    /// It goes onto the tape.
    Record,
}

impl Config {
    /// Reads the file that was named, else the system's, else the user's, else the defaults.
    ///
    /// # Errors
    /// When a file that was named is missing, or any file says something unknown.
    pub fn load(named: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        let user = environment.config_home.as_ref().map(|home| home.join("bg-shell/config.toml"));
        let found = [Some(PathBuf::from(SYSTEM_FILE)), user].into_iter().flatten().find(|path| path.exists());
        let Some(path) = named.map(Path::to_owned).or(found) else { return Ok(Self::default()) };
        let unreadable = format!("cannot read the configuration {}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|e| Failure::new(unreadable).because(e))?;
        toml::from_str(&text).map_err(|e| {
            let line = e
                .span()
                .map_or(0, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
            Failure::new(format!("{}, line {line}: {}", path.display(), e.message().replace('\n', " ")))
                .hint("[practice] takes secrets = \"redact\" or \"record\", and max_duration = \"1h\"")
        })
    }
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    match humantime::parse_duration(&text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        Ok(_) => Err(serde::de::Error::custom("a session needs some time")),
        Err(e) => Err(serde::de::Error::custom(e)),
    }
}

const SYSTEM_FILE: &str = "/etc/bg-shell/config.toml";
