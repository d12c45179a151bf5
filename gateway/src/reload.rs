//! Reloading: the config file read anew, what can change put in force; certificate and key
//! exchanged.
//!
//! Asked for by SIGHUP, by `POST /reload`, and by the look at the certificate's files; whoever asks
//! does the work, one at a time. **Invariant:** everything is read and checked before anything is
//! changed; what cannot be used is refused whole, counted, and what was in force stays.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thiserror::Error;

use crate::access::{Access, AccessError};
use crate::config::{self, Changes, Config, ConfigError};
use crate::door::TlsError;
use crate::door::keyring::{Keyring, Pair};
use crate::live::Live;
use crate::logs::Logs;
use crate::metrics::{ControlMetrics, Metrics, ReloadOutcome};

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// This gateway was not started from a file.
    #[error("there is no config file to read again")]
    NoFile,
    /// The file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Certificate(#[from] TlsError),
    /// Who may sign in, or see what, cannot be used.
    #[error(transparent)]
    Access(#[from] AccessError),
}

/// What a reload did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Keys of the config.
    pub changes: Changes,
    /// New handshakes get another certificate.
    pub is_certificate_new: bool,
    /// Whole days until it runs out.
    pub certificate_days: i64,
    /// What works and will surprise.
    pub warnings: Vec<String>,
}

/// What a reload reads and puts in force.
#[derive(Debug)]
pub(crate) struct Subjects {
    pub(crate) file: Option<PathBuf>,
    /// As in force.
    pub(crate) config: Config,
    pub(crate) log_level: String,
    pub(crate) door: Arc<Live<config::Door>>,
    pub(crate) shards: Arc<Live<config::Shard>>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) access: Arc<Access>,
    pub(crate) logs: Logs,
    pub(crate) metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct State {
    subjects: Subjects,
    /// The files as they were when they were last tried.
    tried: Prints,
    /// The files as they were at the last look.
    seen: Prints,
}

/// Reloads, from any thread.
#[derive(Clone, Debug)]
pub struct Reloader(Arc<Mutex<State>>);

impl Reloader {
    pub(crate) fn new(subjects: Subjects) -> Self {
        let tried = prints(&subjects.config.door);
        let state = State { subjects, tried, seen: tried };
        state.show_validity();
        Self(Arc::new(Mutex::new(state)))
    }

    /// Reads the config file and what it names, and puts in force what can change.
    pub fn reload(&self) -> Result<Report, ReloadError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = state.reload();
        let count = |label| state.counters().config_reloads.of(label).inc();
        match &outcome {
            Ok(report) => {
                count(ReloadOutcome::Applied);
                tracing::info!(
                    applied = ?report.changes.applied,
                    needs_restart = ?report.changes.needs_restart,
                    is_certificate_new = report.is_certificate_new,
                    "reloaded"
                );
            }
            Err(error) => {
                count(ReloadOutcome::Refused);
                tracing::error!("reload refused, all stays as it was: {error}");
            }
        }
        outcome
    }

    /// Looks whether certificate or key were replaced; takes them once they stand still. Says when
    /// to look again; none for never.
    pub fn look_at_certificate(&self) -> Option<Duration> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let every = state.subjects.config.door.cert_watch;
        if every.is_zero() {
            return None;
        }
        let now = prints(&state.subjects.config.door);
        let stands_still = now == state.seen;
        state.seen = now;
        if now != state.tried && stands_still {
            state.tried = now;
            let (cert, key) = state.papers();
            match state.take_certificate(&cert, &key) {
                Ok(is_new) => tracing::info!(is_new, "certificate and key were read again"),
                Err(error) => tracing::error!("the certificate in use stays: {error}"),
            }
        }
        Some(every)
    }
}

impl State {
    fn counters(&self) -> &ControlMetrics {
        &self.subjects.metrics.control
    }

    fn papers(&self) -> (PathBuf, PathBuf) {
        let door = &self.subjects.config.door;
        (door.cert_file.clone(), door.key_file.clone())
    }

    fn reload(&mut self) -> Result<Report, ReloadError> {
        // First, everything is read.
        let file = self.subjects.file.clone().ok_or(ReloadError::NoFile)?;
        let loaded = config::load(&file)?;
        let (cert_file, key_file) = (&loaded.config.door.cert_file, &loaded.config.door.key_file);
        let pair = self.read_certificate(cert_file, key_file)?;
        let permits = self.subjects.access.read()?;

        // From here on nothing fails, and everything is put in force.
        let is_certificate_new = self.hang_up(pair);
        self.subjects.access.swap(permits);
        let subjects = &mut self.subjects;
        let mut changes = config::bring_up_to_date(&mut subjects.config, &loaded.config);
        subjects.door.replace(subjects.config.door.clone());
        subjects.shards.replace(subjects.config.shard.clone());
        let mut warnings = loaded.warnings;
        if loaded.log_level != subjects.log_level {
            if subjects.logs.is_overridden() {
                warnings.push("log.level is without effect: --log or RUST_LOG go before".into());
            } else if let Err(error) = subjects.logs.set_level(&loaded.log_level) {
                warnings.push(format!("log.level: {error}"));
            } else {
                changes.applied.push("log.level");
            }
            subjects.log_level = loaded.log_level;
        }
        self.tried = prints(&self.subjects.config.door);
        let certificate_days = self.subjects.keyring.current().days_left();
        Ok(Report { changes, is_certificate_new, certificate_days, warnings })
    }

    fn take_certificate(&mut self, cert_file: &Path, key_file: &Path) -> Result<bool, TlsError> {
        let pair = self.read_certificate(cert_file, key_file)?;
        Ok(self.hang_up(pair))
    }

    fn read_certificate(&self, cert_file: &Path, key_file: &Path) -> Result<Pair, TlsError> {
        let pair = Pair::read(cert_file, key_file)
            .and_then(|pair| pair.check_validity(cert_file).map(|()| pair));
        if pair.is_err() {
            self.counters().certificate_reloads.of(ReloadOutcome::Refused).inc();
        }
        pair
    }

    /// True where it is another than the one that hung there.
    fn hang_up(&self, pair: Pair) -> bool {
        let keyring = &self.subjects.keyring;
        let is_new = !pair.is_same_as(&keyring.current());
        keyring.swap(pair);
        if is_new {
            self.counters().certificate_reloads.of(ReloadOutcome::Applied).inc();
        }
        self.show_validity();
        is_new
    }

    fn show_validity(&self) {
        let until_s = self.subjects.keyring.current().valid_until_s();
        self.counters().certificate_valid_until_s.set(until_s.max(0) as u64);
    }
}

/// What tells a file from the one that stood there before: inode, size, time of change.
type Print = Option<(u64, u64, i64, i64)>;
type Prints = [Print; 2];

fn prints(door: &config::Door) -> Prints {
    [&door.cert_file, &door.key_file].map(|file| {
        let metadata = fs::metadata(file).ok()?;
        Some((metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    })
}
