//! The pacing loop of a generated market.
//!
//! Runs on the sim thread. Invariant: a tick's intended time is fixed by seed and start; one that
//! is late is sent late with its intended time, never skipped.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;

use super::Generate;
use super::arrivals::Arrivals;
use super::venue::GeneratedVenue;
use crate::net::hub::bump;
use crate::pace::Pacer;
use crate::summary::{LatenessMeter, Run};

/// Ticks between two looks at the sockets when many are due.
const BATCH_MAX: usize = 128;

/// Plays until everything is sent and the linger is over, or the hub is told to stop.
pub(crate) async fn run(options: Generate, venue: Rc<GeneratedVenue>, mut rng: Rng) -> Run {
    let hub = Rc::clone(&venue.hub);
    let mut meter = LatenessMeter::new();
    venue.generator.borrow_mut().record_start();
    let began_ns = tokio::select! {
        began_ns = begin(&options, &venue) => began_ns,
        () = hub.stopped() => hub.clock.now_ns(),
    };
    tokio::select! {
        () = play(&options, &venue, &mut rng, &mut meter, began_ns) => {}
        () = hub.stopped() => {}
    }
    let elapsed_ns = hub.clock.now_ns() - began_ns;
    hub.publish_progress(meter.max_ns());
    hub.progress.done.store(1, Ordering::Relaxed);
    match options.exit_when_done {
        Some(linger) => {
            let _ = tokio::time::timeout(linger, hub.stopped()).await;
        }
        None => hub.stopped().await,
    }
    let truth = venue.generator.borrow_mut().truth.take();
    let truth = truth.map(|truth| truth.finish(hub.ticks.get()));
    Run { loops: 0, elapsed_ns, lateness: meter.report(), truth }
}

/// Waits for the start condition and the delay; the time at which the market opens.
async fn begin(options: &Generate, venue: &GeneratedVenue) -> u64 {
    while options.wait_for_subscriber && !venue.generator.borrow().desk.has_subscribers() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::time::sleep(options.start_delay).await;
    venue.hub.clock.now_ns()
}

async fn play(
    options: &Generate,
    venue: &GeneratedVenue,
    rng: &mut Rng,
    meter: &mut LatenessMeter,
    began_ns: u64,
) {
    let hub = &venue.hub;
    let pacer = Pacer::new(hub.clock, options.pace.resolve(options.rate));
    let mut arrivals = Arrivals::new(options.rate, options.burst, rng);
    let mut start_ns = began_ns;
    let mut next_ns = arrivals.next(rng);
    let ticks_max = options.ticks_max.unwrap_or(u64::MAX);
    while hub.ticks.get() < ticks_max {
        let due_ns = start_ns + next_ns;
        if hub.clock.now_ns() < due_ns {
            pacer.until(due_ns).await;
        }
        start_ns += hub.while_paused().await;
        for _ in 0..BATCH_MAX {
            let (due_ns, now_ns) = (start_ns + next_ns, hub.clock.now_ns());
            if due_ns > now_ns || hub.ticks.get() >= ticks_max {
                break;
            }
            venue.generator.borrow_mut().tick(due_ns, rng);
            bump(&hub.ticks);
            meter.record(now_ns - due_ns);
            next_ns = arrivals.next(rng);
        }
        hub.publish_progress(meter.max_ns());
        tokio::task::yield_now().await;
    }
}
