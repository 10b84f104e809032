//! Requests and answers of HTTP/1.1, as they stand on the wire.

use std::io::{self, Read as _};
use std::net::TcpStream;

/// A request that passed, or tried to.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// How many came before it.
    pub number: usize,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it was sent.
    pub body: Vec<u8>,
    /// The status that came back; 0 when none did.
    pub status: u16,
    /// What the server answered, whether or not that arrived.
    pub answer: Vec<u8>,
}

impl Request {
    /// Returns a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Returns the action of a query or JSON protocol, such as `AssumeRole` or `Sign`.
    pub fn action(&self) -> Option<String> {
        let target = self.header("x-amz-target").and_then(|target| target.rsplit('.').next());
        target.map(ToOwned::to_owned).or_else(|| self.parameter("Action"))
    }

    /// Returns a parameter of a form body, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let body = String::from_utf8_lossy(&self.body);
        let value = body.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
        Some(percent_decoded(value))
    }
}

/// Reads an answer to its end: by its length where it names one, so that a server may keep the connection.
pub(super) fn answer(server: &mut TcpStream, head_only: bool) -> io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    let mut chunk = vec![0; 65_536];
    loop {
        if let Some(end) = find(&answer, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
            let len = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if head_only || len.is_some_and(|len: usize| answer.len() >= end + 4 + len) {
                return Ok(answer);
            }
        }
        match server.read(&mut chunk)? {
            0 => return Ok(answer),
            read => answer.extend(&chunk[..read]),
        }
    }
}

pub(super) fn head(client: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = find(&bytes, b"\r\n\r\n") {
            break end;
        }
        let mut chunk = [0; 4_096];
        match client.read(&mut chunk)? {
            0 => return Ok(None),
            read => bytes.extend(&chunk[..read]),
        }
    };
    let text = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = text.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').map(ToOwned::to_owned);
    let header = |line: &str| {
        line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
    };
    Ok(Some(Request {
        method: words.next().unwrap_or_default(),
        target: origin(&words.next().unwrap_or_default()).to_owned(),
        headers: lines.filter_map(header).collect(),
        body: bytes[end + 4..].to_vec(),
        ..Request::default()
    }))
}

/// Returns a target as the server wants it: whoever takes the wire for a proxy names the server, too.
fn origin(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://") else { return target };
    rest.find('/').map_or("/", |path| &rest[path..])
}

/// Reads a chunked body, without its coding.
pub(super) fn chunks(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let len =
            usize::from_str_radix(line(client)?.split(';').next().unwrap_or_default().trim(), 16);
        let len = len.map_err(io::Error::other)?;
        let mut chunk = vec![0; len];
        client.read_exact(&mut chunk)?;
        body.extend(chunk);
        line(client)?;
        if len == 0 {
            return Ok(body);
        }
    }
}

fn line(client: &mut TcpStream) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        client.read_exact(&mut byte)?;
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

pub(super) fn status(answer: &[u8]) -> u16 {
    String::from_utf8_lossy(&answer[..answer.len().min(12)])
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

pub(super) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let hex: String = rest.by_ref().take(2).map(char::from).collect();
                bytes.push(u8::from_str_radix(&hex, 16).unwrap());
            }
            b'+' => bytes.push(b' '),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).unwrap()
}
