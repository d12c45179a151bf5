//! One connection's records both ways, and its keys from one update to the next.

use std::fmt;

use rustls::kernel::KernelConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::{
    AlertDescription, ConnectionTrafficSecrets, ExtractedSecrets, ProtocolVersion,
    SupportedCipherSuite,
};
use thiserror::Error;

use crate::opener::{Found, Input, Opener, Place};
use crate::sealer::Sealer;
use crate::violation::Violation;
use crate::{content, key_update};

/// What the peer did.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Plain bytes, never none.
    Data(&'a mut [u8]),
    /// It sends nothing more; whatever comes behind this is ignored.
    Closed,
}

/// The key has sealed what it may, and there is no next one: TLS 1.2 has no key update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the key has sealed as many records as it may")]
pub struct Exhausted;

/// Where the next keys come from.
pub(crate) trait Keys: Send {
    fn next_sealing(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error>;
    fn next_opening(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error>;
}

impl<S> Keys for KernelConnection<S>
where
    Self: Send,
{
    fn next_sealing(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error> {
        self.update_tx_secret()
    }

    fn next_opening(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error> {
        self.update_rx_secret()
    }
}

/// One connection's keys and what is under way.
pub struct Records {
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
    /// Seldom asked, so out of the way.
    pub(crate) keys: Box<dyn Keys>,
    /// Records after which the sealing key is renewed: half of what the cipher bears.
    pub(crate) sealed_max: u64,
    pub(crate) version: ProtocolVersion,
    /// The peer's key update asked for ours.
    pub(crate) owes_update: bool,
}

impl fmt::Debug for Records {
    /// No key is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("version", &self.version).finish_non_exhaustive()
    }
}

impl Records {
    /// Takes over from rustls once the handshake is done and all it had to say was sent. The config
    /// must allow it (`enable_secret_extraction`).
    pub fn take_over(tls: UnbufferedServerConnection) -> Result<Self, rustls::Error> {
        let (secrets, keys) = tls.dangerous_into_kernel_connection()?;
        Self::new(secrets, keys)
    }

    pub(crate) fn new<S: 'static>(
        secrets: ExtractedSecrets,
        keys: KernelConnection<S>,
    ) -> Result<Self, rustls::Error>
    where
        KernelConnection<S>: Send,
    {
        let version = keys.protocol_version();
        let suite = match keys.negotiated_cipher_suite() {
            SupportedCipherSuite::Tls13(suite) => &suite.common,
            SupportedCipherSuite::Tls12(suite) => &suite.common,
        };
        let unknown = || rustls::Error::General("a cipher that is not known here".to_owned());
        let (sealed, sealing) = secrets.tx;
        let (opened, opening) = secrets.rx;
        Ok(Self {
            sealer: Sealer::new(version, sealed, &sealing).ok_or_else(unknown)?,
            opener: Opener::new(version, opened, opening).ok_or_else(unknown)?,
            sealed_max: suite.confidentiality_limit / 2,
            keys: Box::new(keys),
            version,
            owes_update: false,
        })
    }

    /// The version agreed on.
    pub const fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Makes room in `out` for a record's lead, behind a key update where one is due, and says
    /// where it begins; plain bytes are to be appended, and then sealed by [`Records::seal`]. What
    /// stands in `out` by then has to be sent, whether data follows or not.
    pub fn begin(&mut self, out: &mut Vec<u8>) -> Result<usize, Exhausted> {
        if self.owes_update || self.sealer.sequence() >= self.sealed_max {
            self.update(out)?;
        }
        Ok(self.sealer.begin(out))
    }

    /// Seals everything behind `begin` as data; takes the lead back where that is nothing. Returns
    /// how many records it became.
    pub fn seal(&mut self, out: &mut Vec<u8>, begin: usize) -> usize {
        self.sealer.seal(content::DATA, out, begin)
    }

    /// Appends an alert; nothing may be sealed behind it.
    pub fn alert(&mut self, alert: AlertDescription, out: &mut Vec<u8>) {
        let level = if alert == AlertDescription::CloseNotify { 1 } else { 2 };
        self.say(content::ALERT, &[level, alert.into()], out);
    }

    /// A key update of ours is due with the next bytes, or without any.
    pub const fn owes_update(&self) -> bool {
        self.owes_update
    }

    /// The peer said good-bye, or broke a rule.
    pub const fn is_closed(&self) -> bool {
        self.opener.is_closed()
    }

    /// Bytes of memory held for a record that has not come whole; zero when none has begun.
    pub const fn held_bytes(&self) -> usize {
        self.opener.held_bytes()
    }

    /// The next thing the peer did, or `None` when all of `input` is read. Call it until then: what
    /// is left in `input` otherwise is lost. After `Closed` or a violation everything is ignored.
    pub fn next<'e>(
        &'e mut self,
        input: &'e mut Input<'_>,
    ) -> Result<Option<Event<'e>>, Violation> {
        loop {
            match self.opener.next(input)? {
                None => return Ok(None),
                Some(Found::Closed) => return Ok(Some(Event::Closed)),
                Some(Found::KeyUpdate { is_answer_due }) => {
                    self.owes_update |= is_answer_due;
                    let next = self.keys.next_opening().ok();
                    let renewed = next.and_then(|(at, next)| self.opener.renew(at, next));
                    if renewed.is_none() {
                        self.opener.close();
                        return Err(Violation::NoNextKey);
                    }
                }
                Some(Found::Data(Place::Input(range))) => {
                    return Ok(Some(Event::Data(input.data(range))));
                }
                Some(Found::Data(Place::Held(range))) => {
                    return Ok(Some(Event::Data(self.opener.held(range))));
                }
            }
        }
    }

    /// Says that the next record is sealed with the next key, and goes on with it.
    fn update(&mut self, out: &mut Vec<u8>) -> Result<(), Exhausted> {
        let (sequence, secrets) = self.keys.next_sealing().map_err(|_| Exhausted)?;
        let next = Sealer::new(self.version, sequence, &secrets).ok_or(Exhausted)?;
        self.say(content::HANDSHAKE, &key_update::NOT_REQUESTED, out);
        self.sealer = next;
        self.owes_update = false;
        Ok(())
    }

    /// A key update whose message somebody else has sealed.
    #[cfg(test)]
    pub(crate) fn renew_sealing(&mut self) {
        let (sequence, secrets) = self.keys.next_sealing().expect("TLS 1.3");
        self.sealer = Sealer::new(self.version, sequence, &secrets).expect("known");
    }

    fn say(&mut self, content: u8, message: &[u8], out: &mut Vec<u8>) {
        let begin = self.sealer.begin(out);
        out.extend_from_slice(message);
        self.sealer.seal(content, out, begin);
    }
}
