//! A dashboard's TLS that believes one certificate and nobody else.
#![allow(dead_code, reason = "each test program uses its share")]

use std::path::Path;
use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// Shows no certificate of its own.
pub(crate) fn trust(cert_file: &Path) -> Arc<ClientConfig> {
    Arc::new(trusting(cert_file).with_no_client_auth())
}

/// May show one of its own.
pub(crate) fn trusting(cert_file: &Path) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots(cert_file))
}

pub(crate) fn roots(cert_file: &Path) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(cert_file).expect("PEM")).expect("a certificate");
    roots
}
