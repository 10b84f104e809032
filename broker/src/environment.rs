//! The environment of this process, and the only place that reads it.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use bg_cli::places::Places;
use bg_recorder::practice::Practice;
use rustix::termios::ttyname;

use crate::failure::Failure;

/// What the environment says.
#[derive(Debug)]
pub struct Environment {
    /// The practice world's place.
    pub practice: Practice,
    /// `$SHELL`.
    pub shell: Option<PathBuf>,
    /// `$PATH`.
    pub path: OsString,
    /// `$TERM`.
    pub term: Option<String>,
    /// The session that this process runs in, if any.
    pub inside: Option<String>,
    /// The configuration file that was named.
    pub config: Option<PathBuf>,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Where the user keeps configuration.
    pub config_home: Option<PathBuf>,
    /// The names of the variables that carry AWS credentials or select them: no session inherits them.
    pub credentials: Vec<OsString>,
    /// The names of the variables that name the terminal: a session's name its own.
    pub terminals: Vec<OsString>,
    /// The proxies that programs are to use, by the names of their variables.
    pub proxies: Vec<(&'static str, OsString)>,
    /// The certificates that AWS tools are to trust instead of the system's.
    pub ca: Option<PathBuf>,
}

impl Environment {
    /// Reads it.
    ///
    /// # Errors
    /// When it names no place for the practice world.
    pub fn read() -> Result<Self, Failure> {
        let places = Places::find(|name| std::env::var_os(name));
        let practice = places.practice.ok_or_else(|| {
            Failure::new("no place for the practice world")
                .hint("set HOME, or XDG_STATE_HOME to an absolute path")
        })?;
        let terminals = outer_terminals();
        let path =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Ok(Self {
            practice,
            shell: path("SHELL"),
            path: std::env::var_os("PATH").unwrap_or_default(),
            term: std::env::var("TERM").ok(),
            inside: std::env::var(SESSION_VARIABLE).ok(),
            config: None,
            home: places.home,
            config_home: places.config_home,
            credentials: names(|name, _| gives_credentials(name)),
            terminals: names(|name, value| names_terminal(name, value, &terminals)),
            proxies: proxies(),
            ca: path("AWS_CA_BUNDLE"),
        })
    }
}

/// Returns the names of the variables of which something is true.
fn names(wanted: impl Fn(&OsStr, &OsStr) -> bool) -> Vec<OsString> {
    std::env::vars_os().filter(|(name, value)| wanted(name, value)).map(|(name, _)| name).collect()
}

/// Tells by its words whether a variable of AWS tools says who calls, or to whom a call goes. A name of next year is
/// made of the same words.
fn gives_credentials(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    name.starts_with("AWS_") && CREDENTIAL_WORDS.iter().any(|word| name.contains(word))
}

fn names_terminal(name: &OsStr, value: &OsStr, terminals: &[OsString]) -> bool {
    let known = TERMINAL_VARIABLES.iter().any(|known| name == *known);
    known || terminals.iter().any(|terminal| terminal == value)
}

fn outer_terminals() -> Vec<OsString> {
    let named = |terminal: CString| OsString::from_vec(terminal.into_bytes());
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let terminals = streams.into_iter().filter_map(|stream| ttyname(stream, Vec::new()).ok());
    terminals.map(named).collect()
}

/// Programs read both spellings, most of them the small one first.
fn proxies() -> Vec<(&'static str, OsString)> {
    let set = |name: &&'static str| Some((*name, std::env::var_os(name)?));
    PROXY_VARIABLES.iter().filter_map(set).filter(|(_, value)| !value.is_empty()).collect()
}

/// Parts of names: keys, tokens, profiles, roles, files, endpoints of their own.
const CREDENTIAL_WORDS: &[&str] = &[
    "ACCESS_KEY",
    "SECRET",
    "TOKEN",
    "CREDENTIAL",
    "PROFILE",
    "ROLE",
    "IDENTITY",
    "CONFIG_FILE",
    "CONTAINER",
    "METADATA",
    "ENDPOINT_URL",
    "EXECUTION_ENV",
    "SSO",
    "LOGIN",
    "SIGNIN",
    "MFA",
    "PASSWORD",
    "PASSPHRASE",
    "SESSION",
    "VAULT",
    "ACCOUNT_ID",
];
const TERMINAL_VARIABLES: &[&str] = &["GPG_TTY", "SSH_TTY"];
/// Names what no proxy is used for.
pub const NO_PROXY: [&str; 2] = ["no_proxy", "NO_PROXY"];
const PROXY_VARIABLES: &[&str] = &[
    "https_proxy",
    "HTTPS_PROXY",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
    NO_PROXY[0],
    NO_PROXY[1],
];
/// Tells a session's processes which session they are in.
pub const SESSION_VARIABLE: &str = "BG_SHELL_SESSION";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_who_calls_or_to_whom_is_taken_away() {
        let goes = [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_SECURITY_TOKEN",
            "AWS_BEARER_TOKEN_BEDROCK",
            "AWS_PROFILE",
            "AWS_DEFAULT_PROFILE",
            "AWS_ROLE_ARN",
            "AWS_ROLE_SESSION_NAME",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_CREDENTIAL_EXPIRATION",
            "AWS_LOGIN_CACHE_DIRECTORY",
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            "AWS_ENDPOINT_URL",
            "AWS_ENDPOINT_URL_S3",
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            "AWS_VAULT",
            "aws_secret",
        ];
        let stays = [
            "AWS_CA_BUNDLE",
            "AWS_PAGER",
            "AWS_DEFAULT_OUTPUT",
            "AWS_USE_FIPS_ENDPOINT",
            "AWS_USE_DUALSTACK_ENDPOINT",
            "AWS_STS_REGIONAL_ENDPOINTS",
            "AWS_MAX_ATTEMPTS",
            "AWS_RETRY_MODE",
            "AWS_DEFAULTS_MODE",
            "AWS_CLI_AUTO_PROMPT",
            "AWS_REQUEST_CHECKSUM_CALCULATION",
            "AWS_SDK_UA_APP_ID",
            "AWS_REGION",
            "SECRET_OF_SOMETHING_ELSE",
        ];
        assert_eq!(goes.iter().find(|name| !gives_credentials(OsStr::new(name))), None);
        assert_eq!(stays.iter().find(|name| gives_credentials(OsStr::new(name))), None);
    }
}
