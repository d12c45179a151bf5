//! Who may sign in and what he may see, as the operator's files say now: shared by door and shards.
//!
//! A reading of the files is whole and never changes; a reload makes another and puts it in its
//! place, or, where a file has a fault, leaves the old one and says what is wrong. The door asks at
//! each arrival; a shard looks at the version and fetches what is new. The lock is held for a
//! pointer's copy, and never while a tick is handled.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fanout::Permits;
use rights::{Authenticator, FileError, KeySet, Register, Rules};
use thiserror::Error;

use crate::config;

/// Why the files cannot be used.
#[derive(Debug, Error)]
pub enum AccessError {
    /// A file cannot be had.
    #[error("{}: cannot be read: {source}", file.display())]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What a file says cannot be used; each fault with file, line and key.
    #[error(transparent)]
    File(#[from] FileError),
    /// Certificates are to sign in, and no authority is trusted to make them.
    #[error(
        "{}: certificates: need auth.client_ca_file, the authority that makes them",
        file.display()
    )]
    NoAuthority {
        /// The register.
        file: PathBuf,
    },
}

impl AccessError {
    /// The file that cannot be used.
    pub fn file(&self) -> &Path {
        match self {
            Self::Unreadable { file, .. } | Self::NoAuthority { file } => file,
            Self::File(error) => &error.file,
        }
    }
}

/// What is in force.
#[derive(Debug)]
pub struct Access {
    settings: config::Auth,
    /// The longest delay that is served.
    delay_max: Duration,
    current: Mutex<Arc<Permits>>,
    /// Grows with each swap.
    version: AtomicU64,
}

impl Access {
    /// Reads the files for the first time. Rules that ask for more than `delay_max` are refused.
    pub fn load(settings: &config::Auth, delay_max: Duration) -> Result<Self, AccessError> {
        let current = Mutex::new(Arc::new(read(settings, delay_max)?));
        let version = AtomicU64::new(0);
        Ok(Self { settings: settings.clone(), delay_max, current, version })
    }

    /// Reads the files again; on an error everything stays as it was. Sessions that run are looked
    /// at again within two seconds.
    pub fn reload(&self) -> Result<(), AccessError> {
        self.swap(self.read()?);
        Ok(())
    }

    /// Reads the files, and leaves it to the caller to put what they say in force.
    pub fn read(&self) -> Result<Arc<Permits>, AccessError> {
        read(&self.settings, self.delay_max).map(Arc::new)
    }

    /// Puts other permits in force.
    pub fn swap(&self, permits: Arc<Permits>) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = permits;
        // Release pairs with the Acquire in `version`: who sees the number finds what it means.
        self.version.fetch_add(1, Ordering::Release);
    }

    /// What is in force now.
    pub fn current(&self) -> Arc<Permits> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another number means other permits.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }
}

/// Reads all that the config names.
fn read(settings: &config::Auth, delay_max: Duration) -> Result<Permits, AccessError> {
    let (register, keys) = match &settings.credentials_file {
        None => (Register::open(), None),
        Some(file) => {
            let register = Register::parse(&text(file)?, file)?;
            if register.wants_certificates() && settings.client_ca_file.is_none() {
                return Err(AccessError::NoAuthority { file: file.clone() });
            }
            let folder = file.parent().unwrap_or(Path::new(""));
            let keys_file = register.token_keys_file().map(|name| folder.join(name));
            let keys = match keys_file {
                Some(file) => Some(KeySet::parse(&text(&file)?, &file)?),
                None => None,
            };
            (register, keys)
        }
    };
    let rules = match &settings.entitlements_file {
        None => Rules::open(),
        Some(file) => Rules::parse(&text(file)?, file, delay_max)?,
    };
    Ok(Permits { authenticator: Authenticator::new(register, keys), rules: Arc::new(rules) })
}

fn text(file: &Path) -> Result<String, AccessError> {
    std::fs::read_to_string(file)
        .map_err(|source| AccessError::Unreadable { file: file.to_owned(), source })
}
