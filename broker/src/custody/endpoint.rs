//! The container-credentials endpoint: how a session's tools find its credentials with nothing set by hand.
//!
//! It listens on loopback only, answers who knows the session's path and token, and answers from memory: the SDKs
//! give up after two seconds.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use bg_aws::edge::Edge;
use bg_recorder::clock::Clock;
use data_encoding::HEXLOWER;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use crate::custody::vault::{Answer, Vault};

/// An endpoint that listens. Dropping it closes it.
pub struct Endpoint {
    desk: Arc<Desk>,
    accepting: JoinHandle<()>,
}

/// What every answer needs.
struct Desk {
    address: SocketAddr,
    path: String,
    token: Zeroizing<String>,
    vault: Arc<Vault>,
    clock: Arc<dyn Clock>,
}

impl Endpoint {
    /// Listens on a free port of loopback, for one session.
    ///
    /// # Errors
    /// When there is no port or no randomness.
    pub fn bind(edge: &Edge, vault: Arc<Vault>, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let desk = Desk {
            address: listener.local_addr()?,
            path: format!("/credentials/{}", *random()?),
            token: random()?,
            vault,
            clock,
        };
        let desk = Arc::new(desk);
        let runtime = edge.runtime();
        let listener = {
            let _entered = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let accepting = runtime.spawn(accept(listener, Arc::clone(&desk)));
        Ok(Self { desk, accepting })
    }

    /// Returns the value of `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.desk.address, self.desk.path)
    }

    /// Lends the value of `AWS_CONTAINER_AUTHORIZATION_TOKEN`.
    pub fn token(&self) -> &str {
        &self.desk.token
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({})", self.desk.address)
    }
}

async fn accept(listener: tokio::net::TcpListener, desk: Arc<Desk>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    while let Ok(seat) = Arc::clone(&room).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = Arc::clone(&desk);
                tokio::spawn(async move {
                    converse(stream, desk).await;
                    drop(seat);
                });
            }
            // Out of descriptors, or a caller that has gone again: the next one may be luckier.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Answers one request. A caller that goes away, talks too long or too slowly is not waited for.
async fn converse(stream: TcpStream, desk: Arc<Desk>) {
    let service = service_fn(move |request| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(&request)) }
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_buf_size(REQUEST_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    drop(tokio::time::timeout(CONVERSATION_PATIENCE, conversation).await);
}

impl Desk {
    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if let Err(why) = self.entitled(request) {
            return refusal(StatusCode::FORBIDDEN, why);
        }
        match self.vault.answer(self.clock.now()) {
            Answer::Credentials(body) => reply(StatusCode::OK, Bytes::from_owner(body)),
            Answer::NotYet(why) => refusal(StatusCode::SERVICE_UNAVAILABLE, why),
            Answer::Over(why) => refusal(StatusCode::FORBIDDEN, why),
        }
    }

    fn entitled(&self, request: &Request<Incoming>) -> Result<(), &'static str> {
        let header = |name| request.headers().get(name).map_or(&b""[..], |value| value.as_bytes());
        // A browser that was given another name for this address sends that name.
        let hosts = [self.address.to_string(), format!("localhost:{}", self.address.port())];
        if !hosts.iter().any(|host| header(HOST).eq_ignore_ascii_case(host.as_bytes())) {
            return Err("the Host header is not this endpoint");
        }
        if request.method() != Method::GET || request.uri().query().is_some() {
            return Err("only a GET without a query is answered");
        }
        let path = same(request.uri().path().as_bytes(), self.path.as_bytes());
        let token = same(header(AUTHORIZATION), self.token.as_bytes());
        if path && token {
            Ok(())
        } else {
            Err("the path or the authorization token is not this session's")
        }
    }
}

fn same(given: &[u8], right: &[u8]) -> bool {
    verify_slices_are_equal(given, right).is_ok()
}

/// The SDKs show `message` to whoever asked.
fn refusal(status: StatusCode, why: &str) -> Response<Full<Bytes>> {
    let code = if status == StatusCode::FORBIDDEN { "AccessDenied" } else { "NotReady" };
    reply(
        status,
        Bytes::from(json!({"code": code, "message": format!("bg-shell: {why}")}).to_string()),
    )
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, hyper::header::HeaderValue::from_static("no-store"));
    response
}

fn random() -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(&mut bytes[..]).map_err(|_| io::Error::other("no randomness"))?;
    Ok(Zeroizing::new(HEXLOWER.encode(&bytes[..])))
}

