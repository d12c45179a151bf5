//! Server certificates: PEM files given by the operator, or a self-signed pair made once and kept.
//!
//! Used at start only. Invariant: an existing self-signed pair is never replaced, so a client
//! that trusts it goes on trusting it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::SimError;

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Tls {
    /// PEM files: a certificate chain and its private key.
    Pem {
        /// The chain, the server's own certificate first.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// `cert.pem` and `key.pem` in this directory, made for localhost if they are not there.
    SelfSigned(PathBuf),
}

impl Tls {
    pub(crate) fn acceptor(&self) -> Result<TlsAcceptor, SimError> {
        let (cert, key) = match self {
            Self::Pem { cert, key } => (cert.clone(), key.clone()),
            Self::SelfSigned(directory) => self_signed(directory)?,
        };
        let chain = CertificateDer::pem_file_iter(&cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| SimError::tls(&cert, error))?;
        let private =
            PrivateKeyDer::from_pem_file(&key).map_err(|error| SimError::tls(&key, error))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| SimError::tls(&cert, error))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

fn self_signed(directory: &Path) -> Result<(PathBuf, PathBuf), SimError> {
    let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    if cert.exists() && key.exists() {
        return Ok((cert, key));
    }
    std::fs::create_dir_all(directory).map_err(|error| SimError::file(directory, error))?;
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from).to_vec();
    let pair =
        rcgen::generate_simple_self_signed(names).map_err(|error| SimError::tls(&cert, error))?;
    write_private(&key, &pair.signing_key.serialize_pem())?;
    std::fs::write(&cert, pair.cert.pem()).map_err(|error| SimError::file(&cert, error))?;
    Ok((cert, key))
}

fn write_private(path: &Path, text: &str) -> Result<(), SimError> {
    use std::io::Write;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| SimError::file(path, error))?;
    file.write_all(text.as_bytes()).map_err(|error| SimError::file(path, error))
}
