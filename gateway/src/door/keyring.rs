//! The certificate and key that new handshakes are given, exchanged while the door is open.
//!
//! Whoever reloads reads and checks the files on its own thread and swaps the pair; the door's
//! handshakes take what hangs there. **Invariant:** what hangs there was whole, of one pair, and
//! within its validity when it was hung up; the first one, at start, may be out of date, because an
//! old certificate is better than no gateway. Sessions that stand keep what they have.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::tls::{self, TlsError};

const DAY_S: i64 = 86_400;

/// A pair that belongs together.
#[derive(Clone, Debug)]
pub struct Pair {
    key: Arc<CertifiedKey>,
    /// Seconds since 1970 between which it is valid.
    valid_s: (i64, i64),
}

impl Pair {
    /// Reads both files; wrong, unfinished and foreign ones are refused.
    pub fn read(cert_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
        let in_cert =
            |source| TlsError::Pem { key: "cert_file", file: cert_file.to_owned(), source };
        let chain: Vec<_> = CertificateDer::pem_file_iter(cert_file)
            .and_then(Iterator::collect::<Result<_, _>>)
            .map_err(in_cert)?;
        let Some(own) = chain.first() else {
            return Err(TlsError::NoCertificate { file: cert_file.to_owned() });
        };
        let (_, own) = x509_parser::parse_x509_certificate(own).map_err(|error| {
            TlsError::NotX509 { file: cert_file.to_owned(), reason: error.to_string() }
        })?;
        let valid = own.validity();
        let valid_s = (valid.not_before.timestamp(), valid.not_after.timestamp());
        let key = PrivateKeyDer::from_pem_file(key_file).map_err(|source| TlsError::Pem {
            key: "key_file",
            file: key_file.to_owned(),
            source,
        })?;
        let key = CertifiedKey::from_der(chain, key, &tls::provider()).map_err(|source| {
            TlsError::Pair {
                cert_file: cert_file.to_owned(),
                key_file: key_file.to_owned(),
                source,
            }
        })?;
        Ok(Self { key: Arc::new(key), valid_s })
    }

    /// Refuses a pair that is not valid now.
    pub fn check_validity(&self, cert_file: &Path) -> Result<(), TlsError> {
        let now = now_s();
        let reason = if now < self.valid_s.0 {
            format!("is not valid for another {} days", days(self.valid_s.0 - now) + 1)
        } else if now > self.valid_s.1 {
            format!("ran out {} days ago", days(now - self.valid_s.1))
        } else {
            return Ok(());
        };
        Err(TlsError::OutOfDate { file: cert_file.to_owned(), reason })
    }

    /// When it ends to be valid, in seconds since 1970.
    pub const fn valid_until_s(&self) -> i64 {
        self.valid_s.1
    }

    /// Whole days until then; below zero where it is past.
    pub fn days_left(&self) -> i64 {
        days(self.valid_s.1 - now_s())
    }

    /// Whether the certificates are the same.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.key.cert == other.key.cert
    }
}

const fn days(seconds: i64) -> i64 {
    seconds.div_euclid(DAY_S)
}

/// Certificates are dated by the wall clock, whatever it says.
fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// What hangs at the door.
#[derive(Debug)]
pub struct Keyring(RwLock<Pair>);

impl Keyring {
    /// With the first pair.
    pub const fn new(pair: Pair) -> Self {
        Self(RwLock::new(pair))
    }

    /// Gives new handshakes another pair.
    pub fn swap(&self, pair: Pair) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
    }

    /// The pair in use.
    pub fn current(&self) -> Pair {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Keyring {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::certificate;

    fn message(cert_file: &Path, key_file: &Path) -> String {
        Pair::read(cert_file, key_file).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let (cert, key) = certificate::ensure_self_signed(dir.path()).expect("a certificate");
        assert!(Pair::read(&cert, &key).is_ok());

        let absent = dir.path().join("absent.pem");
        let said = message(&absent, &key);
        assert!(said.contains("cert_file") && said.contains("absent.pem"), "{said}");
        let said = message(&cert, &absent);
        assert!(said.contains("key_file") && said.contains("absent.pem"), "{said}");

        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "nothing here\n").expect("a file");
        assert!(message(&empty, &key).contains("holds no certificate"));
        assert!(message(&cert, &empty).contains("holds no private key"));
        assert!(message(&key, &key).contains("holds no certificate"));

        let broken = dir.path().join("broken.pem");
        std::fs::write(&broken, "-----BEGIN CERTIFICATE-----\n!!!\n").expect("a file");
        assert!(message(&broken, &key).contains("not valid PEM"));
    }

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let (one, two) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
        let (cert, _) = certificate::ensure_self_signed(one.path()).expect("a certificate");
        let (_, key) = certificate::ensure_self_signed(two.path()).expect("a certificate");
        let said = message(&cert, &key);
        assert!(said.contains("cert_file") && said.contains("key_file"), "{said}");
    }
}
