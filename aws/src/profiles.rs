//! The configuration files of AWS tools: what they say of a profile, besides its credentials.

use std::path::PathBuf;

use aws_config::profile::ProfileSet;
use aws_types::os_shim_internal::{Env, Fs};

/// Reads the files. None: they cannot be read, or are being written just now.
pub(crate) async fn load() -> Option<ProfileSet> {
    aws_config::profile::load(&Fs::real(), &Env::real(), &Default::default(), None).await.ok()
}

/// Returns the certificates that are to be trusted with a profile (`ca_bundle`), or with the one that counts where none
/// is named.
pub(crate) async fn certificates(profile: Option<&str>) -> Option<PathBuf> {
    let profiles = load().await?;
    let profile = profile.unwrap_or_else(|| profiles.selected_profile());
    let file = profiles.get_profile(profile)?.get("ca_bundle")?;
    Some(PathBuf::from(file)).filter(|file| !file.as_os_str().is_empty())
}
