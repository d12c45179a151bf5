//! Asks feed-sim which symbols it has, in its own order of popularity: one plain WebSocket, one
//! question, before anything is measured.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::load::frame::Requests;
use crate::load::inbound::{Heard, Inbound};
use crate::load::upgrade::Upgrade;
use crate::scan::items::instruments;
use crate::scan::message::{Channel, Message, message};

const WAIT_MAX: Duration = Duration::from_secs(10);
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// The symbols of the generated market at `address`.
pub fn symbols(address: SocketAddr) -> io::Result<Vec<String>> {
    let mut socket = TcpStream::connect_timeout(&address, WAIT_MAX)?;
    socket.set_read_timeout(Some(WAIT_MAX))?;
    let mut upgrade = Upgrade::new(&mut fastrand::Rng::new());
    let mut request = Vec::new();
    upgrade.request(&address.to_string(), "/v2", &mut request);
    socket.write_all(&request)?;
    let mut inbound = Inbound::new(MESSAGE_BYTES_MAX);
    let mut bytes = vec![0; 64 * 1024];
    let mut open = false;
    let deadline = Instant::now() + WAIT_MAX;
    while Instant::now() < deadline {
        let count = socket.read(&mut bytes)?;
        let mut rest = &bytes[..count];
        if count == 0 {
            break;
        }
        if !open {
            let Some(used) = upgrade.take(rest).map_err(io::Error::other)? else { continue };
            open = true;
            rest = &rest[used..];
            let mut asked = Requests::default();
            asked.text(r#"{"method":"subscribe","params":{"channel":"instrument"}}"#);
            socket.write_all(&asked.bytes)?;
        }
        let mut names = Vec::new();
        let heard = |heard: Heard<'_>| {
            let Heard::Text(text) = heard else { return };
            let Ok(Message::Data(frame)) = message(text) else { return };
            if frame.channel == Channel::Instrument && frame.snapshot {
                let _ = instruments(frame.data, |name| {
                    names.push(String::from_utf8_lossy(name).into_owned());
                });
            }
        };
        inbound.take(rest, heard).map_err(io::Error::other)?;
        if !names.is_empty() {
            return Ok(names);
        }
    }
    Err(io::Error::other("feed-sim did not name its symbols"))
}
