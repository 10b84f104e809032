//! What a session's tools find instead of the invoking user's AWS configuration: nothing, and a way to ask.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bg_aws::edge::Reach;
use bg_recorder::session::SessionId;

use crate::custody::endpoint::Endpoint;
use crate::environment::{Environment, NO_PROXY};
use crate::os::variables::Variables;

/// A directory of one session, with empty AWS configuration files; removed when it is dropped.
#[derive(Debug)]
pub struct Private(PathBuf);

impl Private {
    /// Makes it. What sessions left here that were killed is removed.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(state: &Path, session: SessionId) -> io::Result<Self> {
        sweep(state);
        let dir = state.join("run").join(session.to_string());
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let private = Self(dir);
        for file in [private.config(), private.credentials()] {
            File::options().write(true).create_new(true).mode(0o600).open(file)?;
        }
        Ok(private)
    }

    /// Makes it where that can be done. A file that is not there is as good as an empty one, and what hinders this
    /// hinders the recording, which has the better words for it.
    pub fn make_or_name(state: &Path, session: SessionId) -> Self {
        Self::make(state, session)
            .unwrap_or_else(|_| Self(state.join("run").join(session.to_string())))
    }

    /// Returns what makes the tools of a session find no AWS credentials. What else the user set for them stays.
    pub fn variables(&self, session: SessionId, environment: &Environment) -> Variables {
        let mut variables = Variables::of(session);
        variables.removed.extend_from_slice(&environment.credentials);
        variables.set("AWS_CONFIG_FILE", self.config());
        variables.set("AWS_SHARED_CREDENTIALS_FILE", self.credentials());
        variables.set("AWS_EC2_METADATA_DISABLED", "true");
        variables
    }

    /// Returns what makes them find the session's, and no others. A file that names a profile would win over the
    /// endpoint, so both files are ours.
    pub fn with_endpoint(
        &self,
        session: SessionId,
        environment: &Environment,
        endpoint: &Endpoint,
        region: &str,
        aws: &Reach,
    ) -> Variables {
        let mut variables = self.variables(session, environment);
        variables.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", endpoint.url());
        variables.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", endpoint.token());
        // CLI v1 and boto3 read the one, the newer SDKs the other.
        variables.set("AWS_DEFAULT_REGION", region);
        variables.set("AWS_REGION", region);
        if let Some(url) = &aws.endpoint {
            variables.set("AWS_ENDPOINT_URL", url);
        }
        if let Some(path) = &aws.ca {
            variables.set("AWS_CA_BUNDLE", path);
        }
        for name in NO_PROXY {
            variables.set(name, unproxied(name, environment));
        }
        variables
    }

    fn config(&self) -> PathBuf {
        self.0.join("config")
    }

    fn credentials(&self) -> PathBuf {
        self.0.join("credentials")
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // What stays is two empty files.
        fs::remove_dir_all(&self.0).unwrap_or(());
    }
}

/// Returns what `name` says of what no proxy is used for, and the endpoint: its token is nobody else's.
fn unproxied(name: &str, environment: &Environment) -> OsString {
    let find = |wanted: &str| environment.proxies.iter().find(|(known, _)| *known == wanted);
    let own = find(name).or_else(|| NO_PROXY.iter().find_map(|other| find(other)));
    let mut hosts = own.map_or_else(OsString::new, |(_, hosts)| hosts.clone());
    if !hosts.is_empty() {
        hosts.push(",");
    }
    hosts.push(LOOPBACK);
    hosts
}

/// Removes directories of old sessions that have no spool any more. Nothing depends on it.
fn sweep(state: &Path) {
    let old = |path: &Path| {
        let made = path.metadata().and_then(|meta| meta.modified()).ok();
        made.and_then(|made| made.elapsed().ok()).is_some_and(|age| age > OLD)
    };
    let entries = fs::read_dir(state.join("run")).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| old(path)) {
        let spool = path.file_name().map(|session| state.join("spool").join(session));
        if spool.is_some_and(|spool| !spool.exists()) {
            fs::remove_dir_all(&path).unwrap_or(());
        }
    }
}

/// Where the endpoint listens.
const LOOPBACK: &str = "127.0.0.1";
/// Between this directory and its spool a session has moments only.
const OLD: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn no_value_of_a_variable_is_printed() {
        let variables =
            Variables { set: vec![("TOKEN".into(), "s3cret".into())], removed: Vec::new() };
        assert_eq!(format!("{variables:?}"), "Variables([\"TOKEN\"], ..)");
    }

    #[test]
    fn it_is_private_and_gone_when_dropped_and_takes_old_ones_along() {
        let state = tempfile::tempdir().unwrap();
        let dead = SessionId::mint();
        let resting = SessionId::mint();
        let now = SessionId::mint();
        for session in [dead, resting] {
            std::mem::forget(Private::make(state.path(), session).unwrap());
            let dir = File::open(state.path().join("run").join(session.to_string())).unwrap();
            dir.set_modified(SystemTime::now() - 2 * OLD).unwrap();
        }
        fs::create_dir_all(state.path().join("spool").join(resting.to_string())).unwrap();
        let private = Private::make(state.path(), now).unwrap();
        let there =
            |session: SessionId| state.path().join("run").join(session.to_string()).exists();
        assert_eq!([dead, resting, now].map(there), [false, true, true]);
        let mode = std::os::unix::fs::MetadataExt::mode(&private.0.metadata().unwrap());
        assert_eq!(mode & 0o777, 0o700);
        drop(private);
        assert!(!there(now));
    }
}
