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
    /// Whether a terminal multiplexer keeps the terminal when the connection is lost.
    pub multiplexed: bool,
    /// The certificates that AWS tools are to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// By how many seconds a drill has the clock count as ahead.
    pub drill_ahead_s: i64,
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
            multiplexed: path("TMUX").or_else(|| path("STY")).is_some(),
            ca: path("AWS_CA_BUNDLE"),
            drill_ahead_s: drill_ahead_s(),
        })
    }
}

/// Returns the variables that have the loader and the C library run other code, or find other files.
pub fn of_the_loader() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| steers_the_loader(name)).collect()
}

/// Returns what is kept of them for the session, if this program was started without them.
pub fn kept() -> Option<OsString> {
    std::env::var_os(KEPT_VARIABLE)
}

/// What ld.so(8) takes away from a program that must not obey its caller, except for the place of temporary files.
fn steers_the_loader(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    LOADER_FAMILIES.iter().any(|family| name.starts_with(family))
        || LOADER_VARIABLES.contains(&name.as_ref())
}

fn drill_ahead_s() -> i64 {
    let said = std::env::var(DRILL_AHEAD_VARIABLE).ok();
    said.and_then(|text| text.parse().ok()).unwrap_or_default()
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
const LOADER_FAMILIES: &[&str] = &["LD_", "MALLOC_"];
const LOADER_VARIABLES: &[&str] = &[
    "GCONV_PATH",
    "GETCONF_DIR",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "LOCPATH",
    "NIS_PATH",
    "NLSPATH",
    "RESOLV_HOST_CONF",
    "RES_OPTIONS",
    "TZDIR",
];
/// Carries what is kept from this program to the session.
pub const KEPT_VARIABLE: &str = "BG_SHELL_KEPT";
/// Says by how many seconds the clock is to count as ahead: in a drill, no session begins with a wrong one.
pub const DRILL_AHEAD_VARIABLE: &str = "BG_SHELL_DRILL_AHEAD_S";
/// Tells a session's processes which session they are in.
pub const SESSION_VARIABLE: &str = "BG_SHELL_SESSION";
/// Tells them when it ends, as it was when it began.
pub const ENDS_VARIABLE: &str = "BG_SHELL_ENDS";
/// Tells them its role: a prompt can show it.
pub const ROLE_VARIABLE: &str = "BG_SHELL_ROLE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ld_so_takes_from_a_program_of_another_user_is_known() {
        let steers = ["LD_PRELOAD", "LD_AUDIT", "GLIBC_TUNABLES", "GCONV_PATH", "MALLOC_PERTURB_"];
        let does_not = ["LDFLAGS", "TMPDIR", "LANG", "TZ", "PATH", "MY_LD_PRELOAD"];
        assert_eq!(steers.iter().find(|name| !steers_the_loader(OsStr::new(name))), None);
        assert_eq!(does_not.iter().find(|name| steers_the_loader(OsStr::new(name))), None);
    }

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
