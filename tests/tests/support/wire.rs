//! What goes over the wire: a listener between us and a server of plain HTTP, that passes bytes on and keeps those of
//! the requests.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A recording wire.
pub struct Wire {
    /// Where to call, instead of the server.
    pub url: String,
    said: Arc<Mutex<Vec<Arc<Mutex<Vec<u8>>>>>>,
}

impl Wire {
    /// Lays a wire to a server such as `http://127.0.0.1:4566`. It lies until the test program ends.
    pub fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (server, said) = (server.trim_start_matches("http://").to_owned(), Arc::default());
        let conversations: Arc<Mutex<Vec<_>>> = Arc::clone(&said);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let heard = Arc::new(Mutex::new(Vec::new()));
                conversations.lock().unwrap().push(Arc::clone(&heard));
                let (back, from) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || pass(client, server, |bytes| heard.lock().unwrap().extend(bytes)));
                thread::spawn(move || pass(from, back, |_| ()));
            }
        });
        Self { url, said }
    }

    /// Returns the parameters of every request of the query protocol (STS, IAM) with this action.
    pub fn queries(&self, action: &str) -> Vec<BTreeMap<String, String>> {
        let conversations = self.said.lock().unwrap();
        let bodies = conversations.iter().flat_map(|heard| bodies(&heard.lock().unwrap()));
        let queries = bodies.map(|body| form(&body));
        queries.filter(|query| query.get("Action").is_some_and(|is| is == action)).collect()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut keep: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        keep(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    // Whoever hung up needs no telling.
    to.shutdown(Shutdown::Write).unwrap_or(());
}

/// Returns the bodies of the requests on one connection, as far as their lengths are told.
fn bodies(mut heard: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&heard[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        heard = &heard[end + 4..];
        let body = &heard[..length.min(heard.len())];
        bodies.push(body.to_vec());
        heard = &heard[body.len()..];
    }
    bodies
}

fn form(body: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(body);
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (plain(name), plain(value))).collect()
}

/// Undoes percent encoding.
fn plain(text: &str) -> String {
    let (mut plain, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => {
                let hex: String = bytes.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&hex, 16).unwrap()
            }
            other => other,
        });
    }
    String::from_utf8(plain).unwrap()
}
