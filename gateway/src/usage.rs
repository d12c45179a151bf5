//! The thread that writes the usage log: what shards record of who saw what, to disk.
//!
//! Shards never wait for it: what finds no room in the queue is counted, and the log itself says
//! where how many are missing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rights::usage::{Journal, UsageReceiver};

use crate::clock;
use crate::metrics::Metrics;
use crate::threads::StopFlag;

/// How long a wait for records lasts; then files are looked at, which age.
const WAIT: Duration = Duration::from_millis(500);
/// The pause after a disk that did not take what was written.
const PAUSE: Duration = Duration::from_millis(200);

/// Attempts that may fail once the end was asked for.
const FAILURES_AT_THE_END_MAX: u32 = 10;

/// Writes until all shards are gone, and not much longer than `stop` says where the disk fails,
/// which loses records; they are counted.
pub(crate) fn run(
    mut records: UsageReceiver,
    mut journal: Journal,
    metrics: &Arc<Metrics>,
    stop: &StopFlag,
) {
    let mut failures_at_the_end = 0;
    loop {
        match records.write(&mut journal, WAIT, clock::now) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                metrics.usage.write_errors.inc();
                if is_first_of_a_row(metrics.usage.write_errors.value()) {
                    tracing::error!(%error, "the usage log cannot be written");
                }
                std::thread::sleep(PAUSE);
                failures_at_the_end += u32::from(stop.is_set());
                if failures_at_the_end > FAILURES_AT_THE_END_MAX {
                    return;
                }
            }
        }
    }
}

/// One line for every hundred failures.
const fn is_first_of_a_row(count: u64) -> bool {
    count % 100 == 1
}

/// Opens the log, in a folder that is made where it is not there.
pub(crate) fn open(settings: &crate::config::Usage) -> io::Result<Journal> {
    std::fs::create_dir_all(&settings.folder)?;
    Journal::open(&settings.folder, settings.limits, clock::now())
}
