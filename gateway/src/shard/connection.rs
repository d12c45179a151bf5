//! One dashboard's socket and TLS records, written and read without waiting.
//!
//! Both buffers are lent: frames are gathered, sealed and sent from the shard's arena, and what
//! comes is opened where it was read. Nothing is sealed before the socket has taken all that was
//! sealed before: what waits, waits as frames in the outbox, where it can still be closed off in
//! good order. **Invariant:** an idle connection holds no buffer; one whose socket is full holds
//! what was sealed and not taken, one record's worth of frames at most, or the single frame that is
//! longer.

use std::io::{self, Read};

use mio::net::TcpStream;
use record::{Event, Input, Records, Violation};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use rustls::AlertDescription;
use wire::inbound::{self, Inbound};

use super::Place;

/// A connection broke; the session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The socket was closed or reset.
    Lost,
    /// The TLS layer refused what came, or its key is worn out.
    Tls,
    /// A bug of ours, in what belongs to this connection alone.
    Bug,
}

/// What one read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// So many sealed bytes came; there may be more.
    Bytes(usize),
    /// The socket has nothing more for now.
    Dry,
}

/// Totals of one write, for the counters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Written {
    pub(super) bytes: usize,
    pub(super) records: usize,
    pub(super) sends: u64,
    pub(super) is_blocked: bool,
}

/// One dashboard's connection.
pub(super) struct Connection {
    socket: TcpStream,
    records: Records,
    inbound: Inbound,
    /// Sealed bytes that the socket has not taken.
    unsent: Vec<u8>,
    pub(super) place: Box<Place>,
    /// Set when the close frame went out: the moment the socket is closed at the latest.
    pub(super) close_by: Option<u64>,
    /// TLS' last word; none where the dashboard has had its own.
    farewell: Option<AlertDescription>,
    /// The socket took less than it was given; it says when it takes more.
    pub(super) is_blocked: bool,
    /// The dashboard's own close frame was read.
    pub(super) is_dashboard_done: bool,
    /// The dashboard broke a rule of WebSocket: none of its bytes is read as a frame any more.
    pub(super) is_refused: bool,
    /// Our last byte was sent; what still comes is thrown away.
    is_shut: bool,
    /// Its messages are given back, not understood.
    pub(super) is_echo: bool,
    /// Listed as having more to read.
    pub(super) is_unread: bool,
    /// The dashboard said good-bye to TLS: nothing more comes.
    is_closed: bool,
}

impl Connection {
    pub(super) const fn new(
        socket: TcpStream,
        records: Records,
        inbound: Inbound,
        is_echo: bool,
        place: Box<Place>,
    ) -> Self {
        Self {
            socket,
            records,
            inbound,
            unsent: Vec::new(),
            place,
            close_by: None,
            farewell: Some(AlertDescription::CloseNotify),
            is_blocked: false,
            is_dashboard_done: false,
            is_refused: false,
            is_shut: false,
            is_echo,
            is_unread: false,
            is_closed: false,
        }
    }

    pub(super) const fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// A key update of ours waits to be sent.
    pub(super) const fn owes_update(&self) -> bool {
        self.records.owes_update()
    }

    /// Makes `arena` ready for frames, and says where they will begin to be sealed.
    pub(super) fn begin(&mut self, arena: &mut Vec<u8>) -> Result<usize, Broken> {
        arena.clear();
        self.records.begin(arena).map_err(|_| Broken::Tls)
    }

    /// Seals the frames behind `begin` (one record up to 16 KiB) and sends all of `arena`, to a
    /// socket that has taken everything so far.
    pub(super) fn send(&mut self, arena: &mut Vec<u8>, begin: usize) -> Result<Written, Broken> {
        debug_assert!(self.unsent.is_empty(), "sealed behind what is not sent");
        let mut written =
            Written { records: self.records.seal(arena, begin), ..Written::default() };
        let sent = self.push(arena, &mut written)?;
        if sent < arena.len() {
            self.unsent = arena[sent..].to_vec();
        }
        Ok(written)
    }

    /// Sends what is sealed.
    pub(super) fn flush(&mut self) -> Result<Written, Broken> {
        let mut written = Written::default();
        let unsent = std::mem::take(&mut self.unsent);
        let sent = self.push(&unsent, &mut written)?;
        if sent == 0 {
            self.unsent = unsent;
        } else if sent < unsent.len() {
            self.unsent = unsent[sent..].to_vec();
        }
        Ok(written)
    }

