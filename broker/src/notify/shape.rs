//! The bodies that different receivers take.

use serde_json::{Value, json};

use super::message::{Message, Occasion};
use crate::config::WebhookShape;

/// Returns the body for a receiver, or `None` where it is not for it. PagerDuty's routing key comes later.
pub fn body(shape: WebhookShape, message: &Message) -> Option<Value> {
    match shape {
        WebhookShape::Generic => Some(generic(message)),
        WebhookShape::Slack => Some(slack(message)),
        WebhookShape::Pagerduty => pagerduty(message),
        WebhookShape::Ticket => Some(ticket(message)),
    }
}

/// Our own form (docs/REPORT.md).
pub fn generic(message: &Message) -> Value {
    let mut body = json!({
        "v": message.v, "id": message.id, "event": message.event, "at": message.at, "by": message.by,
        "text": message.text(), "drill": message.drill,
    });
    let named = [
        ("session", &message.session),
        ("request", &message.request),
        ("incident", &message.incident),
        ("role", &message.role),
        ("person", &message.person),
        ("reason", &message.reason),
        ("decided_by", &message.decided_by),
        ("approvals", &message.approvals),
        ("account", &message.account),
        ("length", &message.length),
        ("detail", &message.detail),
    ];
    if let Some(members) = body.as_object_mut() {
        members.extend(named.map(|(name, value)| (name.to_owned(), json!(value))));
    }
    body
}

/// A ticket: created at the request, or where an access began without one; updated from then on. Who receives it
/// creates what is missing and updates what is there, by `key`.
fn ticket(message: &Message) -> Value {
    let creates = matches!(message.event, Occasion::Requested | Occasion::Overridden);
    let mut body = generic(message);
    if let Some(members) = body.as_object_mut() {
        members.insert("action".into(), json!(if creates { "create" } else { "update" }));
        members.insert("ticket".into(), json!(message.incident));
        members.insert("key".into(), json!(message.thread()));
        members.insert("report".into(), json!(message.report));
    }
    body
}

/// Slack's incoming webhook. Fields are plain text, which Slack never interprets; the line for the notification
/// is escaped, and shows no preview of a link that somebody put into a reason.
fn slack(message: &Message) -> Value {
    let text = |text: String| json!({"type": "plain_text", "text": text, "emoji": false});
    let fields = message.fields().into_iter().map(|(name, value)| text(format!("{name}: {value}")));
    json!({
        "text": slack_escaped(&message.text()),
        "unfurl_links": false, "unfurl_media": false, "link_names": false,
        "blocks": [
            {"type": "section", "text": text(message.text().chars().take(SLACK_TEXT_MAX).collect())},
            {"type": "section", "fields": fields.collect::<Vec<_>>()},
        ],
    })
}

/// Escapes as Slack asks for (`&`, `<`, `>`): what is left can be no `<!channel>` and no `<@user>`.
fn slack_escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// PagerDuty's Events API v2: everything of one access is one incident, which its proper end resolves.
fn pagerduty(message: &Message) -> Option<Value> {
    let severity = match message.event {
        Occasion::Requested | Occasion::DeadlineNear | Occasion::Outage => Some("warning"),
        Occasion::Approved | Occasion::Opened | Occasion::Extended | Occasion::OutageOver => {
            Some("info")
        }
        Occasion::Overridden
        | Occasion::RevokePending
        | Occasion::DenyRestored
        | Occasion::Exposed => Some("critical"),
        Occasion::Denied | Occasion::Cancelled | Occasion::Revoked => None,
        // They would open again what the revocation resolved.
        Occasion::Closed | Occasion::Report => return None,
    };
    let Some(severity) = severity else {
        let action = json!({"event_action": "resolve", "dedup_key": message.thread()});
        return Some(action);
    };
    // A drill wakes nobody up.
    let severity = if message.drill { "info" } else { severity };
    // That an access is over changes no secret: what was shown stays open.
    let key = match message.event {
        Occasion::Exposed => format!("{}/exposed", message.thread()),
        _ => message.thread(),
    };
    let summary: String = message.text().chars().take(PAGERDUTY_SUMMARY_MAX).collect();
    Some(json!({
        "event_action": "trigger", "dedup_key": key,
        "payload": {
            "summary": summary, "source": message.by, "severity": severity, "timestamp": message.at,
            "component": "bg-shell", "group": message.role, "class": message.event,
            "custom_details": generic(message),
        },
    }))
}

/// Slack's limit is 3,000.
const SLACK_TEXT_MAX: usize = 2_900;
/// PagerDuty's limit.
const PAGERDUTY_SUMMARY_MAX: usize = 1_024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(event: Occasion) -> Message {
        Message::new(event).request("r-1").session("s-1").role("prod").person("alice")
    }

    #[test]
    fn one_access_is_one_pagerduty_incident() {
        let of = |event| body(WebhookShape::Pagerduty, &message(event));
        let requested = of(Occasion::Requested).unwrap();
        let revoked = of(Occasion::Revoked).unwrap();
        assert_eq!(
            (&requested["event_action"], &revoked["event_action"]),
            (&"trigger".into(), &"resolve".into())
        );
        assert_eq!(requested["dedup_key"], "bg-shell/r-1");
        assert_eq!(requested["dedup_key"], revoked["dedup_key"]);
        assert_eq!(of(Occasion::Overridden).unwrap()["payload"]["severity"], "critical");
        assert!(of(Occasion::Report).is_none());
    }

    #[test]
    fn a_ticket_is_created_once_and_then_updated() {
        let of = |event| body(WebhookShape::Ticket, &message(event).incident("INC-7")).unwrap();
        assert_eq!(of(Occasion::Requested)["action"], "create");
        let report = body(WebhookShape::Ticket, &message(Occasion::Report).report("# R")).unwrap();
        assert_eq!((&report["action"], &report["report"]), (&"update".into(), &"# R".into()));
        assert_eq!(of(Occasion::Closed)["ticket"], "INC-7");
    }

    proptest! {
        #[test]
        fn nothing_in_slack_text_is_a_mention_or_a_link(reason in "([<>&!@#|a-z]|<!channel>|<@U1>|&lt;){0,40}") {
            let body = body(WebhookShape::Slack, &message(Occasion::Requested).reason(&reason)).unwrap();
            let text = body["text"].as_str().unwrap();
            prop_assert!(!text.contains(['<', '>']));
            let back = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
            prop_assert!(back.contains(&reason));
            for block in body["blocks"].as_array().unwrap() {
                let fields = block["fields"].as_array().cloned().unwrap_or_else(|| vec![block["text"].clone()]);
                prop_assert!(fields.iter().all(|field| field["type"] == "plain_text"));
            }
        }
    }
}
