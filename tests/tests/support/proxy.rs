//! A network between bg-shell and a server, that fails as networks do.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It arrives.
    Fair,
    /// Nothing arrives, and nobody says so.
    Hang,
    /// One PUT arrives, and its answer is lost; then it is fair again.
    LosePut,
}

/// A proxy in front of one port.
pub struct Proxy {
    weather: Arc<AtomicU8>,
    port: u16,
}

impl Proxy {
    /// Starts one. Its threads end with the test program.
    pub fn start(to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let weather = Arc::new(AtomicU8::new(Weather::Fair as u8));
        let theirs = Arc::clone(&weather);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", to)).unwrap());
                join(&client, &server, &theirs);
            }
        });
        Self { weather, port }
    }

    /// Changes the weather, also for connections that are there.
    pub fn turn(&self, weather: Weather) {
        self.weather.store(weather as u8, Ordering::SeqCst);
    }

    /// Returns its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn join(client: &TcpStream, server: &TcpStream, weather: &Arc<AtomicU8>) {
    let put = Arc::new(AtomicU8::new(0));
    let (c, s, w, p) =
        (client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(weather), Arc::clone(&put));
    thread::spawn(move || {
        carry(c, s, &w, |bytes| {
            p.fetch_max(u8::from(bytes.starts_with(b"PUT ")), Ordering::SeqCst);
            true
        });
    });
    let (c, s, w) = (client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(weather));
    thread::spawn(move || {
        let lose = Weather::LosePut as u8;
        carry(s, c, &w.clone(), |_| {
            let lost = put.load(Ordering::SeqCst) == 1
                && w.compare_exchange(lose, Weather::Fair as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok();
            !lost
        });
    });
}

/// Carries bytes one way until either side, the weather or `goes_on` ends it.
fn carry(mut from: TcpStream, mut to: TcpStream, weather: &AtomicU8, mut goes_on: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 65_536];
    while let Ok(len @ 1..) = from.read(&mut bytes) {
        if weather.load(Ordering::SeqCst) == Weather::Hang as u8 {
            continue;
        }
        if !goes_on(&bytes[..len]) || to.write_all(&bytes[..len]).is_err() {
            break;
        }
    }
    for side in [from, to] {
        side.shutdown(Shutdown::Both).unwrap_or(());
    }
}
