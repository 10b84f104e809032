//! bg-shell: a recording shell proxy and session broker. In reading order:

// Who asks, what is configured: the only readers of the environment.
mod check;
pub mod cli;
pub mod config;
mod failure;
mod say;
mod usage;
mod world;

// A request, its approvals, the grant that comes of them.
mod approve;
mod cancel;
mod decide;
mod deny;
mod dossier;
mod extend;
mod extended;
mod extension;
mod filing;
mod grant;
mod request;
mod requests;
mod signer;
mod standing;
mod terms;

// The life of an access: what happened is written down as facts, each before it has effects.
mod access;
mod case;
mod claim;
mod revocation;

// Opening an access: the second factor, the credentials, and how a session finds them.
mod clock_check;
mod credentials;
mod custody;
mod endpoint;
mod mfa;
mod private;
mod session_policy;
mod switch;
mod totp;
mod vault;

// The end of an access: denied, proved, its gate closed; and how it is ended from anywhere.
mod abandoned;
mod closeout;
mod deny_policy;
mod docket;
mod gate;
mod killswitch;
mod liveness;
mod opened;
mod probe;
mod reconcile;
mod revoke;
mod sessions;

// What becomes known of it: reports, the state of the account, drills.
mod doctor;
mod drill;
mod notify;
mod report;
mod tap;

// One session from start to end.
mod open;
mod session;
mod summary;

// The loop between terminal and shell: record before release.
mod deadline;
mod herald;
mod ladder;
mod outbox;
mod relay;
mod screen;
mod scribe;
mod worker;

// AWS, as the broker calls it.
mod aws;

// The system's edges.
mod contain;
mod keeper;
mod pty;
mod signals;
mod terminal;
mod user;

// After a crash.
mod recover;

pub use cli::run;
