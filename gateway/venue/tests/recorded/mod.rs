//! Finds the recorded venue data; it is never part of the repository.
#![allow(
    dead_code,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub,
    reason = "each test program uses a part of it, and none has a public face"
)]

use std::io::Read;
use std::path::PathBuf;

/// The text of a recorded file, unpacked; none, said loudly, where the recordings are not there.
pub fn text(name: &str) -> Option<String> {
    let folder = std::env::var_os("GATEWAY_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = folder.join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        println!("SKIPPED: recorded data not found at {}", path.display());
        return None;
    };
    let mut text = String::new();
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .expect("the recording unpacks");
    } else {
        text = String::from_utf8(bytes).expect("the recording is text");
    }
    Some(text)
}
