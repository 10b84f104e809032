//! What may happen to a request, or to its answer, on the way.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::http::{Request, find};

/// What may happen to a request on its way.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nobody answers: the connection stays open and silent.
    BlackHole,
    /// The connection is reset when half of the request has been read.
    ResetUpload,
    /// The server does it; its answer is cut in half by a reset.
    ResetAnswer,
    /// The server does it; its answer ends in the middle, politely.
    Truncate,
    /// The server's answer comes this many bytes at a time, 20 times a second.
    Slow(usize),
    /// The server is never asked: this status comes back, with an error code in the form that the service uses.
    Status(u16, &'static str),
    /// The server is never asked: success comes back.
    Swallow,
    /// The server's answer says that it is so many seconds later than it is.
    Dated(i64),
}

pub(super) fn deliver(
    client: &mut TcpStream,
    answer: &[u8],
    fault: Option<&Fault>,
) -> io::Result<()> {
    match fault {
        Some(Fault::ResetAnswer) => {
            client.write_all(&answer[..answer.len() / 2])?;
            return reset(client);
        }
        Some(Fault::Truncate) => client.write_all(&answer[..answer.len() - answer.len().min(8)])?,
        Some(Fault::Slow(bytes)) => {
            for piece in answer.chunks((*bytes).max(1)) {
                client.write_all(piece)?;
                thread::park_timeout(Duration::from_millis(50));
            }
        }
        _ => client.write_all(answer)?,
    }
    client.shutdown(Shutdown::Write)
}

/// Returns an answer with another date.
pub(super) fn dated(answer: &[u8], late_s: i64) -> Vec<u8> {
    let end = find(answer, b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let is_date = |line: &&str| line.to_ascii_lowercase().starts_with("date:");
    let mut lines: Vec<&str> = head.split("\r\n").filter(|line| !is_date(line)).collect();
    let words = ["-u".to_owned(), format!("-d{late_s} seconds"), HTTP_DATE.to_owned()];
    let date = Command::new("date").env("LC_ALL", "C").args(words).output().unwrap();
    assert!(date.status.success(), "{date:?}");
    let date = format!("date: {}", String::from_utf8_lossy(&date.stdout).trim_end());
    lines.push(&date);
    [lines.join("\r\n").as_bytes(), &answer[end..]].concat()
}

/// Holds the connection until the client gives up.
pub(super) fn silence(client: &mut TcpStream) -> io::Result<()> {
    let mut nothing = [0; 1_024];
    while client.read(&mut nothing)? > 0 {}
    Ok(())
}

/// Closes with a reset (socket(7), SO_LINGER with a time of 0).
pub(super) fn reset(client: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO))?)
}

/// Returns an error in the form of the service: JSON where the request has an `x-amz-target`, else XML.
pub(super) fn refusal(request: &Request, status: u16, code: &str) -> Vec<u8> {
    let id = "00000000-0000-4000-8000-0000000fa017";
    let (kind, body) = if request.header("x-amz-target").is_some() {
        ("application/x-amz-json-1.1", format!(r#"{{"__type":"{code}","message":"injected"}}"#))
    } else if request.parameter("Action").is_some() {
        let error = format!(
            "<Error><Type>Sender</Type><Code>{code}</Code><Message>injected</Message></Error>"
        );
        ("text/xml", format!("<ErrorResponse>{error}<RequestId>{id}</RequestId></ErrorResponse>"))
    } else {
        (
            "application/xml",
            format!(
                "<Error><Code>{code}</Code><Message>injected</Message><RequestId>{id}</RequestId></Error>"
            ),
        )
    };
    let body = if request.method == "HEAD" { String::new() } else { body };
    format!(
        "HTTP/1.1 {status} Injected\r\ncontent-type: {kind}\r\nx-amzn-requestid: {id}\r\nx-amz-request-id: {id}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A date as HTTP has it (RFC 9110, 5.6.7), for date(1).
const HTTP_DATE: &str = "+%a, %d %b %Y %H:%M:%S GMT";
