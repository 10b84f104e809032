//! Tells the person at the terminal what the rooms below report.

use bg_cli::say::say;
use bg_recorder::approval::request::Request;

use crate::failure::BG_SHELL;
use crate::news::{Listener, News};
use crate::request::terms::{approvals, counted, minute};

/// Tells on standard error.
#[derive(Debug)]
pub struct Teller;

impl Listener for Teller {
    fn hear(&self, news: &News<'_>) {
        match news {
            News::NoCourier(_)
            | News::NotKept { .. }
            | News::TooMany
            | News::GivenUp { .. }
            | News::NoMessage(_)
            | News::Undelivered { .. } => notifications(news),
            News::Filed(request) => filed(request),
            News::Asked { approvers, told } => asked(approvers, told),
            News::Signs { person, key } => say!("bg-shell: {person} signs with {key}"),
            News::Approved(statement) => {
                say!("bg-shell: approved by {}, {}", statement.approver, minute(statement.made));
            }
            News::Waiting(request) => waiting(request),
            News::WithoutKeys { .. }
            | News::ClockOff { .. }
            | News::ExtensionsWait { .. }
            | News::OrphanedExtensions { .. }
            | News::WrongCode { .. }
            | News::CodeRefused { .. }
            | News::AlarmOnItsWay
            | News::AlarmTaken { .. } => session(news),
            News::Revoking { .. }
            | News::NotDenied(_)
            | News::GateStays(_)
            | News::DeniesStay { .. }
            | News::DenyGone { .. }
            | News::DenyRestored { .. }
            | News::NotNoted { .. } => closing(news),
            _ => report(news),
        }
    }
}

fn notifications(news: &News<'_>) {
    match news {
        News::NoCourier(e) => say!("bg-shell: warning: cannot notify anybody: {e}"),
        News::NotKept { receiver, why } => {
            say!("bg-shell: warning: a notification for {receiver} cannot be kept: {why}");
        }
        News::TooMany => {
            say!("bg-shell: warning: too many notifications wait; the oldest is given up");
        }
        News::GivenUp { text } => {
            say!("bg-shell: warning: given up after a week: a notification, {text}");
        }
        News::NoMessage(path) => {
            say!("bg-shell: warning: {} is no notification; it is removed", path.display());
        }
        News::Undelivered { count, whom } => {
            let notifications = counted(*count as u64, "notification");
            say!("bg-shell: {notifications} not delivered yet: {whom}");
            say!(
                "bg-shell: hint: the next bg-shell on this machine, or bg-shell reconcile, tries again"
            );
        }
        _ => {}
    }
}

fn session(news: &News<'_>) {
    match news {
        News::WithoutKeys { why } => say!(
            "bg-shell: warning: begun WITHOUT its key service ({why}): it is signed by this host's standby key"
        ),
        News::ClockOff { saw } => {
            say!("bg-shell: warning: this machine's clock is {saw}: so are the times on the tape");
        }
        News::ExtensionsWait { why } => {
            say!("bg-shell: warning: its extensions are no facts yet: {why}");
            say!("bg-shell: hint: bg-shell recover stores them");
        }
        News::OrphanedExtensions { session, why } => {
            say!("bg-shell: warning: the extensions of session {session} are no facts yet: {why}");
        }
        News::WrongCode { why, hint } => say!("bg-shell: {why}; {hint}"),
        News::CodeRefused { why } => {
            say!("bg-shell: {why}; each code is good once: wait for the next");
        }
        News::AlarmOnItsWay => say!("bg-shell: OVERRIDE: waiting until somebody has been told"),
        News::AlarmTaken { receiver } => say!("bg-shell: {receiver} was told"),
        _ => {}
    }
}

fn filed(request: &Request) {
    let Request { id, role, requester, quorum, expires, forced, .. } = request;
    say!("bg-shell: request of {requester} for {role} is filed: {id}");
    match (forced, quorum) {
        (true, _) => say!(
            "bg-shell: OVERRIDE: it can be opened without approvals, until {}",
            minute(*expires)
        ),
        (false, 0) => say!("bg-shell: it needs no approvals"),
        (false, quorum) => {
            say!("bg-shell: it needs {} until {}:", approvals(*quorum), minute(*expires));
            say!("bg-shell:   bg-shell approve {id}");
        }
    }
}

fn asked(approvers: &str, told: &[&str]) {
    if !approvers.is_empty() {
        say!("bg-shell: who may approve: {approvers}");
    }
    if told.is_empty() {
        say!("bg-shell: nobody is notified here: tell them");
    } else {
        say!("bg-shell: told: {}", told.join(", "));
    }
}

fn waiting(request: &Request) {
    let Request { id, quorum, expires, .. } = request;
    let needed = approvals(*quorum);
    let until = minute(*expires);
    say!("bg-shell: waiting for {needed}, until {until}; Ctrl-C stops waiting");
    say!("bg-shell: the request stays; its approvers:  bg-shell approve {id}");
    say!("bg-shell:   to use it later    bg-shell open --request {id}");
    say!("bg-shell:   to withdraw it     bg-shell cancel {id}");
}

fn closing(news: &News<'_>) {
    match news {
        News::Revoking { session, role } => {
            say!("bg-shell: revoking the access of session {session} to {role}");
        }
        News::NotDenied(failure) => BG_SHELL.tell(failure),
        News::GateStays(failure) => {
            BG_SHELL.tell(failure);
            say!("bg-shell: hint: bg-shell reconcile tries again");
        }
        News::DeniesStay { why } => say!("bg-shell: warning: old Denies stay on the role: {why}"),
        News::DenyGone { session } => say!(
            "bg-shell: ALARM: somebody took away the Deny of session {session}, whose credentials may be alive"
        ),
        News::DenyRestored { detail } => {
            say!("bg-shell: {detail}; CloudTrail says who it was: DeleteRolePolicy, PutRolePolicy");
        }
        News::NotNoted { fact, why } => say!(
            "bg-shell: warning: the fact {fact} is not stored: {why}; bg-shell reconcile writes it"
        ),
        _ => {}
    }
}

fn report(news: &News<'_>) {
    match news {
        News::NotReported { session, why } => {
            say!("bg-shell: warning: {why}");
            say!("bg-shell: hint: bg-shell report {session} --write writes it later");
        }
        News::Reported { session, at, to_do } => {
            say!("bg-shell: report: bg-shell report {session} (stored as {at})");
            to_do.iter().for_each(|to_do| say!("bg-shell:   to do: {to_do}"));
        }
        News::ReportStored { name, made } => say!("bg-shell: the stored {name}, as of {made}"),
        News::TapeChanged { session, then, now } => {
            say!("bg-shell: warning: the tape was {then} then and is {now} now");
            say!(
                "bg-shell: hint: bg-replay verify {session} says why; --write makes the report anew"
            );
        }
        News::ReportMade => say!(
            "bg-shell: this report is made now, from the evidence, and is not stored (--write stores it)"
        ),
        News::NoKeyLeft => {
            say!("bg-shell: no exposed access key of an IAM user is left to deactivate");
        }
        News::ForeignKey { id } => {
            say!("bg-shell: {id} is not a key of this account: it cannot be deactivated from here");
        }
        News::KeyOf { id, user, status } => say!("bg-shell: {id} belongs to {user}, is {status}"),
        News::KeyLeft { id } => say!("bg-shell: {id} is left as it is"),
        News::KeyInactive { id, user } => {
            say!("bg-shell: {id} is inactive; nothing that uses it works any more");
            say!("bg-shell: hint: give {user} a new one, then delete it: see the report");
        }
        _ => {}
    }
}
