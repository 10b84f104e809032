//! What somebody is told: one thing that happened, with the names that let them look it up.

use std::time::Duration;

use bg_recorder::approval::request::Request;
use bg_recorder::clock::{Clock as _, SystemClock};
use bg_recorder::neutral::neutral;
use bg_recorder::stamp::Stamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::facts::claim::Claim;
use crate::os::user::author;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// Somebody asks for a role.
    Requested,
    /// Somebody approved a request.
    Approved,
    /// Somebody denied a request, which ends it.
    Denied,
    /// A request was withdrawn.
    Cancelled,
    /// An access was opened.
    Opened,
    /// An access was opened without its approvals.
    Overridden,
    /// A session's time is nearly over.
    DeadlineNear,
    /// A session's evidence cannot be stored: it goes on for a while.
    Outage,
    /// It may go on for longer.
    Extended,
    /// Its evidence is stored again.
    OutageOver,
    /// A session has ended.
    Closed,
    /// Its credentials may be alive still.
    RevokePending,
    /// Somebody took the Deny of a session away before its credentials were dead. It is back.
    DenyRestored,
    /// Its credentials are of no more use to anybody: the detail says why that is certain.
    Revoked,
    /// Secrets could be seen in a session: somebody must change them.
    Exposed,
    /// The report is written.
    Report,
}

/// One message. All of its text is harmless for a terminal, and of bounded length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The version of this form.
    pub v: u8,
    /// Its id: the same in every delivery and every try.
    pub id: String,
    /// What happened.
    pub event: Occasion,
    /// When.
    pub at: Stamp,
    /// Who tells: `user@host`.
    pub by: String,
    pub session: Option<String>,
    pub request: Option<String>,
    /// The incident or ticket.
    pub incident: Option<String>,
    pub role: Option<String>,
    /// Whom it is about.
    pub person: Option<String>,
    /// Why, as they say.
    pub reason: Option<String>,
    /// Who decided about a request.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided_by: Option<String>,
    /// How many of the approvals that it needs a request has: `1 of 2`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approvals: Option<String>,
    /// The AWS account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<String>,
    /// For how long it is asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub length: Option<String>,
    /// Whether it is about the role that drills open, which nobody needs to get up for.
    #[serde(default)]
    pub drill: bool,
    /// What else there is to say, in one line.
    pub detail: Option<String>,
    /// The incident report as Markdown, for a ticket.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub report: Option<String>,
}

impl Message {
    /// Begins a message of what happens now.
    pub fn new(event: Occasion) -> Self {
        Self {
            v: 1,
            id: Uuid::now_v7().to_string(),
            event,
            at: SystemClock.now(),
            by: line(&author()),
            session: None,
            request: None,
            incident: None,
            role: None,
            person: None,
            reason: None,
            decided_by: None,
            approvals: None,
            account: None,
            length: None,
            drill: false,
            detail: None,
            report: None,
        }
    }

    /// Begins a message about an access.
    pub fn of(event: Occasion, claim: &Claim) -> Self {
        let message =
            Self::new(event).session(claim.session).request(&claim.request).role(&claim.name);
        let message = message.person(&claim.person).reason(&claim.reason);
        let message = message.account(&claim.role.arn);
        claim
            .incident
            .as_deref()
            .map_or_else(|| message.clone(), |incident| message.clone().incident(incident))
    }

    /// Begins a message about a request.
    pub fn about(event: Occasion, request: &Request) -> Self {
        let message = Self::new(event).request(&request.id.to_string()).role(&request.role);
        let message = message.person(request.requester.as_str()).reason(&request.reason);
        let length = humantime::format_duration(Duration::from_secs(request.duration_s));
        let message =
            Self { length: Some(length.to_string()), ..message.account(&request.role_arn) };
        match &request.incident {
            Some(incident) => message.incident(incident),
            None => message,
        }
    }

    /// Gives it an id by which it is known anywhere: a receiver takes it once, whoever tells it.
    #[must_use]
    pub fn known_as(self, id: impl std::fmt::Display) -> Self {
        Self { id: id.to_string(), ..self }
    }

    /// Names the session.
    #[must_use]
    pub fn session(self, session: impl std::fmt::Display) -> Self {
        Self { session: Some(line(&session.to_string())), ..self }
    }

    /// Names the request.
    #[must_use]
    pub fn request(self, request: &str) -> Self {
        Self { request: Some(line(request)), ..self }
    }

    /// Names the incident.
    #[must_use]
    pub fn incident(self, incident: &str) -> Self {
        Self { incident: Some(line(incident)), ..self }
    }

    /// Names the role.
    #[must_use]
    pub fn role(self, role: &str) -> Self {
        Self { role: Some(line(role)), ..self }
    }

    /// Names the person.
    #[must_use]
    pub fn person(self, person: &str) -> Self {
        Self { person: Some(line(person)), ..self }
    }

    /// Says why.
    #[must_use]
    pub fn reason(self, reason: &str) -> Self {
        Self { reason: Some(line(reason)), ..self }
    }

    /// Says who decided, and how many approvals there are now.
    #[must_use]
    pub fn decided(self, by: &str, approvals: &str) -> Self {
        Self { decided_by: Some(line(by)), approvals: Some(line(approvals)), ..self }
    }

