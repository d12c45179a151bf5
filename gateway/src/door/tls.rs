//! The door's TLS settings, made once from two PEM files.
//!
//! TLS 1.3 first, 1.2 allowed; our order of ciphers rules, because AES-128-GCM costs half of what
//! the others do per record and every frame to every dashboard pays it. Deliberately absent: 0-RTT,
//! which could be replayed, and any protocol but HTTP/1.1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, Ticketer, cipher_suite};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;

/// Why the door has no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file cannot be read, or is no PEM.
    #[error("door.{key} {}: {}", file.display(), pem_words(source))]
    Pem {
        /// Key in the config's section `door`.
        key: &'static str,
        /// The file.
        file: PathBuf,
        /// What PEM says.
        source: pem::Error,
    },
    /// The file holds no certificate.
    #[error("door.cert_file {}: holds no certificate (BEGIN CERTIFICATE)", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// Certificate and key do not belong together, or their algorithm is not known.
    #[error("door.cert_file {} and door.key_file {}: {source}", cert_file.display(), key_file.display())]
    Pair {
        /// The certificate's file.
        cert_file: PathBuf,
        /// The key's file.
        key_file: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// The machine gave no random bytes, or a setting contradicts itself.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

fn pem_words(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::NoItemsFound => "holds no private key (BEGIN PRIVATE KEY)".to_owned(),
        other => format!("is not valid PEM: {other}"),
    }
}

/// What rustls needs to serve dashboards.
pub(super) fn server_config(
    cert_file: &Path,
    key_file: &Path,
) -> Result<Arc<ServerConfig>, TlsError> {
    let in_cert = |source| TlsError::Pem { key: "cert_file", file: cert_file.to_owned(), source };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert_file)
        .and_then(Iterator::collect::<Result<_, _>>)
        .map_err(in_cert)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: cert_file.to_owned() });
    }
    let key = PrivateKeyDer::from_pem_file(key_file).map_err(|source| TlsError::Pem {
        key: "key_file",
        file: key_file.to_owned(),
        source,
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|source| TlsError::Pair {
            cert_file: cert_file.to_owned(),
            key_file: key_file.to_owned(),
            source,
        })?;
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets, not a session table: resumption then costs no memory per dashboard.
    config.ticketer = Ticketer::new()?;
    // Behind the handshake the record layer has the keys.
    config.enable_secret_extraction = true;
    Ok(Arc::new(config))
}

fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::certificate;

    fn message(cert_file: &Path, key_file: &Path) -> String {
        server_config(cert_file, key_file).expect_err("refused").to_string()
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let (cert, key) = certificate::ensure_self_signed(dir.path()).expect("a certificate");
        assert!(server_config(&cert, &key).is_ok());

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
