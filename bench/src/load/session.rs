//! One dashboard's connection: link, upgrade, WebSocket. It decides what bytes mean and leaves what
//! messages mean to the `Dashboard`. Owned by one load thread.

use std::io;
use std::time::Instant;

use super::clock::now_ns;
use super::dashboard::{Dashboard, Ending, SessionId};
use super::frame::{Op, Requests};
use super::inbound::{Heard, Inbound};
use super::link::{Inbox, Link, LinkError};
use super::upgrade::Upgrade;

/// The longest message a session accepts: far above any snapshot.
const MESSAGE_BYTES_MAX: usize = 64 << 20;

/// A session between its first packet and its last.
pub struct Session {
    /// Its number.
    pub id: SessionId,
    /// What carries it.
    pub link: Link,
    /// Whether its dashboard has said that it is ready.
    pub ready: bool,
    /// Whether it is no longer read.
    pub deaf: bool,
    /// When it must be open, while it is not.
    pub deadline: Instant,
    stage: Stage,
    inbound: Inbound,
}

#[derive(Debug)]
enum Stage {
    Securing(Upgrade),
    Upgrading(Upgrade),
    /// The gateway has no room for it just now, and said so.
    TurnedAway,
    Open,
    /// A close frame has come and been answered.
    Closed(u16, String),
}

/// What one turn brought, summed by the thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionTurn {
    /// Bytes read from the socket, TLS included.
    pub read_bytes: usize,
    /// Whole text messages.
    pub messages: u64,
    /// Their payload.
    pub message_bytes: u64,
    /// There is more to read at once.
    pub more: bool,
    /// The session became a WebSocket in this turn.
    pub opened: bool,
    /// The dashboard said so in this turn.
    pub ready: bool,
}

/// What a session needs of its thread for a turn.
pub struct Surroundings<'a, D> {
    /// The thread's receive buffer.
    pub inbox: &'a mut Inbox,
    /// The thread's dashboards.
    pub dashboard: &'a mut D,
    /// `Host:` of the upgrade.
    pub authority: &'a str,
    /// Its path.
    pub path: &'a str,
}

impl Session {
    /// A session over a link that has just begun.
    pub fn new(id: SessionId, link: Link, upgrade: Upgrade, deadline: Instant) -> Self {
        let stage = Stage::Securing(upgrade);
        let inbound = Inbound::new(MESSAGE_BYTES_MAX);
        Self { id, link, ready: false, deaf: false, deadline, stage, inbound }
    }

    /// Whether the upgrade is done.
    pub fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::Closed(..))
    }

    /// Asks for the end, politely.
    pub fn close(&mut self, inbox: &mut Inbox) {
        if matches!(self.stage, Stage::Open) {
            self.link.requests.push(Op::Close, &1000u16.to_be_bytes());
            // Nothing waits for the answer, so a connection that fails now fails unseen.
            let _ = self.link.turn(inbox, |_, _| Ok(()));
        }
    }

    /// Reads once and hands on all that came whole.
    pub fn turn<D: Dashboard>(
        &mut self,
        around: &mut Surroundings<'_, D>,
    ) -> Result<SessionTurn, Ending> {
        let mut turn = SessionTurn::default();
        let mut received_ns = 0;
        let Self { id, link, stage, inbound, .. } = self;
        let Surroundings { inbox, dashboard, authority, path } = around;
        let outcome = link.turn(inbox, |bytes, requests| {
            if received_ns == 0 {
                received_ns = now_ns();
            }
            let mut bytes = bytes;
            if let Some(bare) = stage.advance(&mut bytes, authority, path, requests)? {
                *stage = bare;
                if matches!(stage, Stage::Open) {
                    turn.opened = true;
                    turn.ready = dashboard.opened(*id, requests);
                }
            }
            if !matches!(stage, Stage::Open) {
                return Ok(());
            }
            let heard = |heard: Heard<'_>| match heard {
                Heard::Text(text) => {
                    turn.messages += 1;
                    turn.message_bytes += text.len() as u64;
                    turn.ready |= dashboard.message(*id, text, received_ns);
                }
                Heard::Ping(payload) => requests.push(Op::Pong, payload),
                Heard::Close(code, reason) if matches!(stage, Stage::Open) => {
                    requests.push(Op::Close, &code_back(code).to_be_bytes());
                    *stage = Stage::Closed(code, String::from_utf8_lossy(reason).into_owned());
                }
                Heard::Binary(bytes) => {
                    turn.messages += 1;
                    turn.message_bytes += bytes.len() as u64;
                    turn.ready |= dashboard.binary(*id, bytes, received_ns, requests);
                }
                Heard::Close(..) | Heard::Pong => {}
            };
            inbound.take(bytes, heard).map_err(|error| error.to_string())
        });
        match (outcome, &self.stage) {
            (_, Stage::Closed(code, reason)) => {
                Err(Ending::Closed { code: *code, reason: reason.clone() })
            }
            (Err(error), stage) => Err(stage.ending(&error)),
            (Ok(done), _) => {
                turn.read_bytes = done.read_bytes;
                turn.more = done.more;
                Ok(turn)
            }
        }
    }
}

impl Stage {
    /// What a link that failed at this stage means.
    fn ending(&self, error: &LinkError) -> Ending {
        let cause = error.to_string();
        match (self, error) {
            (Self::Open | Self::Closed(..), _) => Ending::Lost(cause),
            (Self::TurnedAway, _) | (_, LinkError::End) => Ending::TurnedAway(cause),
            (_, LinkError::Socket(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                Ending::TurnedAway(cause)
            }
            _ => Ending::NotConnected(cause),
        }
    }

    /// The next stage if `bytes` (or the end of the handshake, when there are none) lead there.
    fn advance(
        &mut self,
        bytes: &mut &[u8],
        authority: &str,
        path: &str,
        requests: &mut Requests,
    ) -> Result<Option<Self>, String> {
        match self {
            Self::Securing(upgrade) => {
                upgrade.request(authority, path, &mut requests.bytes);
                let Self::Securing(upgrade) = std::mem::replace(self, Self::Open) else {
                    unreachable!("matched above");
                };
                Ok(Some(Self::Upgrading(upgrade)))
            }
            Self::Upgrading(upgrade) if !bytes.is_empty() => match upgrade.take(bytes) {
                Ok(None) => Ok(None),
                Ok(Some(used)) => {
                    *bytes = &bytes[used..];
                    Ok(Some(Self::Open))
                }
                Err(error) => {
                    if error.is_for_now() {
                        *self = Self::TurnedAway;
                    }
                    Err(error.to_string())
                }
            },
            _ => Ok(None),
        }
    }
}

/// 1005 says that no code was sent, and must never be sent itself.
fn code_back(code: u16) -> u16 {
    if code == 1005 { 1000 } else { code }
}
