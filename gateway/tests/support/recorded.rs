//! Recorded market data, which is never part of the repository.
#![allow(dead_code, clippy::print_stdout, reason = "each test program uses its share")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Where recordings lie: beside the project, whichever crate of it asks.
pub(crate) fn folder() -> PathBuf {
    let beside = || {
        let mut folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let project = folders.find(|folder| folder.join("Cargo.lock").exists());
        project.expect("a crate of the project").join("../shared/data")
    };
    std::env::var_os("GATEWAY_DATA").map_or_else(beside, PathBuf::from)
}

/// One of them; none, said loudly, when it is not there.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = folder().join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: recorded data not found at {}", path.display());
    None
}

/// Its text, unpacked where it is packed.
pub(crate) fn text(path: &Path) -> String {
    let bytes = std::fs::read(path).expect("it was there");
    if path.extension().is_none_or(|ending| ending != "gz") {
        return String::from_utf8(bytes).expect("the recording is text");
    }
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .read_to_string(&mut text)
        .expect("the recording unpacks");
    text
}
