//! The wire between bg-shell and a server: every request that passes is kept, and may meet a fault.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::wait::until;

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

/// When a fault applies.
type Matches = Box<dyn Fn(&Request) -> bool + Send>;

/// Which requests meet which fault, and how many of them still will.
struct Rule {
    matches: Matches,
    fault: Fault,
    left: u32,
}

/// A proxy on loopback.
pub struct Wire {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: u16,
    requests: Mutex<Vec<Request>>,
    faults: Mutex<Vec<Rule>>,
    listening: Mutex<Option<u32>>,
    turn: AtomicU32,
    begun: AtomicUsize,
}

impl Wire {
    /// Begins to listen, and passes everything on to a port of loopback.
    pub fn to(upstream: u16) -> Self {
        let shared = Arc::new(Shared {
            upstream,
            requests: Mutex::default(),
            faults: Mutex::default(),
            listening: Mutex::default(),
            turn: AtomicU32::new(0),
            begun: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let wire = Self { port: listener.local_addr().unwrap().port(), shared };
        wire.listen(listener);
        wire
    }

    /// Returns the endpoint to talk to.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns what passed so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// Returns the requests of one action.
    pub fn actions(&self, action: &str) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(|request| request.action().as_deref() == Some(action))
            .collect()
    }

    /// From now on, requests that match meet a fault. The newest rule wins.
    pub fn fault(&self, matches: impl Fn(&Request) -> bool + Send + 'static, fault: Fault) {
        self.rule(matches, fault, u32::MAX);
    }

    /// The next request that matches meets a fault, and no other one.
    pub fn fault_once(&self, matches: impl Fn(&Request) -> bool + Send + 'static, fault: Fault) {
        self.rule(matches, fault, 1);
    }

    fn rule(&self, matches: impl Fn(&Request) -> bool + Send + 'static, fault: Fault, left: u32) {
        lock(&self.shared.faults).insert(0, Rule { matches: Box::new(matches), fault, left });
    }

    /// From now on, every request meets a fault.
    pub fn fault_all(&self, fault: Fault) {
        self.fault(|_| true, fault);
    }

    /// No request meets a fault any more.
    pub fn heal(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Nobody listens any more: connections are refused.
    pub fn refuse(&self) {
        *lock(&self.shared.listening) = None;
        // The accepting thread sees it with the next connection, which is ours.
        until("a port where nobody listens", || TcpStream::connect(address(self.port)).is_err());
    }

    /// Listens again, at the same port.
    pub fn restore(&self) {
        self.listen(TcpListener::bind(address(self.port)).unwrap());
    }

    fn listen(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        let turn = shared.turn.fetch_add(1, Ordering::SeqCst);
        *lock(&shared.listening) = Some(turn);
        thread::spawn(move || {
            for client in listener.incoming() {
                if *lock(&shared.listening) != Some(turn) {
                    return;
                }
                let shared = Arc::clone(&shared);
                let client = client.unwrap();
                // A client that goes away in the middle is its own affair.
                thread::spawn(move || shared.exchange(client).unwrap_or(()));
            }
        });
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        *lock(&self.shared.listening) = None;
        TcpStream::connect(address(self.port)).map(drop).unwrap_or(());
    }
}

impl Shared {
    /// One request a connection: the answer says so.
    fn exchange(&self, mut client: TcpStream) -> io::Result<()> {
        let Some(mut request) = head(&mut client)? else { return Ok(()) };
        request.number = self.begun.fetch_add(1, Ordering::SeqCst);
        let fault = self.fault_of(&mut request, &mut client)?;
        let number = {
            let mut requests = lock(&self.requests);
            requests.push(request.clone());
            requests.len() - 1
        };
        let answer = match &fault {
            Some(Fault::BlackHole) => return silence(&mut client),
            Some(Fault::ResetUpload) => return reset(&client),
            Some(Fault::Status(status, code)) => refusal(&request, *status, code),
            Some(Fault::Swallow) => {
                b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
            }
            Some(Fault::Dated(late_s)) => dated(&self.upstream(&request)?, *late_s),
            _ => self.upstream(&request)?,
        };
        {
            let mut requests = lock(&self.requests);
            requests[number].status = status(&answer);
            requests[number].answer.clone_from(&answer);
        }
        deliver(&mut client, &answer, fault.as_ref())
    }

    /// Reads the body, unless a fault comes before its end.
    fn fault_of(&self, request: &mut Request, client: &mut TcpStream) -> io::Result<Option<Fault>> {
        let len = request.header("content-length").map_or(0, |len| len.parse().unwrap());
        if request.header("expect").is_some() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let early = self.matching(request, 0);
        let wanted = if matches!(early, Some(Fault::ResetUpload)) { len / 2 } else { len };
        if request.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            request.body = chunks(client)?;
        } else {
            let mut rest = vec![0; wanted - request.body.len().min(wanted)];
            client.read_exact(&mut rest)?;
            request.body.extend(rest);
        }
        Ok(self.matching(request, 1))
    }

    /// Returns the fault that a request meets, and counts it so many times.
    fn matching(&self, request: &Request, times: u32) -> Option<Fault> {
        let mut rules = lock(&self.faults);
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && (rule.matches)(request))?;
        rule.left -= times;
        Some(rule.fault.clone())
    }

    fn upstream(&self, request: &Request) -> io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(address(self.upstream))?;
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        for (name, value) in &request.headers {
            if !["connection", "expect", "transfer-encoding", "content-length"]
                .contains(&name.as_str())
            {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!(
            "content-length: {}\r\nconnection: close\r\n\r\n",
            request.body.len()
        ));
        server.write_all(head.as_bytes())?;
        server.write_all(&request.body)?;
        answer(&mut server, request.method == "HEAD")
    }
}

/// Reads an answer to its end: by its length where it names one, so that a server may keep the connection.
fn answer(server: &mut TcpStream, head_only: bool) -> io::Result<Vec<u8>> {
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

fn head(client: &mut TcpStream) -> io::Result<Option<Request>> {
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
fn chunks(client: &mut TcpStream) -> io::Result<Vec<u8>> {
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

fn deliver(client: &mut TcpStream, answer: &[u8], fault: Option<&Fault>) -> io::Result<()> {
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
fn dated(answer: &[u8], late_s: i64) -> Vec<u8> {
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
fn silence(client: &mut TcpStream) -> io::Result<()> {
    let mut nothing = [0; 1_024];
    while client.read(&mut nothing)? > 0 {}
    Ok(())
}

/// Closes with a reset (socket(7), SO_LINGER with a time of 0).
fn reset(client: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO))?)
}

/// Returns an error in the form of the service: JSON where the request has an `x-amz-target`, else XML.
fn refusal(request: &Request, status: u16, code: &str) -> Vec<u8> {
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

fn status(answer: &[u8]) -> u16 {
    String::from_utf8_lossy(&answer[..answer.len().min(12)])
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
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

/// A date as HTTP has it (RFC 9110, 5.6.7), for date(1).
const HTTP_DATE: &str = "+%a, %d %b %Y %H:%M:%S GMT";

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
