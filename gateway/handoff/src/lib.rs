//! Across threads: a broadcast ring whose writer never waits.
//!
//! One [`Writer`] appends records of any size; every [`Reader`] follows at its own pace with its
//! own cursor and copies runs of records into a [`Batch`] it owns. The oldest bytes are
//! overwritten. A reader that was lapped learns exactly how many records it lost and stands at the
//! newest place. The model is Aeron's broadcast buffer: say what will be overwritten, then
//! overwrite; copy, then check. Payload lives in atomic words, so no interleaving is a data race
//! and no `unsafe` is needed. It knows nothing of what the bytes mean, never blocks, and starts no
//! thread.
//!
//! ```
//! let (mut writer, subscribers) = handoff::channel(1 << 16)?;
//! let mut reader = subscribers.subscribe(|| { /* wake this reader's event loop */ })?;
//! let mut batch = handoff::Batch::with_size_max(1 << 12);
//! writer.append(b"one")?;
//! writer.append(b"two")?;
//! writer.flush();
//! assert_eq!(reader.read(&mut batch), handoff::Read::Records(2));
//! assert_eq!(batch.iter().collect::<Vec<_>>(), [b"one", b"two"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The interleavings are searched by loom, which needs its own build:
//! `RUSTFLAGS="--cfg loom" cargo test -p handoff --test loom --target-dir target/loom`
#![forbid(unsafe_code)]

mod batch;
mod parking;
mod position;
mod reader;
mod ring;
mod subscribers;
mod sync;
mod words;
mod writer;

pub use batch::{Batch, Records};
pub use parking::READERS_MAX;
pub use position::Position;
pub use reader::{Lag, Read, Reader};
pub use subscribers::{BadCapacity, Subscribers, TooManyReaders, channel};
pub use writer::{RecordTooLarge, Writer};
