//! Where a user keeps things, by the environment.

use std::ffi::OsString;
use std::path::PathBuf;

use bg_recorder::practice::Practice;

/// What the environment says of places. Whoever may read it hands in how.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The practice world's place, if there is one.
    pub practice: Option<Practice>,
    /// The home directory.
    pub home: Option<PathBuf>,
    /// Where configuration is kept.
    pub config_home: Option<PathBuf>,
}

impl Places {
    /// Finds them. A variable that is empty counts as unset.
    pub fn find(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        let practice = Practice::find(path("XDG_STATE_HOME").as_deref(), home.as_deref());
        let below_home = home.as_ref().map(|home| home.join(".config"));
        Self { practice, config_home: path("XDG_CONFIG_HOME").or(below_home), home }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_not_set() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.to_vec();
            Places::find(move |name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| OsString::from(value))
            })
        };
        let places = of(&[("HOME", "/h"), ("XDG_CONFIG_HOME", "")]);
        assert_eq!(places.config_home, Some(PathBuf::from("/h/.config")));
        let places = of(&[("HOME", ""), ("XDG_CONFIG_HOME", "/c")]);
        assert_eq!((places.home, places.config_home), (None, Some(PathBuf::from("/c"))));
    }
}