    /// Gives the socket as much as it takes, and says how much that was.
    fn push(&mut self, bytes: &[u8], written: &mut Written) -> Result<usize, Broken> {
        let mut sent = 0;
        while sent < bytes.len() {
            written.sends += 1;
            // By the bare system call: the C library's is a point of cancellation and pays for it.
            match send(&self.socket, &bytes[sent..], SendFlags::NOSIGNAL) {
                Ok(0) => return Err(Broken::Lost),
                Ok(count) => sent += count,
                Err(Errno::AGAIN) => {
                    written.is_blocked = true;
                    break;
                }
                Err(Errno::INTR) => {}
                Err(_) => return Err(Broken::Lost),
            }
        }
        written.bytes += sent;
        self.is_blocked = written.is_blocked;
        Ok(sent)
    }

    /// Reads once from the socket into `buffer`, opens it there, and tells what it says.
    pub(super) fn receive(
        &mut self,
        buffer: &mut [u8],
        mut hear: impl FnMut(Result<inbound::Event<'_>, inbound::Violation>),
    ) -> Result<Received, Broken> {
        if self.is_closed {
            return Err(Broken::Lost);
        }
        let count = match self.socket.read(buffer) {
            Ok(0) => return Err(Broken::Lost),
            Ok(count) => count,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::WouldBlock => Ok(Received::Dry),
                    io::ErrorKind::Interrupted => Ok(Received::Bytes(0)),
                    _ => Err(Broken::Lost),
                };
            }
        };
        if self.is_shut {
            return Ok(Received::Bytes(count));
        }
        let mut input = Input::new(&mut buffer[..count]);
        loop {
            match self.records.next(&mut input) {
                Ok(None) => return Ok(Received::Bytes(count)),
                Ok(Some(Event::Data(plain))) => {
                    let heard = listen(&mut self.inbound, plain, &mut hear);
                    self.note(heard);
                }
                Ok(Some(Event::Closed)) => self.is_closed = true,
                Err(violation) => return Err(self.refuse(violation)),
            }
        }
    }

    /// Passes bytes that came before the shard had the socket.
    pub(super) fn receive_early(
        &mut self,
        plain: &mut [u8],
        mut hear: impl FnMut(Result<inbound::Event<'_>, inbound::Violation>),
    ) {
        self.is_closed = self.records.is_closed();
        let heard = listen(&mut self.inbound, plain, &mut hear);
        self.note(heard);
    }

    const fn note(&mut self, heard: Heard) {
        match heard {
            Heard::More => {}
            Heard::Close => self.is_dashboard_done = true,
            Heard::Violation => self.is_refused = true,
        }
    }

    /// Hears nothing more: what reads it has failed. What is to be said still can be.
    pub(super) const fn deafen(&mut self) {
        self.is_closed = true;
    }

    fn refuse(&mut self, violation: Violation) -> Broken {
        tracing::debug!(%violation, "a dashboard broke TLS");
        self.farewell = violation.alert();
        Broken::Tls
    }

    /// Says goodbye to TLS and TCP as well as it can without waiting. To drop the socket at once
    /// while bytes lie in it unread would make the kernel reset the connection, and the dashboard
    /// might never read why it was closed; so whoever has time goes on receiving.
    pub(super) fn shut(&mut self) {
        if std::mem::replace(&mut self.is_shut, true) {
            return;
        }
        // The peer may be gone, its window closed: either way the socket is dropped next.
        let is_sent = self.flush().is_ok() && self.unsent.is_empty();
        if let Some(farewell) = self.farewell.filter(|_| is_sent) {
            self.records.alert(farewell, &mut self.unsent);
            let _ = self.flush();
        }
        let _ = self.socket.shutdown(std::net::Shutdown::Write);
    }
}

/// Whether a dashboard may say more.
#[derive(Clone, Copy)]
enum Heard {
    More,
    Close,
    Violation,
}

/// Passes opened bytes through the guard.
fn listen(
    inbound: &mut Inbound,
    plain: &mut [u8],
    hear: &mut impl FnMut(Result<inbound::Event<'_>, inbound::Violation>),
) -> Heard {
    let mut input = inbound::Input::new(plain);
    let mut heard = Heard::More;
    loop {
        match inbound.next(&mut input) {
            Ok(None) => return heard,
            Ok(Some(event)) => {
                if matches!(event, inbound::Event::Close(_)) {
                    heard = Heard::Close;
                }
                hear(Ok(event));
            }
            Err(violation) => {
                hear(Err(violation));
                return Heard::Violation;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one session costs here, ready keys (about 600 bytes, aws-lc's) and rustls' key schedule
    /// (see `record`) apart.
    #[test]
    #[expect(clippy::print_stdout, reason = "the sizes are what one wants to see")]
    fn a_connection_is_small() {
        let sizes = [
            ("connection", size_of::<Connection>(), 384),
            ("records", size_of::<Records>(), 224),
            ("inbound", size_of::<Inbound>(), 80),
        ];
        for (what, bytes, bytes_max) in sizes {
            println!("{what}: {bytes} bytes");
            assert!(bytes <= bytes_max, "{what}: {bytes} bytes");
        }
    }
}
