//! What is measured: a gateway this bench starts, a peer, or a server that already runs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::RunError;
use super::dialect::Dialect;

/// A server, and how it is called in reports.
#[derive(Clone, Debug)]
pub struct Contender {
    /// For reports.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// How a server comes to be.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Started from this program, with settings on top of the scenario's.
    Gateway {
        /// The program.
        program: PathBuf,
        /// As in config/gateway.toml.
        settings: toml::Table,
    },
    /// One of bench/peers.
    Peer(Peer),
    /// It runs already, with a feed of its own.
    Url {
        /// Where.
        url: String,
        /// Its certificate; none believes anyone.
        ca: Option<PathBuf>,
    },
}

/// A server that a user would pick instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its command; `{feed}`, `{listen}`, `{cert}`, `{key}` stand for what they say.
    pub argv: Vec<String>,
    /// What it is, in a line.
    #[serde(default)]
    pub what: String,
    /// Whether ticks due at once leave as one write.
    #[serde(default)]
    pub coalesces: bool,
    /// How it is installed.
    #[serde(default)]
    pub install: String,
    /// How it is spoken to.
    #[serde(default = "unacknowledged")]
    pub dialect: Dialect,
    /// Path of its WebSocket.
    #[serde(default = "path")]
    pub path: String,
    /// What relative names in its command begin at: the project's root.
    #[serde(skip)]
    pub folder: PathBuf,
}

fn unacknowledged() -> Dialect {
    Dialect::Unacknowledged
}

fn path() -> String {
    "/v2".to_owned()
}

#[derive(Deserialize)]
struct Peers {
    peer: Vec<Peer>,
}

impl Peer {
    /// All peers that `file` lists.
    pub fn list(file: &Path) -> Result<Vec<Self>, RunError> {
        let fail = |cause: String| RunError::Peers { path: file.display().to_string(), cause };
        let text = std::fs::read_to_string(file).map_err(|error| fail(error.to_string()))?;
        let list: Peers = toml::from_str(&text).map_err(|error| fail(error.to_string()))?;
        let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let folder = file.ancestors().nth(3).unwrap_or(Path::new(".")).to_owned();
        Ok(list.peer.into_iter().map(|peer| Self { folder: folder.clone(), ..peer }).collect())
    }

    /// Its command line. A relative program or file is taken from the root.
    pub fn command(
        &self,
        feed: SocketAddr,
        listen: SocketAddr,
        cert: &Path,
        key: &Path,
    ) -> Vec<String> {
        let filled = self.argv.iter().map(|word| {
            word.replace("{feed}", &format!("ws://{feed}/v2"))
                .replace("{listen}", &listen.to_string())
                .replace("{cert}", &cert.display().to_string())
                .replace("{key}", &key.display().to_string())
        });
        let located = filled.map(|word| {
            let beside = self.folder.join(&word);
            let relative =
                word.contains('/') && !word.contains("://") && Path::new(&word).is_relative();
            if relative && beside.exists() { beside.display().to_string() } else { word }
        });
        located.collect()
    }

    /// Whether its program is there.
    pub fn is_installed(&self) -> bool {
        let Some(program) = self.argv.first() else { return false };
        let here = |path: PathBuf| path.is_file();
        if program.contains('/') {
            return here(self.folder.join(program));
        }
        let folders = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&folders).any(|folder| here(folder.join(program)));
        // An interpreter alone is not enough: the files it is given must be there too.
        let files = self.argv[1..].iter().filter(|word| word.contains('/') && !word.contains('{'));
        found && files.into_iter().all(|word| self.folder.join(word).exists())
    }
}
