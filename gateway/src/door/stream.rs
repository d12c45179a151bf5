//! A connection behind its handshake, as hyper reads and writes it: plain bytes over the record
//! layer that the shard will go on with.
//!
//! **Invariant:** nothing is sealed before the socket has taken what was sealed before. Read-ahead
//! is one buffer of the socket's bytes, and it goes with the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use record::{Event, Input, PLAIN_BYTES_MAX, Records, Violation};
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes read from the socket at a time.
const READ_BYTES: usize = 8 * 1024;

/// Why nothing more is read.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The dashboard said good-bye.
    Closed,
    /// It broke a rule.
    Broken(Violation),
}

/// A TLS connection.
#[derive(Debug)]
pub(super) struct TlsStream {
    socket: TcpStream,
    records: Records,
    /// Opened bytes, and how many of them were read.
    plain: Vec<u8>,
    plain_read: usize,
    /// Where socket bytes are opened; made at the first read.
    buffer: Vec<u8>,
    /// Sealed bytes, and how many of them the socket has taken.
    sealed: Vec<u8>,
    sealed_sent: usize,
    end: Option<End>,
    /// An alert was sealed: nothing may follow it.
    is_shut: bool,
}

impl TlsStream {
    /// `rest` is what was read behind the handshake.
    pub(super) fn new(socket: TcpStream, records: Records, rest: &mut [u8]) -> Self {
        let mut stream = Self {
            socket,
            records,
            plain: Vec::new(),
            plain_read: 0,
            buffer: Vec::new(),
            sealed: Vec::new(),
            sealed_sent: 0,
            end: None,
            is_shut: false,
        };
        stream.open(rest);
        stream
    }

    /// Socket, keys, and the opened bytes that nobody has read. To be flushed before.
    pub(super) fn into_parts(mut self) -> io::Result<(TcpStream, Records, Vec<u8>)> {
        if let Some(End::Broken(violation)) = self.end {
            return Err(broken(violation));
        }
        self.plain.drain(..self.plain_read);
        Ok((self.socket, self.records, self.plain))
    }

    /// Opens what the socket gave.
    fn open(&mut self, bytes: &mut [u8]) {
        let mut input = Input::new(bytes);
        while self.end.is_none() {
            match self.records.next(&mut input) {
                Ok(None) => return,
                Ok(Some(Event::Data(data))) => self.plain.extend_from_slice(data),
                Ok(Some(Event::Closed)) => self.end = Some(End::Closed),
                Err(violation) => {
                    self.end = Some(End::Broken(violation));
                    self.give_up(violation.alert());
                }
            }
        }
    }

    /// Seals the last words.
    fn give_up(&mut self, alert: Option<AlertDescription>) {
        if let Some(alert) = alert
            && !std::mem::replace(&mut self.is_shut, true)
        {
            self.records.alert(alert, &mut self.sealed);
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(READ_BYTES, 0);
        let mut room = ReadBuf::new(&mut buffer);
        let polled = Pin::new(&mut self.socket).poll_read(cx, &mut room);
        let bytes = room.filled().len();
        if polled.is_ready() {
            self.open(&mut buffer[..bytes]);
        }
        self.buffer = buffer;
        ready!(polled)?;
        if bytes == 0 {
            let words = "left without a good-bye of TLS";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::UnexpectedEof, words)));
        }
        Poll::Ready(Ok(()))
    }

    /// Gives the socket what is sealed.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sealed_sent < self.sealed.len() {
            let rest = &self.sealed[self.sealed_sent..];
            match ready!(Pin::new(&mut self.socket).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.sealed_sent += bytes,
            }
        }
        self.sealed.clear();
        self.sealed_sent = 0;
        Poll::Ready(Ok(()))
    }
}

fn broken(violation: Violation) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, violation)
}

impl AsyncRead for TlsStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let unread = &this.plain[this.plain_read..];
            if !unread.is_empty() {
                let bytes = unread.len().min(out.remaining());
                out.put_slice(&unread[..bytes]);
                this.plain_read += bytes;
                if this.plain_read == this.plain.len() {
                    this.plain.clear();
                    this.plain_read = 0;
                }
                return Poll::Ready(Ok(()));
            }
            match this.end {
                Some(End::Closed) => return Poll::Ready(Ok(())),
                Some(End::Broken(violation)) => {
                    // The alert goes as far as the socket takes it at once.
                    let _ = this.poll_drain(cx);
                    return Poll::Ready(Err(broken(violation)));
                }
                None => ready!(this.poll_fill(cx))?,
            }
        }
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        if this.is_shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = &bytes[..bytes.len().min(PLAIN_BYTES_MAX)];
        let begin = this.records.begin(&mut this.sealed).map_err(io::Error::other)?;
        this.sealed.extend_from_slice(taken);
        this.records.seal(&mut this.sealed, begin);
        match this.poll_drain(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // Sealed is taken; the rest goes before the next write.
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(taken.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_drain(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.give_up(Some(AlertDescription::CloseNotify));
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.socket).poll_shutdown(cx)
    }
}
