//! How a configuration file is found and read: what is unknown is refused with its line and the nearest known name.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bg_cli::config as file;
use bg_cli::duration::{self, DurationError};
use serde::{Deserialize as _, Deserializer, de};

use super::Config;
use super::unusable::Unusable;
use crate::environment::Environment;
use crate::failure::Failure;

impl Config {
    /// Reads the file that was named, else the system's, else the user's, else the defaults.
    ///
    /// # Errors
    /// When a file that was named is missing, or any file says something unknown.
    pub fn load(named: Option<&Path>, environment: &Environment) -> Result<Self, Failure> {
        let Some(path) = Self::find(named, environment) else { return Ok(Self::default()) };
        Self::parse(&path, &file::text(&path)?)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let config: Self = file::parse(path, text, HINT)?;
        config
            .check()
            .map_err(|what| Failure::new(format!("{}: {what}", path.display())).hint(HINT))?;
        Ok(config)
    }

    /// Returns the file that counts.
    pub fn find(named: Option<&Path>, environment: &Environment) -> Option<PathBuf> {
        file::find(named, environment.config_home.as_deref())
    }

    /// What no single value shows.
    fn check(&self) -> Result<(), Unusable> {
        if self.roles.contains_key(PRACTICE) {
            return Err(Unusable::Practice);
        }
        if !self.roles.is_empty() && self.evidence.store.is_none() {
            return Err(Unusable::NoStore);
        }
        self.notify.check()?;
        let told = self.notify.topic.is_some() || !self.notify.webhooks.is_empty();
        let deaf = self.roles.iter().find(|(_, role)| role.override_needs_delivery && !told);
        if let Some((name, _)) = deaf {
            return Err(Unusable::Deaf(name.clone()));
        }
        self.roles.iter().try_for_each(|(name, role)| role.check(name))
    }
}

/// Reads `45m`, `1h30m`.
pub(super) fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::duration(&text).map_err(|e| match e {
        DurationError::Zero => de::Error::custom(e),
        DurationError::Unreadable(e) => {
            de::Error::custom(format!("{text:?} is no duration such as 45m or 1h30m: {e}"))
        }
    })
}

/// Reads `512MiB`, `1GiB`, or a number of bytes.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let size = match Size::deserialize(deserializer)? {
        Size::Bytes(bytes) => bytes,
        Size::Text(text) => bytes(&text).ok_or_else(|| {
            de::Error::custom(format!("{text:?} is no size; write it like 512MiB or 1GiB"))
        })?,
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
const HINT: &str = "deploy/config/ has a commented example for each way to deploy";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLES: [&str; 3] = [
        include_str!("../../../deploy/config/single-account.toml"),
        include_str!("../../../deploy/config/broker-role.toml"),
        include_str!("../../../deploy/config/s3-compatible.toml"),
    ];

    /// An option in a comment is off: here it is on.
    fn turned_on(line: &str) -> String {
        let option = line.strip_prefix("# ").filter(|rest| {
            let name = rest.split(" = ").next().unwrap_or_default();
            name.len() < rest.len() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        });
        option.unwrap_or(line).to_owned()
    }

    /// What hands do to a file: a line goes, comes twice, or has something else in it.
    fn spoil(text: &str, faults: &[(usize, u8, String)]) -> String {
        let mut lines: Vec<String> = text.lines().map(turned_on).collect();
        for (at, what, put) in faults {
            let at = at % lines.len().max(1);
            let Some(line) = lines.get_mut(at) else { continue };
            let middle = line.char_indices().nth(line.chars().count() / 2).map_or(0, |(at, _)| at);
            match what % 4 {
                0 => drop(lines.remove(at)),
                1 => lines.insert(at, lines[at].clone()),
                2 => line.insert_str(middle, put),
                _ => line.replace_range(middle.., put),
            }
        }
        lines.join("\n")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn any_file_is_read_or_refused_in_one_line(
            example in 0..EXAMPLES.len(),
            faults in prop::collection::vec((any::<usize>(), any::<u8>(), "[ -~\t\u{0}\u{1b}\u{e9}\u{202e}]{0,12}|[0-9]{1,22}[smhdy]"), 0..6),
        ) {
            let text = spoil(EXAMPLES[example], &faults);
            if let Err(refused) = Config::parse(Path::new("f.toml"), &text) {
                let said = refused.to_string();
                prop_assert!(said.starts_with("f.toml"), "{}", said);
                prop_assert!(!said.contains(char::is_control), "{:?}", said);
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}|[\\[\\]a-z.=\"'#\n{} 0-9]{0,200}") {
            prop_assert!(Config::parse(Path::new("f.toml"), &text).map_or_else(|e| e.to_string().starts_with("f.toml"), |_| true));
        }
    }
}
