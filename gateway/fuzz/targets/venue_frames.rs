//! A venue's WebSocket frames, as the feed reads them: through fastwebsockets, in whatever pieces.
//!
//! The first byte is the size of the pieces. Nothing panics, every read ends, and no frame is
//! larger than its limit.
#![no_main]

use std::sync::{LazyLock, Mutex};

use fastwebsockets::{Role, WebSocket};
use libfuzzer_sys::fuzz_target;
use tokio::io::AsyncWriteExt;
use tokio::runtime::{Builder, Runtime};

const FRAME_BYTES_MAX: usize = 2048;

static RUNTIME: LazyLock<Mutex<Runtime>> =
    LazyLock::new(|| Mutex::new(Builder::new_current_thread().build().expect("a runtime")));

fuzz_target!(|data: &[u8]| {
    let Some((cut, bytes)) = data.split_first() else { return };
    let size = usize::from(*cut).max(1);
    RUNTIME.lock().expect("nobody panicked").block_on(async {
        let (venue, near) = tokio::io::duplex(size);
        let (mut pongs, mut venue) = tokio::io::split(venue);
        let say = async {
            // The reader may have gone; what it leaves is not heard.
            let _ = venue.write_all(bytes).await;
            let _ = venue.shutdown().await;
        };
        let read_pongs = async { drop(tokio::io::copy(&mut pongs, &mut tokio::io::sink()).await) };
        let hear = async {
            let mut socket = WebSocket::after_handshake(near, Role::Client);
            socket.set_max_message_size(FRAME_BYTES_MAX);
            while let Ok(frame) = socket.read_frame().await {
                assert!(frame.payload.len() <= FRAME_BYTES_MAX);
            }
        };
        tokio::join!(say, read_pongs, hear);
    });
});
