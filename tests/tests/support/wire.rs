//! The wire between bg-shell and a server: every request that passes is kept, and may meet a fault.

mod fault;
mod http;

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

pub use self::fault::Fault;
use self::fault::{dated, deliver, refusal, reset, silence};
pub use self::http::Request;
use self::http::{answer, chunks, head, status};
use super::wait::until;

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

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
