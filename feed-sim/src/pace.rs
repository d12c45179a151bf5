//! Waits until a tick is due.
//!
//! Runs on the sim thread; the alarm has a small thread of its own. Invariant: `until` never
//! returns early, and other tasks run at least once in each wait. What a wait costs:
//! sleep up to 1 ms late and no work; alarm about 0.1 ms late and two thread wake-ups; spin a few
//! microseconds late and a whole core.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::Notify;

use crate::time::Clock;

/// How exactly, and at what cost, the simulator waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// Alarm below 20,000 ticks a second, spin above.
    #[default]
    Auto,
    /// The runtime's timer: up to a millisecond late.
    Sleep,
    /// A thread that sleeps exactly: about a tenth of a millisecond late.
    Alarm,
    /// Sleeps until a millisecond before, then spins: burns a core.
    Spin,
}

/// Ticks a second above which waiting by wake-ups costs more than spinning.
const SPIN_RATE: f64 = 20_000.0;
/// A wait this short is spun: the alarm itself takes about as long.
const ALARM_MIN_NS: u64 = 100_000;
/// The alarm is set this much early: about what the kernel's timer slack (50 us) and the wake-up
/// of two threads take.
const ALARM_LEAD_NS: u64 = 60_000;
/// The timer's granularity; a sleep is kept this much shorter when spinning follows.
const TIMER_NS: u64 = 2_000_000;

impl Pace {
    /// What `Auto` stands for at this mean rate.
    pub(crate) fn resolve(self, ticks_per_second: f64) -> Self {
        match self {
            Self::Auto if ticks_per_second > SPIN_RATE => Self::Spin,
            Self::Auto => Self::Alarm,
            chosen => chosen,
        }
    }
}

/// Waits in one of the ways of [`Pace`].
#[derive(Debug)]
pub(crate) struct Pacer {
    clock: Clock,
    pace: Pace,
    alarm: Option<Alarm>,
}

impl Pacer {
    pub(crate) fn new(clock: Clock, pace: Pace) -> Self {
        let alarm = if pace == Pace::Alarm { Alarm::start() } else { None };
        Self { clock, pace, alarm }
    }

    /// Returns at `due_ns` or a little later. Safe to cancel.
    pub(crate) async fn until(&self, due_ns: u64) {
        loop {
            let left_ns = due_ns.saturating_sub(self.clock.now_ns());
            match (self.pace, &self.alarm) {
                _ if left_ns == 0 => return,
                (Pace::Alarm, Some(alarm)) if left_ns > ALARM_MIN_NS => {
                    alarm.ring(left_ns - ALARM_LEAD_NS).await;
                }
                (Pace::Spin, _) if left_ns > TIMER_NS => {
                    tokio::time::sleep(Duration::from_nanos(left_ns - TIMER_NS)).await;
                }
                (Pace::Alarm, Some(_)) | (Pace::Spin, _) => tokio::task::yield_now().await,
                _ => tokio::time::sleep(Duration::from_nanos(left_ns)).await,
            }
        }
    }
}

/// A thread that sleeps with the kernel's precision and rings.
#[derive(Debug)]
struct Alarm {
    waits: SyncSender<Duration>,
    rung: Arc<Notify>,
}

impl Alarm {
    fn start() -> Option<Self> {
        let (waits, arriving) = sync_channel::<Duration>(1);
        let rung = Arc::new(Notify::new());
        let bell = Arc::clone(&rung);
        let thread = std::thread::Builder::new().name("alarm".to_owned()).spawn(move || {
            for wait in arriving {
                std::thread::sleep(wait);
                bell.notify_one();
            }
        });
        // Without a thread the timer serves: later, not wrong.
        thread.ok().map(|_| Self { waits, rung })
    }

    async fn ring(&self, wait_ns: u64) {
        // A cancelled wait may leave one in the queue; it rings early and the caller looks again.
        let wait = Duration::from_nanos(wait_ns);
        if self.waits.try_send(wait).is_ok() {
            self.rung.notified().await;
        } else {
            tokio::time::sleep(wait).await;
        }
    }
}
