//! A slow or broken line between dashboard and gateway: a TCP proxy of our own.
//!
//! Downwards it passes so many bytes a second, in pieces of odd sizes; upwards everything at once.
//! Cut, it reads and drops in both directions: bytes are acknowledged and never arrive.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use super::link::Target;
use super::rig::any_port;

const PIECES_PER_SECOND: u64 = 50;

pub struct Proxy {
    pub target: Target,
    cut: Arc<AtomicBool>,
}

impl Proxy {
    /// Serves one connection; 0 bytes a second is no limit.
    pub fn start(target: &Target, bytes_per_second: u64) -> Self {
        let listener = TcpListener::bind(any_port()).expect("a port");
        let address = listener.local_addr().expect("bound");
        let cut = Arc::new(AtomicBool::new(false));
        let (gateway, is_cut) = (target.address, Arc::clone(&cut));
        std::thread::spawn(move || {
            let (dashboard, _) = listener.accept().expect("a dashboard");
            let gateway = connect(gateway);
            dashboard.set_nodelay(true).expect("an option");
            let up = (dashboard.try_clone().expect("a copy"), gateway.try_clone().expect("a copy"));
            let is_cut_up = Arc::clone(&is_cut);
            std::thread::spawn(move || pass(up, 0, &is_cut_up));
            pass((gateway, dashboard), bytes_per_second, &is_cut);
        });
        Self { target: Target { address, tls: Arc::clone(&target.tls) }, cut }
    }

    /// Nothing arrives from now on, in either direction.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }
}

/// With a small buffer, so that what does not pass waits at the gateway.
fn connect(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(32_768).expect("an option");
    socket.connect(&address.into()).expect("connected");
    socket.into()
}

fn pass((mut from, mut to): (TcpStream, TcpStream), bytes_per_second: u64, cut: &AtomicBool) {
    let size_max = if bytes_per_second == 0 { 4096 } else { bytes_per_second / PIECES_PER_SECOND };
    let mut buffer = vec![0; size_max.max(2) as usize];
    let mut piece = 1;
    loop {
        // Odd sizes, so that frames and records are cut everywhere.
        piece = (piece * 7 + 3) % buffer.len() + 1;
        let length = if bytes_per_second == 0 { buffer.len() } else { piece };
        let Ok(count @ 1..) = from.read(&mut buffer[..length]) else { break };
        if let Some(pause) = (count as u64 * 1_000_000).checked_div(bytes_per_second) {
            std::thread::sleep(Duration::from_micros(pause));
        }
        if !cut.load(Ordering::SeqCst) && to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // An error means that it is closed already.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
