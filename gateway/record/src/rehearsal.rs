//! Records under fixed keys, for the fuzz target alone: no handshake, every run the same.

use rustls::crypto::cipher::{AeadKey, Iv};
use rustls::{ConnectionTrafficSecrets, ProtocolVersion};

use crate::opener::Opener;
use crate::records::{Keys, Records};
use crate::sealer::Sealer;

/// Version and cipher: each layout of a record once.
#[derive(Clone, Copy, Debug)]
pub enum Suite {
    /// TLS 1.3.
    Tls13,
    /// TLS 1.2, part of the nonce in each record.
    Tls12Explicit,
    /// TLS 1.2, nothing but the content.
    Tls12Implicit,
}

impl Suite {
    fn version(self) -> ProtocolVersion {
        match self {
            Self::Tls13 => ProtocolVersion::TLSv1_3,
            Self::Tls12Explicit | Self::Tls12Implicit => ProtocolVersion::TLSv1_2,
        }
    }

    fn secrets(self) -> ConnectionTrafficSecrets {
        let (key, iv) = (AeadKey::from([7; 32]), Iv::new([9; 12]));
        match self {
            Self::Tls13 | Self::Tls12Explicit => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
            Self::Tls12Implicit => ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv },
        }
    }
}

/// Each next key is the same, its numbers begin anew.
struct Fixed(Suite);

impl Keys for Fixed {
    fn next_sealing(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error> {
        Ok((0, self.0.secrets()))
    }

    fn next_opening(&mut self) -> Result<(u64, ConnectionTrafficSecrets), rustls::Error> {
        Ok((0, self.0.secrets()))
    }
}

impl Records {
    /// One end; the other is another of the same.
    pub fn rehearse(suite: Suite) -> Option<Self> {
        Some(Self {
            sealer: Sealer::new(suite.version(), 0, &suite.secrets())?,
            opener: Opener::new(suite.version(), 0, suite.secrets())?,
            sealed_max: u64::MAX,
            keys: Box::new(Fixed(suite)),
            version: suite.version(),
            owes_update: false,
        })
    }

    /// Appends one record of whatever content, even none, sealed as it should be.
    pub fn seal_any(&mut self, content: u8, bytes: &[u8], out: &mut Vec<u8>) {
        let begin = self.sealer.begin(out);
        out.extend_from_slice(bytes);
        out.resize(out.len() + self.sealer.tail_bytes(), 0);
        self.sealer.seal_one(content, &mut out[begin..]);
    }

    /// Goes on with the next sealing key and does not say so.
    pub fn renew_silently(&mut self, suite: Suite) {
        if let Some(sealer) = Sealer::new(suite.version(), 0, &suite.secrets()) {
            self.sealer = sealer;
        }
    }
}
