//! A receiver of webhooks: a real HTTP server on a port of its own, which can also say no, or nothing.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use super::wait::until;

/// The server. Its thread ends with the test.
pub struct Hook {
    /// Where it listens.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    manner: Mutex<Manner>,
    received: Mutex<Vec<Delivery>>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The request line.
    pub line: String,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its exact body.
    pub body: Vec<u8>,
}

/// How it behaves.
#[derive(Debug, Clone, Copy)]
pub enum Manner {
    /// Answers with that status.
    Answers(u16),
    /// Sends whoever asks to that port of this machine.
    Redirects(u16),
    /// Takes connections and never answers.
    Silent,
}

impl Hook {
    /// Starts one.
    pub fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared { manner: Mutex::new(manner), received: Mutex::default() });
        let theirs = Arc::clone(&shared);
        thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let theirs = Arc::clone(&theirs);
                let manner = *theirs.manner.lock().unwrap();
                match manner {
                    Manner::Answers(status) => {
                        drop(thread::spawn(move || {
                            serve(stream, &format!("{status} x"), &theirs.received)
                        }));
                    }
                    Manner::Redirects(port) => {
                        let answer =
                            format!("307 x\r\nlocation: http://127.0.0.1:{port}/elsewhere");
                        drop(thread::spawn(move || serve(stream, &answer, &theirs.received)));
                    }
                    Manner::Silent => silent.push(stream),
                }
            }
        });
        Self { port, shared }
    }

    /// Behaves otherwise from now on.
    pub fn change(&self, manner: Manner) {
        *self.shared.manner.lock().unwrap() = manner;
    }

    /// Returns its URL, with a path that is as good as a secret.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/services/T0/B0/path-secret", self.port)
    }

    /// Returns what was received so far.
    pub fn received(&self) -> Vec<Delivery> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Waits for so many deliveries.
    pub fn wait_for(&self, count: usize) -> Vec<Delivery> {
        until("deliveries", || self.received().len() >= count);
        self.received()
    }
}

impl Delivery {
    /// Returns a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn serve(stream: TcpStream, answer: &str, received: &Mutex<Vec<Delivery>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    loop {
        let mut line = String::new();
        if !reader.read_line(&mut line).is_ok_and(|len| len > 0) {
            return;
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim_end().split_once(": ") else { break };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        let len = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .map_or(0, |(_, len)| len.parse().unwrap());
        let mut body = vec![0; len];
        reader.read_exact(&mut body).unwrap();
        let delivery = Delivery { line: line.trim_end().to_owned(), headers, body };
        received.lock().unwrap().push(delivery);
        write!(writer, "HTTP/1.1 {answer}\r\ncontent-length: 2\r\n\r\nno").unwrap();
    }
}
