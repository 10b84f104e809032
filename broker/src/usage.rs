//! What `--help` teaches. Examples keep within 80 columns; a paragraph is one line, which clap wraps.

/// After the list of commands, and the options of `open`.
pub const MAIN: &str = "\
Examples, in the practice world:
  bg-shell --reason 'disk full on db-3'            a recorded shell
  bg-shell open --max-duration 30m -- psql prod    a recorded command
  echo 'df -h' | bg-shell open -- sh               a recorded script
  bg-replay play last                              what was recorded
  bg-replay verify last                            that nothing is missing

With a configuration:
  bg-shell request --role prod --reason 'disk full' --incident INC-7
  bg-shell approve ID                              by somebody else
  bg-shell open --request ID                       asks for the MFA code
  bg-shell open --role prod --reason 'disk full'   all of it, waiting

Without --config or BG_SHELL_CONFIG, the file is /etc/bg-shell/config.toml, else $XDG_CONFIG_HOME/bg-shell/config.toml, else there is none, and the world is the practice world.

Exit status of a session: that of its command (128+n for signal n); 123 when it was revoked; 124 when its time was over; 125 when bg-shell itself failed or was called wrongly; 126 or 127 when the command cannot be run or found. Every other subcommand: 0 when it is done, 125 when not, and what its own help adds.";

/// After the options of `request`.
pub const REQUEST: &str = "\
Prints the id of the request on standard output, everything else on standard error.

Examples:
  bg-shell request --role prod --reason 'disk full on db-3' --incident INC-7
  bg-shell request --role prod --reason disk --max-duration 15m --key KEY
  bg-shell requests ID --watch                     until it is decided
  bg-shell open --request ID";

/// After the options of `approve`.
pub const APPROVE: &str = "\
Examples:
  bg-shell approve 01a207f6 --key ~/.ssh/id_ed25519_sk

On a machine without bg-shell's key or terminal, in three steps:
  bg-shell approve ID --print --as bob > statement
  ssh-keygen -Y sign -n bg-shell-approval@v1 -f KEY < statement > statement.sig
  bg-shell approve ID --statement statement --signature statement.sig";

/// After the options of `deny`.
pub const DENY: &str = "\
Example:
  bg-shell deny 01a207f6 --reason 'wrong account'

One denial is enough. Who approved takes that back with it, until the request is used.";

/// After the options of `cancel`.
pub const CANCEL: &str = "\
Example:
  bg-shell cancel 01a207f6                         with the requester's own key";

/// After the options of `requests`.
pub const REQUESTS: &str = "\
States: REQUESTED, APPROVED, DENIED, CANCELLED, EXPIRED, CLAIMED (a session took it), INVALID (what is stored is not what was signed).

Examples:
  bg-shell requests                                what waits, and for how long
  bg-shell requests last --watch
  bg-shell requests --all --json | jq -r .state";

/// After the options of `sessions`.
pub const SESSIONS: &str = "\
States: live; closing (told to end); pending (ended, its access not proved closed); with --all: revoked, expired, ended.

Example:
  bg-shell sessions --json | jq -r 'select(.state == \"pending\").session'";

/// After the options of `revoke`.
pub const REVOKE: &str = "\
Examples:
  bg-shell revoke 01a207f7 --reason 'wrong account'
  bg-shell revoke 01a207f7-f054-7783-bea1-e7322b0ac686 --role prod --reason x
                                                   while S3 or KMS is down

Exit status: 0 when the access is proved closed or has expired; 3 when that is pending: bg-shell reconcile finishes it; 125 when nothing could be done.";

/// After the options of `extend`.
pub const EXTEND: &str = "\
While the evidence store is away a session counts down. An approver's signature gives it more time; the store need not answer for that. While the store answers it moves the session's end, no further than max_duration of its role; BG_SHELL_ENDS of programs that run already stays as it was.

Examples:
  bg-shell extend 01a207f7 --for 30m               on the session's own host
  bg-shell extend SESSION --role prod --print      the statement; elsewhere:
  bg-shell extend SESSION --statement F --signature F.sig";

/// After the options of `reconcile`.
pub const RECONCILE: &str = "\
Looks at every session that nobody hears of any more or that is past its deadline; run it from cron, too.

Example:
  bg-shell reconcile || echo 'an access is not proved closed'

Exit status: 0 when every access is closed; 3 when one is pending still; 125 when it could not look.";

/// After the options of `recover`.
pub const RECOVER: &str = "\
Runs on the host of the killed recorder. Every bg-shell open does it, too.

Example:
  bg-shell recover --json | jq -r .session

Exit status: 0 when every session is shipped; 1 when one is not; 125 when it could not look.";

/// After the options of `report`.
pub const REPORT: &str = "\
Examples:
  bg-shell report                                  of the newest session
  bg-shell report 01a207f7 --json | jq .revocation
  bg-shell report 01a207f7 --rotate                deactivate exposed keys";

/// After the options of `doctor`.
pub const DOCTOR: &str = "\
Examples:
  bg-shell doctor --role prod
  bg-shell doctor --profile bg-doctor --json | jq -r '.findings[].fix'

What is wrong stands last. Exit status: 0 when nothing is (there may be warnings; with --strict they make it 3); 1 when something is wrong; 125 when it could not look.";

/// After the options of `drill`.
pub const DRILL: &str = "\
Examples:
  bg-shell drill                                   in the practice world
  bg-shell drill --key ~/.ssh/id_ed25519           the configured drill role
  bg-shell drill --role prod --key alice --approver-key bob --fault iam-down

Exit status: 0 when the drill passed; 1 when it did not; 125 when it could not begin.";

/// After the options of `config`.
pub const CONFIG: &str = "\
Example:
  bg-shell --config new.toml config check

Reads what the file names, too. Exit status: 0 when all of it fits together; 1 when something that it names is missing or does not fit; 125 when the file itself is refused.";
