//! Whom the load side believes: a CA file, the public roots, or (said aloud) anyone.
//!
//! One TLS 1.3 client configuration, shared by all sessions. Resumption is off: each session pays a
//! full handshake, as a dashboard's first visit does, and keeps no tickets in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// How the gateway's certificate is judged.
#[derive(Clone, Debug)]
pub enum Trust {
    /// By the public web's roots.
    Public,
    /// By the certificates of one PEM file.
    File(PathBuf),
    /// Not at all: the connection is encrypted, the peer unproven.
    Anyone,
}

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The file cannot be read or holds something that is not PEM.
    #[error("ca file {path}: {cause}")]
    File {
        /// The file as given.
        path: String,
        /// What went wrong with it.
        cause: String,
    },
    /// The TLS library refused the settings.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// The configuration that all sessions share.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?;
        let mut config = match self {
            Self::Anyone => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Unquestioning(provider)))
                .with_no_client_auth(),
            Self::Public => {
                let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
                builder.with_root_certificates(RootCertStore { roots }).with_no_client_auth()
            }
            Self::File(path) => {
                builder.with_root_certificates(roots_of(path)?).with_no_client_auth()
            }
        };
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

fn roots_of(path: &Path) -> Result<RootCertStore, TrustError> {
    let fail = |cause: String| TrustError::File { path: path.display().to_string(), cause };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| fail(e.to_string()))? {
        let certificate = certificate.map_err(|e| fail(e.to_string()))?;
        roots.add(certificate).map_err(|e| fail(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(fail("holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Accepts any certificate, but still demands that the peer owns its key.
#[derive(Debug)]
struct Unquestioning(Arc<CryptoProvider>);

impl ServerCertVerifier for Unquestioning {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
