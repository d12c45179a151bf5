//! The pacing loop of a replay: start condition, rhythm, end or new beginning.
//!
//! Runs on the sim thread. Invariant: intended = start + recorded offset / speed, fixed when a
//! round starts; being late never moves it.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::venue::ReplayVenue;
use super::{Replay, Speed, Start};
use crate::net::hub::{CLOSE_GOING_AWAY, CLOSE_NORMAL, bump};
use crate::pace::{Pace, Pacer};
use crate::summary::{LatenessMeter, Run};

/// Messages between two looks at the sockets when many are due.
const BATCH_MAX: usize = 128;
/// Longest wait for a slow connection when playing as fast as possible.
const ROOM_MAX: Duration = Duration::from_secs(10);
/// Longest wait for connections to close at the end of a round.
const CLOSE_MAX: Duration = Duration::from_secs(3);

pub(crate) async fn run(options: Replay, venue: Rc<ReplayVenue>) -> Run {
    let hub = Rc::clone(&venue.hub);
    let mut meter = LatenessMeter::new();
    let mut run = Run::default();
    let stopped = tokio::select! {
        () = rounds(&options, &venue, &mut meter, &mut run) => false,
        () = hub.stopped() => true,
    };
    hub.publish_progress(meter.max_ns());
    hub.progress.done.store(1, Ordering::Relaxed);
    if !stopped {
        match options.exit_when_done {
            Some(linger) => {
                let _ = tokio::time::timeout(linger, hub.stopped()).await;
                hub.close_all(CLOSE_NORMAL, "recording ends");
            }
            None => hub.stopped().await,
        }
    }
    run.lateness = meter.report();
    run.truth = venue.take_truth().map(|truth| truth.finish(hub.ticks.get()));
    run
}

async fn rounds(options: &Replay, venue: &ReplayVenue, meter: &mut LatenessMeter, run: &mut Run) {
    let hub = &venue.hub;
    let span_ns = venue.tape.lines.last().map_or(0, |line| line.offset_ns);
    let mean_rate = venue.tape.lines.len() as f64 * 1e9 / (span_ns.max(1) as f64);
    let factor = match options.speed {
        Speed::Factor(factor) => factor,
        Speed::Max => 1.0,
    };
    let pace = if options.speed == Speed::Max { Pace::Sleep } else { options.pace };
    let pacer = Pacer::new(hub.clock, pace.resolve(mean_rate * factor));
    loop {
        while options.start == Start::AllSubscribed && !venue.all_subscribed() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(options.start_delay).await;
        play(options.speed, venue, &pacer, meter, &mut run.elapsed_ns).await;
        run.loops += 1;
        if !options.repeat {
            return;
        }
        hub.close_all(CLOSE_GOING_AWAY, "the recording begins anew");
        hub.wait_for_close(CLOSE_MAX).await;
        venue.reset();
    }
}

/// One round. `elapsed_ns` is kept up to date, for a stop may cut the round short.
async fn play(
    speed: Speed,
    venue: &ReplayVenue,
    pacer: &Pacer,
    meter: &mut LatenessMeter,
    elapsed_ns: &mut u64,
) {
    let hub = &venue.hub;
    let mut start_ns = hub.clock.now_ns();
    let (began_ns, elapsed_before_ns) = (start_ns, *elapsed_ns);
    let offset_ns = |recorded_ns: u64| match speed {
        // One factor for all keeps the order; an error of a nanosecond does not matter.
        Speed::Factor(factor) => (recorded_ns as f64 / factor) as u64,
        Speed::Max => 0,
    };
    let lines = &venue.tape.lines;
    let mut next = 0;
    while next < lines.len() {
        let due_ns = start_ns + offset_ns(lines[next].offset_ns);
        if hub.clock.now_ns() < due_ns {
            pacer.until(due_ns).await;
        }
        start_ns += hub.while_paused().await;
        for line in &lines[next..lines.len().min(next + BATCH_MAX)] {
            let now_ns = hub.clock.now_ns();
            let due_ns = match speed {
                Speed::Factor(_) => start_ns + offset_ns(line.offset_ns),
                Speed::Max => now_ns,
            };
            if due_ns > now_ns {
                break;
            }
            venue.play(line, due_ns);
            bump(&hub.ticks);
            meter.record(now_ns - due_ns);
            next += 1;
        }
        *elapsed_ns = elapsed_before_ns + hub.clock.now_ns() - began_ns;
        hub.publish_progress(meter.max_ns());
        if speed == Speed::Max {
            hub.wait_for_room(ROOM_MAX).await;
        }
        tokio::task::yield_now().await;
    }
}
