//! The TLS handshake of one connection, driven on its socket.
//!
//! rustls decides; here its bytes are carried. It is given one whole record at a time, so that the
//! moment the handshake ends, nothing behind it has been touched: what the dashboard sent after its
//! Finished is opened by the record layer, like all that follows. Deliberately absent: deadlines,
//! which are the visit's.

use std::io;
use std::sync::Arc;

use record::Records;
use rights::Subject;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, UnbufferedStatus};
use rustls::{PeerIncompatible, ServerConfig};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stream::TlsStream;
use crate::metrics::HandshakeFailure;

/// Most bytes of a handshake that lie here at once: rustls' longest message and a record more.
const INCOMING_BYTES_MAX: usize = 96 * 1024;
/// Room that each read offers.
const READ_BYTES: usize = 4096;
/// A record's head; its last two bytes are the length of what follows.
const HEAD_BYTES: usize = 5;
/// A handshake record, and the first byte of every version that TLS has had.
const TLS_OPENING: [u8; 2] = [0x16, 3];

/// What rustls waits for.
enum Step {
    /// More bytes.
    Read,
    /// That the flight is sent.
    Send,
    /// Nothing any more.
    Done,
}

/// Makes the handshake; whom a verified client certificate names comes with it. Not cancel-safe: a
/// handshake dropped half-way is a closed connection.
/// `InvalidData` is TLS' own refusal, said to the dashboard by an alert; `UnexpectedEof` the
/// dashboard's leaving.
pub(super) async fn accept(
    mut socket: TcpStream,
    config: Arc<ServerConfig>,
) -> io::Result<(TlsStream, Option<Subject>)> {
    let tls = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
    let mut handshake = Handshake::new(tls);
    loop {
        match handshake.step() {
            Ok(Step::Read) => handshake.read(&mut socket).await?,
            Ok(Step::Send) => {
                socket.write_all(&handshake.flight).await?;
                handshake.flight.clear();
            }
            Ok(Step::Done) => break,
            Err(error) => {
                handshake.encode_alert();
                // It may be gone; the refusal is what counts.
                let _ = socket.write_all(&handshake.flight).await;
                let refused = Refused { kind: handshake.kind_of(&error), error };
                return Err(io::Error::new(io::ErrorKind::InvalidData, refused));
            }
        }
    }
    let certificate = handshake.tls.peer_certificates().and_then(<[_]>::first);
    let subject = certificate.and_then(|certificate| Subject::from_der(certificate));
    let records = Records::take_over(handshake.tls).map_err(io::Error::other)?;
    Ok((TlsStream::new(socket, records, &mut handshake.incoming), subject))
}

/// What TLS refused, and what it was.
#[derive(Debug, Error)]
#[error("{error}")]
pub(super) struct Refused {
    /// The label it is counted under.
    pub(super) kind: HandshakeFailure,
    error: rustls::Error,
}

struct Handshake {
    tls: UnbufferedServerConnection,
    /// The very first bytes: they tell TLS from what it is not.
    opening: [u8; 3],
    /// What was read and is not used up.
    incoming: Vec<u8>,
    /// How much of it is whole records that rustls was offered.
    whole: usize,
    /// `opening` holds what came.
    is_begun: bool,
    /// What is to be sent.
    flight: Vec<u8>,
}

impl Handshake {
    fn new(tls: UnbufferedServerConnection) -> Self {
        let (incoming, flight) = (Vec::new(), Vec::new());
        Self { tls, opening: [0; 3], incoming, whole: 0, is_begun: false, flight }
    }

    /// Notes how the connection begins, before anything of it is used up.
    fn note_opening(&mut self) {
        if !self.is_begun
            && let Some(opening) = self.incoming.first_chunk()
        {
            self.opening = *opening;
            self.is_begun = true;
        }
    }

    fn kind_of(&self, error: &rustls::Error) -> HandshakeFailure {
        use PeerIncompatible as Why;
        let is_http = self.opening.iter().all(u8::is_ascii_uppercase);
        match error {
            _ if is_http => HandshakeFailure::PlainHttp,
            _ if self.is_begun && !self.opening.starts_with(&TLS_OPENING) => {
                HandshakeFailure::NotTls
            }
            // Of those that follow a good opening, only versions before 1.2 knew no signature
            // algorithms.
            rustls::Error::PeerIncompatible(
                Why::SignatureAlgorithmsExtensionRequired
                | Why::Tls12NotOffered
                | Why::Tls12NotOfferedOrEnabled
                | Why::SupportedVersionsExtensionRequired,
            ) => HandshakeFailure::Version,
            _ => HandshakeFailure::Tls,
        }
    }

    async fn read(&mut self, socket: &mut TcpStream) -> io::Result<()> {
        if self.incoming.len() >= INCOMING_BYTES_MAX {
            let words = "the handshake is too long";
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        self.incoming.reserve(READ_BYTES);
        if socket.read_buf(&mut self.incoming).await? == 0 {
            let words = "left within the handshake";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, words));
        }
        self.note_opening();
        Ok(())
    }

    /// Goes on until rustls waits for something.
    fn step(&mut self) -> Result<Step, rustls::Error> {
        let mut offered = self.whole;
        loop {
            let status = self.tls.process_tls_records(&mut self.incoming[..offered]);
            let UnbufferedStatus { discard, state } = status;
            let mut is_blocked = false;
            let step = match state? {
                ConnectionState::EncodeTlsData(mut data) => {
                    encode(&mut self.flight, |room| data.encode(room));
                    None
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    Some(Step::Send)
                }
                ConnectionState::WriteTraffic(_) => Some(Step::Done),
                ConnectionState::BlockedHandshake => {
                    is_blocked = true;
                    None
                }
                _ => return Err(rustls::Error::HandshakeNotComplete),
            };
            self.incoming.drain(..discard);
            self.whole -= discard.min(self.whole);
            let was_offered = offered - discard;
            offered = self.whole;
            if let Some(step) = step {
                return Ok(step);
            }
            if is_blocked {
                if let Some(bytes) = whole_record(&self.incoming[self.whole..]) {
                    self.whole += bytes;
                    offered = self.whole;
                } else if was_offered < self.incoming.len() {
                    // What begins a record may already show that it is none.
                    offered = self.incoming.len();
                } else {
                    return Ok(Step::Read);
                }
            }
        }
    }

    /// After an error: what rustls wants to be said about it.
    fn encode_alert(&mut self) {
        self.flight.clear();
        while let ConnectionState::EncodeTlsData(mut data) =
            match self.tls.process_tls_records(&mut []).state {
                Ok(state) => state,
                Err(_) => return,
            }
        {
            encode(&mut self.flight, |room| data.encode(room));
        }
    }
}

/// Appends what rustls encodes, with as much room as it says.
fn encode(flight: &mut Vec<u8>, mut data: impl FnMut(&mut [u8]) -> Result<usize, EncodeError>) {
    if let Err(EncodeError::InsufficientSize(wanted)) = data(&mut []) {
        let at = flight.len();
        flight.resize(at + wanted.required_size, 0);
        let encoded = data(&mut flight[at..]);
        debug_assert!(encoded.is_ok_and(|bytes| bytes == wanted.required_size));
    }
}

/// The length of the record that begins `bytes`, where it is there to its end.
fn whole_record(bytes: &[u8]) -> Option<usize> {
    let [_, _, _, high, low] = *bytes.first_chunk::<HEAD_BYTES>()?;
    let whole = HEAD_BYTES + usize::from(u16::from_be_bytes([high, low]));
    (bytes.len() >= whole).then_some(whole)
}
