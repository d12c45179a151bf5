//! Listens to feed-sim itself, beside the server: how late ticks leave the venue, within the
//! window. Its own waiting for a core is in the figure, so the truth is at most this.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use rustc_hash::FxHashMap;

use super::quick::Stamps;
use super::window::Window;
use crate::fleet::latency::Latency;
use crate::load::clock::now_ns;
use crate::load::frame::Requests;
use crate::load::inbound::{Heard, Inbound};
use crate::load::upgrade::Upgrade;

/// What the venue published within the window, of the symbols that were listened to.
#[derive(Debug, Default)]
pub struct Published {
    /// How late.
    pub late: Latency,
    /// Ticks by symbol: what every session of it should get.
    pub ticks: FxHashMap<Box<[u8]>, u64>,
}

/// A running probe.
#[derive(Debug)]
pub struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Published>,
}

const WAIT_MAX: Duration = Duration::from_millis(200);
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Enough ticks for a 99th percentile, few enough to cost nothing.
const TICKS_PER_SECOND: f64 = 200.0;

impl Probe {
    /// Listens to as many of `symbols` as make some 200 of `rate` ticks a second, the rarest first.
    pub fn start(
        feed: SocketAddr,
        symbols: &[String],
        rate: f64,
        window: Arc<Window>,
    ) -> io::Result<Self> {
        let share = (TICKS_PER_SECOND / rate).clamp(0.0, 1.0) * symbols.len() as f64;
        let some = &symbols[symbols.len() - (share.ceil() as usize).clamp(1, symbols.len())..];
        let named = serde_json::to_string(some)?;
        let params = format!(r#""channel":"ticker","symbol":{named},"event_trigger":"bbo""#);
        let request = format!(r#"{{"method":"subscribe","params":{{{params}}}}}"#);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("probe".to_owned()).spawn(move || {
            let mut seen = Published::default();
            // A probe that fails has seen less; the summary of feed-sim itself remains.
            let _ = listen(feed, &request, &window, &stopped, &mut seen);
            seen
        })?;
        Ok(Self { stop, thread })
    }

    /// Ends, and says what was published.
    pub fn end(self) -> Published {
        self.stop.store(true, Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn listen(
    feed: SocketAddr,
    request: &str,
    window: &Window,
    stop: &AtomicBool,
    seen: &mut Published,
) -> io::Result<()> {
    let mut socket = TcpStream::connect(feed)?;
    socket.set_read_timeout(Some(WAIT_MAX))?;
    let mut upgrade = Upgrade::new(&mut fastrand::Rng::new());
    let mut asked = Vec::new();
    upgrade.request(&feed.to_string(), "/v2", &mut asked);
    socket.write_all(&asked)?;
    let mut inbound = Inbound::new(MESSAGE_BYTES_MAX);
    let (mut bytes, mut stamps, mut open) = (vec![0; 64 * 1024], Stamps::default(), false);
    while !stop.load(Relaxed) {
        let count = match socket.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let received_ns = now_ns();
        let mut rest = &bytes[..count];
        if !open {
            let Some(used) = upgrade.take(rest).map_err(io::Error::other)? else { continue };
            open = true;
            rest = &rest[used..];
            let mut requests = Requests::default();
            requests.text(request);
            socket.write_all(&requests.bytes)?;
        }
        let heard = |heard: Heard<'_>| {
            let Heard::Text(text) = heard else { return };
            let Some(quick) = stamps.quick(text) else { return };
            if window.slice_of(quick.due_ns).is_some() {
                seen.late.record(received_ns.saturating_sub(quick.due_ns));
                if let Some(count) = seen.ticks.get_mut(quick.symbol) {
                    *count += 1;
                } else {
                    seen.ticks.insert(quick.symbol.into(), 1);
                }
            }
        };
        inbound.take(rest, heard).map_err(io::Error::other)?;
    }
    Ok(())
}
