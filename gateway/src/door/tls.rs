//! The door's TLS settings, made once; certificate and key hang at the keyring.
//!
//! TLS 1.3, and 1.2 where the config says so; our order of ciphers rules, because AES-128-GCM costs
//! half of what the others do per record and every frame to every dashboard pays it. Deliberately
//! absent: 0-RTT, which could be replayed, and any protocol but HTTP/1.1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, Ticketer, cipher_suite};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

use super::keyring::Keyring;
use crate::config::TlsMin;

const CLIENT_CA: &str = "auth.client_ca_file";

/// Why the door has no TLS.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file cannot be read, or is no PEM.
    #[error("{key} {}: {}", file.display(), pem_words(source))]
    Pem {
        /// Key in the config.
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
    #[error(
        "door.cert_file {} and door.key_file {}: {source}",
        cert_file.display(),
        key_file.display()
    )]
    Pair {
        /// The certificate's file.
        cert_file: PathBuf,
        /// The key's file.
        key_file: PathBuf,
        /// What rustls says.
        source: rustls::Error,
    },
    /// The first certificate of the file is none.
    #[error("door.cert_file {}: the first certificate cannot be read: {reason}", file.display())]
    NotX509 {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate is not valid now.
    #[error("door.cert_file {}: the certificate {reason}", file.display())]
    OutOfDate {
        /// The file.
        file: PathBuf,
        /// Since when, or until when.
        reason: String,
    },
    /// The authority of client certificates cannot be used.
    #[error("{CLIENT_CA} {}: {source}", file.display())]
    Authority {
        /// The file.
        file: PathBuf,
        /// What rustls says.
        source: VerifierBuilderError,
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

/// What rustls needs to serve dashboards with what hangs at the keyring. Ticket keys are rustls'
/// own: made anew every six hours, the one before is still taken; an exchanged certificate leaves
/// them.
pub(super) fn server_config(
    keyring: Arc<Keyring>,
    tls_min: TlsMin,
    client_ca_file: Option<&Path>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[_] = match tls_min {
        TlsMin::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsMin::Tls13 => &[&rustls::version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(client_verifier(client_ca_file)?)
        .with_cert_resolver(keyring);
    config.ignore_client_order = true;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets, not a session table: resumption then costs no memory per dashboard.
    config.ticketer = Ticketer::new()?;
    // Behind the handshake the record layer has the keys.
    config.enable_secret_extraction = true;
    Ok(Arc::new(config))
}

/// Who may show a certificate: nobody, or whoever has one of this authority. It is asked for and
/// not required, since there are other ways to sign in.
fn client_verifier(ca_file: Option<&Path>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(file) = ca_file else { return Ok(WebPkiClientVerifier::no_client_auth()) };
    let in_file = |source| TlsError::Pem { key: CLIENT_CA, file: file.to_owned(), source };
    let mut roots = RootCertStore::empty();
    let authorities = CertificateDer::pem_file_iter(file).map_err(in_file)?;
    for authority in authorities {
        roots.add(authority.map_err(in_file)?)?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(provider()))
        .allow_unauthenticated()
        .build()
        .map_err(|source| TlsError::Authority { file: file.to_owned(), source })
}

pub(super) fn provider() -> CryptoProvider {
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
