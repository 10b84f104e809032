//! Who is told: an access that nobody hears of is one that nobody stops.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use super::eyes::Eyes;
use super::finding::Finding;
use crate::config::Webhook;

/// Checks the topic and the webhooks. Nothing is sent.
pub fn check(eyes: &Eyes<'_>, findings: &mut Vec<Finding>) {
    let notify = &eyes.world.config.notify;
    if notify.topic.is_none() && notify.webhooks.is_empty() && !eyes.world.is_practice() {
        let why = "approvers do not hear of requests, and nobody hears of an override";
        findings.push(Finding::warn(
            "notify",
            "nobody is told",
            why,
            "name a topic or a webhook in [notify]",
        ));
    }
    if let Some(topic) = &notify.topic {
        let call = eyes.sns.get_topic_attributes().topic_arn(topic);
        findings.push(match eyes.see("sns:GetTopicAttributes", call.send()) {
            Ok(_) => Finding::ok("notify topic", topic.rsplit(':').next().unwrap_or(topic)),
            Err(e) => Finding::unseen("notify topic", &e),
        });
    }
    for webhook in &notify.webhooks {
        findings.push(reached(webhook));
    }
}

fn reached(webhook: &Webhook) -> Finding {
    let place = place(&webhook.url);
    let check = format!("notify {}", place.split(':').next().unwrap_or_default());
    if let Some(secret) = webhook.secret.as_ref().filter(|secret| std::fs::read(secret).is_err()) {
        let why = "nothing can be sent without it";
        return Finding::fail(
            check,
            format!("cannot read {}", secret.display()),
            why,
            "see webhooks.secret",
        );
    }
    let addresses = place.to_socket_addrs().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    if addresses.iter().any(|address| TcpStream::connect_timeout(address, PATIENCE).is_ok()) {
        return Finding::ok(check, format!("{place} answers"));
    }
    let why = "who is to hear from it hears nothing";
    Finding::fail(
        check,
        format!("{place} does not answer"),
        why,
        "check webhooks.url and the network",
    )
}

/// Returns `host:port` of a URL.
fn place(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let has_port = host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok());
    match (has_port, scheme) {
        (true, _) => host.to_owned(),
        (false, "http") => format!("{host}:80"),
        (false, _) => format!("{host}:443"),
    }
}

const PATIENCE: Duration = Duration::from_secs(3);
