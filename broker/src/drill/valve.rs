//! A way to a server that can be shut: what is forwarded breaks, and nothing new is taken.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A forwarder on loopback.
pub struct Valve {
    address: SocketAddr,
    state: Arc<Mutex<Flow>>,
}

/// What runs through it.
#[derive(Default)]
struct Flow {
    shut: bool,
    streams: Vec<TcpStream>,
}

impl Valve {
    /// Opens a way to `http://host:port`.
    ///
    /// # Errors
    /// When there is no port, or no such host.
    pub fn open(url: &str) -> io::Result<Self> {
        let authority = url.trim_start_matches("http://").trim_end_matches('/');
        let with_port =
            if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        let to =
            with_port.to_socket_addrs()?.next().ok_or_else(|| io::Error::other("no such host"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let valve = Self { address: listener.local_addr()?, state: Arc::default() };
        let state = Arc::clone(&valve.state);
        thread::Builder::new().name("valve".into()).spawn(move || take(&listener, to, &state))?;
        Ok(valve)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Shuts it: now, and for good.
    pub fn shut(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.shut = true;
        for stream in state.streams.drain(..) {
            // One that has ended needs no end.
            stream.shutdown(Shutdown::Both).unwrap_or(());
        }
    }
}

fn take(listener: &TcpListener, to: SocketAddr, state: &Arc<Mutex<Flow>>) {
    for client in listener.incoming().filter_map(Result::ok) {
        let Ok(server) = TcpStream::connect(to) else { continue };
        let ends = [client.try_clone(), server.try_clone()];
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(ends) = ends.into_iter().collect::<io::Result<Vec<_>>>() else { continue };
        if state.shut {
            continue;
        }
        state.streams.extend(ends);
        drop(state);
        both_ways(client, server);
    }
}

fn both_ways(client: TcpStream, server: TcpStream) {
    if let (Ok(client), Ok(server)) = (client.try_clone(), server.try_clone()) {
        thread::spawn(move || pour(client, server));
    }
    thread::spawn(move || pour(server, client));
}

fn pour(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let Some(bytes) = buffer.get(..read) else { return };
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    // One that has ended needs no end.
    to.shutdown(Shutdown::Both).unwrap_or(());
}