/// A session's tools ask once in a while; a fork bomb of them waits in the backlog.
const CONNECTIONS_MAX: usize = 64;
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Who has every seat taken by callers that say nothing keeps nobody waiting for as long as an SDK waits.
const HEADER_PATIENCE: Duration = Duration::from_secs(1);
const CONVERSATION_PATIENCE: Duration = Duration::from_millis(1_500);
const REQUEST_MAX: usize = 16_384;

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use aws_credential_types::Credentials;
    use bg_aws::edge::Reach;
    use bg_recorder::clock::SystemClock;
    use serde_json::Value;

    use bg_recorder::stamp::Stamp;

    use super::*;
    use crate::custody::credentials::Issued;

    struct Visit {
        vault: Arc<Vault>,
        endpoint: Endpoint,
    }

    impl Visit {
        fn new() -> Self {
            let reach = Reach { region: Some("us-east-1".into()), ..Reach::default() };
            let vault = Arc::new(Vault::default());
            let endpoint = Endpoint::bind(
                &Edge::open(&reach).unwrap(),
                Arc::clone(&vault),
                Arc::new(SystemClock),
            )
            .unwrap();
            Self { vault, endpoint }
        }

        fn open(&self) {
            let credentials =
                Credentials::new("ASIA1", "secret", Some("token".into()), None, "test");
            let hour = Stamp(SystemClock.wall_us() + 3_600_000_000);
            self.vault.put(Issued::new(credentials, "AROA1:bg-1".into(), hour, None), hour);
        }

        fn say(&self, request: &str) -> (u16, Value) {
            let mut stream = std::net::TcpStream::connect(self.endpoint.desk.address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            (status, serde_json::from_str(body).unwrap_or_default())
        }

        fn ask(&self, line: &str, host: &str, token: &str) -> (u16, Value) {
            self.say(&format!("{line} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n\r\n"))
        }

        fn right(&self) -> (u16, Value) {
            let desk = &self.endpoint.desk;
            self.ask(
                &format!("GET {}", desk.path),
                &desk.address.to_string(),
                self.endpoint.token(),
            )
        }
    }

    #[test]
    fn who_knows_path_and_token_gets_credentials_while_the_access_lives() {
        let visit = Visit::new();
        let (status, said) = visit.right();
        assert_eq!((status, &said["code"]), (503, &"NotReady".into()));
        visit.open();
        let (status, said) = visit.right();
        assert_eq!(
            (status, &said["AccessKeyId"], &said["Token"]),
            (200, &"ASIA1".into(), &"token".into())
        );
        visit.vault.close("the session is over");
        let (status, said) = visit.right();
        assert_eq!((status, &said["message"]), (403, &"bg-shell: the session is over".into()));
        assert_eq!(visit.vault.served(), 1);
    }

    #[test]
    fn everybody_else_is_refused() {
        let visit = Visit::new();
        visit.open();
        let desk = &visit.endpoint.desk;
        let get = format!("GET {}", desk.path);
        let host = desk.address.to_string();
        let token = visit.endpoint.token();
        let port = desk.address.port();
        for (line, host, token) in [
            (get.as_str(), host.as_str(), ""),
            (&get, &host, "Bearer"),
            (&get, &host, &token[1..]),
            (&get, &format!("evil.example:{port}"), token),
            (&get, "127.0.0.1", token),
            (&get, "", token),
            ("GET /", &host, token),
            (&format!("{get}?x=1"), &host, token),
            (&format!("POST {}", desk.path), &host, token),
        ] {
            let (status, said) = visit.ask(line, host, token);
            assert_eq!(
                (status, &said["code"]),
                (403, &"AccessDenied".into()),
                "{line} {host} {token}"
            );
        }
        assert_eq!(visit.vault.served(), 0);
    }

    #[test]
    fn a_caller_that_says_nothing_or_too_much_is_let_go() {
        let visit = Visit::new();
        visit.open();
        let quiet = std::net::TcpStream::connect(visit.endpoint.desk.address).unwrap();
        assert_eq!(visit.right().0, 200);
        let (status, _) =
            visit.say(&format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(32_768)));
        assert_eq!(status, 431);
        quiet.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert!((&quiet).read_to_end(&mut Vec::new()).is_ok());
    }

    #[test]
    fn callers_that_take_every_seat_and_say_nothing_starve_nobody() {
        let visit = Visit::new();
        visit.open();
        let address = visit.endpoint.desk.address;
        let quiet: Vec<_> =
            (0..CONNECTIONS_MAX).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let asked = std::time::Instant::now();
        assert_eq!(visit.right().0, 200);
        assert!(
            asked.elapsed() < Duration::from_secs(2),
            "an SDK has given up: {:?}",
            asked.elapsed()
        );
        drop(quiet);
    }

    #[test]
    fn it_listens_on_loopback_and_is_gone_when_dropped() {
        let visit = Visit::new();
        let address = visit.endpoint.desk.address;
        assert!(address.ip().is_loopback());
        assert!(visit.endpoint.url().starts_with("http://127.0.0.1:"));
        drop(visit);
        let gone = || std::net::TcpStream::connect(address).is_err();
        let since = std::time::Instant::now();
        while !gone() && since.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
        }
        assert!(gone());
    }
}
