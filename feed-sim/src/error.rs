//! What can go wrong before the first tick: everything the operator can put right.
//!
//! Whose fault: the operator's (files, addresses, options). Each names the file, and the line
//! where there is one. Faults of clients are counted in the summary instead.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// A file can't be read or written.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A line of a recording is not what it should be.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate or key is of no use.
    #[error("{}: not usable for TLS: {reason}", path.display())]
    Tls {
        /// Which file.
        path: PathBuf,
        /// What rustls said.
        reason: String,
    },
    /// The address can't be listened on.
    #[error("cannot listen on {addr}: {reason}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// An option is out of its range.
    #[error("{option}: {reason}")]
    Option {
        /// The option as written on the command line.
        option: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The sim thread ended before it was ready; its panic message is on stderr.
    #[error("the simulator's thread ended before it was ready")]
    ThreadLost,
}

impl SimError {
    pub(crate) fn file(path: &Path, reason: impl Display) -> Self {
        Self::File { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn line(path: &Path, line: usize, reason: impl Display) -> Self {
        Self::Line { path: path.to_owned(), line, reason: reason.to_string() }
    }

    pub(crate) fn tls(path: &Path, reason: impl Display) -> Self {
        Self::Tls { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn option(option: &'static str, reason: impl Display) -> Self {
        Self::Option { option, reason: reason.to_string() }
    }
}
