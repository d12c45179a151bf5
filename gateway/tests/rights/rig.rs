//! A gateway with a generated market behind it, and the operator's files beside it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use feed_sim::{Generate, Handle};
use gateway::door::certificate::ensure_self_signed;
use gateway::{Running, config};
use rights::NewKey;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use super::dashboard::{Dashboard, Reply};
use super::issuer::Issuer;
use super::orderly::Orderly;
use super::trust::{trust, trusting};

/// Long enough that only a hang exceeds it.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub struct Rig {
    running: Option<Orderly>,
    pub folder: tempfile::TempDir,
    pub issuer: Issuer,
    /// A key of the user "robot".
    pub key: NewKey,
    pub tls: Arc<ClientConfig>,
    /// With the certificate of "cn:wall-7".
    pub tls_with_certificate: Arc<ClientConfig>,
    _venue: Handle,
}

impl Rig {
    /// `auth` stands in the section of that name, `rules` in the entitlements.
    pub fn new(auth: &str, rules: &str) -> Self {
        Self::with_shards(1, auth, rules)
    }

    pub fn with_shards(count: usize, auth: &str, rules: &str) -> Self {
        Self::with_ingest(count, auth, "", rules)
    }

    /// `ingest` stands in the section of that name.
    pub fn with_ingest(count: usize, auth: &str, ingest: &str, rules: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (cert_file, key_file) = ensure_self_signed(folder.path()).expect("a certificate");
        let (issuer, key) = (Issuer::new(), NewKey::generate().expect("randomness"));
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("written");
        };
        write("jwks.json", &issuer.jwks());
        write("credentials.toml", &register(&key));
        write("entitlements.toml", rules);
        let (ca, certificate, private) = client_papers();
        write("client-ca.pem", &ca);
        let market = Generate { symbols: 4, rate: 400.0, levels: 30, ..Generate::default() };
        let venue = market.start_thread(any_port()).expect("it starts");
        let text = format!(
            "[door]\nlisten = '127.0.0.1:0'\ncert_file = '{}'\nkey_file = '{}'\n\
             [auth]\ncredentials_file = 'credentials.toml'\n\
             entitlements_file = 'entitlements.toml'\nclient_ca_file = 'client-ca.pem'\n{auth}\n\
             [admin]\nlisten = '127.0.0.1:0'\n[shard]\ncount = {count}\n[ring]\nbytes = 4194304\n\
             [ingest]\n{ingest}\n[[ingest.feeds]]\nname = 'f'\ndialect = 'kraken'\n\
             url = 'ws://{}/v2'\n\
             symbols = 'all'\nbook_depth = 100\n",
            cert_file.display(),
            key_file.display(),
            venue.addr(),
        );
        let file = folder.path().join("gateway.toml");
        fs::write(&file, text).expect("written");
        let loaded = config::load(&file).unwrap_or_else(|error| panic!("{error}"));
        let running = Orderly::start(loaded.config);
        let tls = trust(&cert_file);
        let tls_with_certificate = with_certificate(&cert_file, &certificate, &private);
        let rig = Self {
            running: Some(running),
            folder,
            issuer,
            key,
            tls,
            tls_with_certificate,
            _venue: venue,
        };
        rig.wait("the market is there", || {
            rig.counted("gateway_ingest_ticks_published_total") > 500
        });
        rig
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("written");
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Comes with these headers.
    pub fn knock(&self, path: &str, headers: &[(&str, &str)]) -> Result<Dashboard, Reply> {
        Dashboard::knock(self.running().door_address(), &self.tls, path, headers)
    }

    /// Comes with a good token.
    pub fn enter(&self, user: &str) -> Dashboard {
        let token = self.issuer.token(user, 3600);
        let bearer = format!("Bearer {token}");
        let mut dashboard = self.knock("/v2", &[("Authorization", &bearer)]).expect("a good token");
        dashboard.is_greeted();
        dashboard
    }

    /// Comes without anything.
    pub fn stranger(&self) -> Dashboard {
        self.knock("/v2", &[]).expect("strangers are asked inside")
    }

    pub fn counted(&self, name: &str) -> u64 {
        let text = self.running().metrics().exposition();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// What operators are answered.
    pub fn asked(&self, path: &str) -> Value {
        let mut socket = TcpStream::connect(self.running().admin_address()).expect("connected");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        socket.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        serde_json::from_str(body).expect("JSON")
    }

    /// Waits until `met`, which asks the gateway.
    pub fn wait(&self, what: &str, mut met: impl FnMut() -> bool) {
        self.running();
        let deadline = Instant::now() + PATIENCE;
        while !met() {
            assert!(Instant::now() < deadline, "never: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn stop(&mut self) {
        drop(self.running.take());
    }
}

fn register(key: &NewKey) -> String {
    format!(
        "[tokens]\nkeys_file = 'jwks.json'\nissuers = ['https://login.test/']\n\
         audiences = ['market-data']\nleeway_s = 0\n\
         [[certificates]]\nsubject = 'cn:wall-7'\nuser = 'wall'\n{}",
        key.register_entry("robot", &[], None)
    )
}

/// An authority, and a certificate of "wall-7" by it with its key; PEM.
fn client_papers() -> (String, String, String) {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    };
    let ca_key = rcgen::KeyPair::generate().expect("a key");
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "test authority");
    let ca_pem = ca.self_signed(&ca_key).expect("signed").pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "wall-7");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.signed_by(&key, &issuer).expect("signed");
    (ca_pem, certificate.pem(), key.serialize_pem())
}

fn with_certificate(cert_file: &Path, certificate: &str, key: &str) -> Arc<ClientConfig> {
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let config = trusting(cert_file).with_client_auth_cert(chain, key);
    Arc::new(config.expect("they belong together"))
}

pub fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// Everybody sees everything.
pub const ALL: &str = "[[rules]]\nsymbols = ['*']\nquality = 'realtime'\n";
