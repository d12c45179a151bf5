//! The command line, and what follows directly from it: certificate, runtime.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::CipherSuite::TLS13_AES_128_GCM_SHA256;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::runtime::{Builder, Runtime};

/// What every peer is told.
#[derive(Clone, Debug, clap::Parser)]
pub struct Options {
    /// The venue: a Kraken v2 feed, as ws://HOST:PORT/v2
    #[arg(long, value_name = "URL")]
    pub feed: String,
    /// Address to serve dashboards on; port 0 picks a free one
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: SocketAddr,
    /// PEM file with the certificate chain
    #[arg(long, value_name = "FILE")]
    pub cert: PathBuf,
    /// PEM file with the private key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Threads of the runtime; all work is done on them
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: usize,
}

impl Options {
    /// The server's side of TLS 1.3.
    pub fn tls(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let at = |path: &PathBuf| format!("cannot use {}", path.display());
        let chain = CertificateDer::pem_file_iter(&self.cert)
            .and_then(Iterator::collect)
            .with_context(|| at(&self.cert))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).with_context(|| at(&self.key))?;
        let mut provider = aws_lc_rs::default_provider();
        // The cheapest first, as the gateway has it; a client's own order would decide otherwise.
        provider.cipher_suites.sort_by_key(|suite| suite.suite() != TLS13_AES_128_GCM_SHA256);
        let mut config = ServerConfig::builder_with_provider(provider.into())
            .with_protocol_versions(&[&TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("certificate and key")?;
        config.ignore_client_order = true;
        Ok(Arc::new(config))
    }
}

/// The multi-threaded runtime with so many threads; one of them makes it a server of one core.
pub fn runtime(threads: usize) -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

/// Says that dashboards may come.
pub fn announce(address: SocketAddr) {
    println!("listening on wss://{address}/v2");
}
