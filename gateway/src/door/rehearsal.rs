//! The door's HTTP without socket and TLS: bytes in, bytes out. For the fuzz targets alone.
//!
//! What reads and answers is the door's own code; only what lies around it is left out. A granted
//! upgrade ends with its 101.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use crossbeam::channel::Receiver;
use rustls::ServerConfig;
use rustls::server::ResolvesServerCertUsingSni;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use super::{Gate, Hall, Surroundings, query, visit};
use crate::access::Access;
use crate::catalogue::Catalogue;
use crate::config;
use crate::hearing;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::shard::{Arrival, Mailbox};

/// Bytes on their way in each direction.
const PIPE_BYTES: usize = 1 << 20;

/// A door that nobody can walk through.
pub struct Rehearsal {
    runtime: Runtime,
    hall: Arc<Hall>,
    _mailbox: Receiver<Arrival>,
    _poll: mio::Poll,
}

impl Rehearsal {
    /// With these limits and origins.
    pub fn new(settings: config::Door) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider knows them")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(ResolvesServerCertUsingSni::new()));
        let poll = mio::Poll::new().expect("a poll");
        let waker = mio::Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
        let (mailbox, receiver) =
            Mailbox::new(1, Arc::new(waker), Arc::new(AtomicUsize::default()));
        let auth = config::Auth::open();
        let access =
            Arc::new(Access::load(&auth, Duration::ZERO).expect("there is no file to be read"));
        let surroundings = Surroundings {
            catalogue: Arc::new(Catalogue::default()),
            mailboxes: vec![mailbox],
            gate: Gate::new(&auth, access),
            hearings: hearing::desk().1,
            metrics: Arc::new(Metrics::new([], 1)),
        };
        Self {
            runtime: Builder::new_current_thread().enable_all().build().expect("a runtime"),
            hall: Arc::new(Hall::new(Arc::new(Live::new(settings)), Arc::new(tls), surroundings).0),
            _mailbox: receiver,
            _poll: poll,
        }
    }

    /// All that is answered to a connection that says `bytes` and then no more.
    pub fn answers(&self, bytes: &[u8]) -> Vec<u8> {
        self.runtime.block_on(async {
            let (mut near, far) = tokio::io::duplex(PIPE_BYTES);
            near.write_all(bytes).await.expect("the pipe is longer than any input");
            near.shutdown().await.expect("the pipe is open");
            visit::rehearse(far, &self.hall).await;
            let mut answers = Vec::new();
            near.read_to_end(&mut answers).await.expect("the pipe is whole");
            answers
        })
    }
}

/// The value of `key` in a query.
pub fn query_value(text: &str, key: &str) -> Option<String> {
    query::value(text, key)
}
