//! Whom the load side believes: a CA file, the public roots, or (said aloud) anyone.
//!
//! One TLS 1.3 client configuration, shared by all sessions. Resumption is off: each session pays a
//! full handshake, as a dashboard's first visit does, and keeps no tickets in memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::{CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
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
    /// The public roots cannot be used.
    #[error("public roots: {0}")]
    Public(String),
    /// The TLS library refused the settings.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
}

impl Trust {
    /// The configuration that all sessions share.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TrustError> {
        let mut provider = aws_lc_rs::default_provider();
        // A server that follows its client's preference shall do the work the others do.
        provider
            .cipher_suites
            .sort_by_key(|suite| suite.suite() != CipherSuite::TLS13_AES_128_GCM_SHA256);
        let provider = Arc::new(provider);
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?;
        let judge = match self {
            Self::Anyone => Judge { provider, pinned: Vec::new(), chain: None },
            Self::Public => {
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                Judge::by_roots(provider, roots, Vec::new()).map_err(TrustError::Public)?
            }
            Self::File(path) => {
                let fail = |cause| TrustError::File { path: path.display().to_string(), cause };
                let (roots, pinned) = certificates_of(path).map_err(fail)?;
                Judge::by_roots(provider, roots, pinned).map_err(fail)?
            }
        };
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(judge))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok(Arc::new(config))
    }
}

type Certificates = (RootCertStore, Vec<CertificateDer<'static>>);

fn certificates_of(path: &Path) -> Result<Certificates, String> {
    let mut roots = RootCertStore::empty();
    let mut pinned = Vec::new();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate.clone()).map_err(|error| error.to_string())?;
        pinned.push(certificate);
    }
    if roots.is_empty() {
        return Err("holds no certificate".to_owned());
    }
    Ok((roots, pinned))
}

/// Believes exactly the pinned certificates (a self-signed one often may not sign itself by the
/// rules of chains), then chains, or anyone where there is no chain to judge by. In each case the
/// peer must own the certificate's key.
#[derive(Debug)]
struct Judge {
    provider: Arc<CryptoProvider>,
    pinned: Vec<CertificateDer<'static>>,
    chain: Option<Arc<WebPkiServerVerifier>>,
}

impl Judge {
    fn by_roots(
        provider: Arc<CryptoProvider>,
        roots: RootCertStore,
        pinned: Vec<CertificateDer<'static>>,
    ) -> Result<Self, String> {
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let chain = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { provider, pinned, chain: Some(chain) })
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match &self.chain {
            Some(chain) if !self.pinned.iter().any(|one| one == end_entity) => {
                chain.verify_server_cert(end_entity, intermediates, name, ocsp, now)
            }
            _ => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
