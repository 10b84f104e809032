//! A copy of a session's credentials, as somebody might take it: what proves, from outside, that an access is over.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_credential_types::Credentials;
use bg_aws::edge::Edge;
use bg_recorder::clock::SystemClock;
use bg_recorder::stamp::Stamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::account::probe::{self, Proof};
use crate::config::{Probe, RoleConfig};
use crate::drill::log::Wrong;
use crate::world::World;

pub struct Copy {
    edge: Edge,
    probe: Probe,
}

/// What the endpoint answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: String,
}

impl Copy {
    /// Asks a session's endpoint, as its tools do.
    ///
    /// # Errors
    /// When it does not answer with credentials.
    pub fn take(world: &World, role: &RoleConfig, url: &str, token: &str) -> Result<Self, Wrong> {
        let body =
            fetch(url, token).map_err(|e| Wrong::Saw(format!("the credentials endpoint: {e}")))?;
        let answer: Answer = serde_json::from_str(&body)
            .map_err(|_| "the credentials endpoint gave no credentials")?;
        // They move into what is zeroed.
        let Answer { access_key_id, secret_access_key, token } = answer;
        let credentials =
            Credentials::new(access_key_id, secret_access_key, Some(token), None, "bg-shell drill");
        let edge = world.edge(None)?;
        Ok(Self { edge: edge.with_credentials(credentials), probe: role.probe })
    }

    /// Waits until it works.
    ///
    /// # Errors
    /// When it does not.
    pub fn works(&self) -> Result<String, Wrong> {
        let action = self.probe.action();
        probe::allowed(&self.edge, self.probe, PATIENCE, &SystemClock)?;
        Ok(format!("{action} works"))
    }

    /// Waits until it is denied explicitly, three times in a row.
    ///
    /// # Errors
    /// When it is not.
    pub fn is_denied(&self) -> Result<String, Wrong> {
        let action = self.probe.action();
        let proof = probe::denied(&self.edge, self.probe, Stamp(u64::MAX), PATIENCE, &SystemClock);
        match proof? {
            Proof::Denied { .. } => {
                Ok(format!("{action} with a copy of its credentials is denied"))
            }
            Proof::Expired => {
                Ok(format!("the copy of its credentials has expired before {action} was denied"))
            }
        }
    }
}

fn fetch(url: &str, token: &str) -> std::io::Result<Zeroizing<String>> {
    let rest = url.trim_start_matches("http://");
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request =
        format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: {token}\r\n\r\n");
    stream.write_all(Zeroizing::new(request).as_bytes())?;
    let mut answer = Zeroizing::new(String::new());
    stream.take(ANSWER_MAX).read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    if head.starts_with("HTTP/1.1 200 ") {
        return Ok(Zeroizing::new(body.to_owned()));
    }
    Err(std::io::Error::other(head.lines().next().unwrap_or("no answer").to_owned()))
}

const ANSWER_MAX: u64 = 65_536;
const PATIENCE: Duration = Duration::from_secs(60);