    /// Names the account of a role.
    fn account(self, role_arn: &str) -> Self {
        Self { account: role_arn.split(':').nth(4).map(line), ..self }
    }

    /// Says what else there is to say.
    #[must_use]
    pub fn detail(self, detail: &str) -> Self {
        Self { detail: Some(line(detail)), ..self }
    }

    /// Adds the report, as far as a ticket takes it.
    #[must_use]
    pub fn report(self, markdown: &str) -> Self {
        let fits = markdown.char_indices().take_while(|(at, c)| at + c.len_utf8() <= REPORT_MAX);
        Self { report: Some(fits.map(|(_, c)| c).collect()), ..self }
    }

    /// Says it in one line.
    pub fn text(&self) -> String {
        let who = self.person.as_deref().unwrap_or(&self.by);
        let by = self.decided_by.as_deref().unwrap_or("somebody");
        let role = self.role.as_deref().unwrap_or("a role");
        let mut text = match self.event {
            Occasion::Requested => format!("{who} requests {role}"),
            Occasion::Approved => {
                let count = self.approvals.as_deref().map(|count| format!(" ({count})"));
                format!("{by} approved {who}'s request for {role}{}", count.unwrap_or_default())
            }
            Occasion::Denied => format!("{by} denied {who}'s request for {role}"),
            Occasion::Cancelled => format!("{who} withdrew a request for {role}"),
            Occasion::Opened => format!("{who} opened {role}"),
            Occasion::Overridden => format!("OVERRIDE: {who} opens {role} without its approvals"),
            Occasion::DeadlineNear => format!("the session of {who} in {role} ends soon"),
            Occasion::Outage => format!("the evidence of {who} in {role} cannot be stored"),
            Occasion::Extended => {
                format!("{who} in {role} got more time without the evidence store")
            }
            Occasion::OutageOver => format!("the evidence of {who} in {role} is stored again"),
            Occasion::Closed => format!("the session of {who} in {role} has ended"),
            Occasion::RevokePending => format!("NOT REVOKED yet: the access of {who} to {role}"),
            Occasion::DenyRestored => {
                format!("SOMEBODY TOOK AWAY the Deny that ended the access of {who} to {role}")
            }
            Occasion::Revoked => format!("the access of {who} to {role} is over"),
            Occasion::Exposed => format!("SECRETS WERE SHOWN in the session of {who} in {role}"),
            Occasion::Report => format!("the report on {who} in {role} is written"),
        };
        for (label, value) in [
            ("account", &self.account),
            ("for", &self.length),
            ("incident", &self.incident),
            ("reason", &self.reason),
            ("", &self.detail),
        ] {
            match value {
                Some(value) if label.is_empty() => text.push_str(&format!("; {value}")),
                Some(value) => text.push_str(&format!("; {label}: {value}")),
                None => {}
            }
        }
        let drill = if self.drill { "DRILL: " } else { "" };
        format!("bg-shell: {drill}{text}")
    }

    /// Returns the names and values that a shape may show beside the text.
    pub fn fields(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("Person", &self.person),
            ("Role", &self.role),
            ("Account", &self.account),
            ("For", &self.length),
            ("Decided by", &self.decided_by),
            ("Incident", &self.incident),
            ("Reason", &self.reason),
            ("Request", &self.request),
            ("Session", &self.session),
            ("Detail", &self.detail),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect()
    }

    /// Returns what the messages of one access have in common: the request, or the session where there was none.
    pub fn thread(&self) -> String {
        let id = self.request.as_ref().or(self.session.as_ref()).cloned();
        format!("bg-shell/{}", id.unwrap_or_else(|| self.id.clone()))
    }
}

/// Returns text of somebody's as one harmless line.
fn line(text: &str) -> String {
    let safe = neutral(text);
    if safe.chars().count() <= TEXT_MAX {
        return safe;
    }
    safe.chars().take(TEXT_MAX - 1).chain(['…']).collect()
}

/// The most characters of one value.
const TEXT_MAX: usize = 400;
/// The most bytes of a report in a message.
const REPORT_MAX: usize = 49_152;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_names_who_decided_and_what_a_drill_is() {
        let message = Message {
            account: Some("123456789012".into()),
            ..Message::new(Occasion::Approved).role("two").person("alice").decided("bob", "1 of 2")
        };
        let said = "bob approved alice's request for two (1 of 2); account: 123456789012";
        assert_eq!(message.text(), format!("bg-shell: {said}"));
        let drill = Message { drill: true, ..message };
        assert_eq!(drill.text(), format!("bg-shell: DRILL: {said}"));
    }

    #[test]
    fn text_of_somebodys_is_neutral_and_bounded() {
        let message = Message::new(Occasion::Requested).reason(&"\u{202e}\x1b[2J".repeat(400));
        let reason = message.reason.clone().unwrap();
        assert_eq!(reason.chars().count(), TEXT_MAX);
        assert!(reason.starts_with("\\u{202e}\\x1b[2J") && reason.ends_with('…'));
        assert!(message.text().chars().all(|c| !c.is_control()));
    }
}
