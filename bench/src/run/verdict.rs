//! Whether a block says anything about the server: invalid when the load side or the feed was the
//! bottleneck, marked when the machine was noisy, failed when the server lost something.

use crate::report::result::Block;
use crate::scenario::Scenario;

/// Writes the reasons into `block`.
pub(super) fn judge(block: &mut Block, scenario: &Scenario) {
    let limits = &scenario.limits;
    let share_us = block.latency.p99_us * limits.share_pct / 100.0;
    let turns_us = block.load.turns.p99_us;
    if turns_us > limits.load_turn_us.max(share_us) {
        let why = format!("the load side's turns took {:.1} ms at p99", turns_us / 1000.0);
        block.invalid.push(why);
    }
    let busiest = block.load.cpu_pct.iter().copied().fold(0.0, f64::max);
    if busiest > limits.load_cpu_pct {
        block.invalid.push(format!("a load thread took {busiest:.0} % of a core"));
    }
    let cores = &scenario.cores;
    // Where they share one core, it is full when all of them together fill it.
    let hostile_seconds = block.hostile.as_ref().map_or(0.0, |side| side.cpu_seconds);
    let hostile_pct = 100.0 * hostile_seconds / scenario.time.measure_s;
    let together = block.load.cpu_pct.iter().sum::<f64>() + block.feed.cpu_pct + hostile_pct;
    if cores.load.len() == 1 && cores.load == cores.feed && together > limits.load_cpu_pct {
        block.invalid.push(format!(
            "load side, hostile ones included, and feed filled their core ({together:.0} %)"
        ));
    }
    let late_us = block.feed.p99_us();
    if late_us > limits.feed_late_us.max(share_us) {
        let why = format!("feed-sim was {:.1} ms late at p99", late_us / 1000.0);
        block.invalid.push(why);
    }
    if block.latency.count == 0 && block.counts.lost == 0 {
        block.invalid.push("nothing was delivered".to_owned());
    }
    if block.hiccups.max_us > limits.hiccup_ms * 1000.0 {
        block.marked.push(format!("a hiccup of {:.1} ms", block.hiccups.max_us / 1000.0));
    }
    let core_us = block.core_hiccups.map_or(0.0, |late| late.max_us);
    if core_us > limits.core_hiccup_ms * 1000.0 {
        block.marked.push(format!("a hiccup of {:.1} ms on the server's core", core_us / 1000.0));
    }
    if block.foreign_cpu_pct > limits.foreign_cpu_pct {
        let why = format!("other programs took {:.0} % of the machine", block.foreign_cpu_pct);
        block.marked.push(why);
    }
    let counts = &block.counts;
    let faults = [
        ("lost, or later than the drain", counts.lost),
        ("out of order", counts.out_of_order),
        ("unreadable", counts.unreadable),
        ("subscriptions refused", counts.refused),
        ("sessions ended by the server", counts.ended),
        ("sessions not connected", counts.not_connected),
    ];
    for (what, count) in faults {
        if count > 0 {
            block.faults.push(format!("{count} {what}"));
        }
    }
    if !block.ready {
        block.faults.push("not every session was subscribed in time".to_owned());
    }
    if let Some(side) = block.hostile.as_ref()
        && side.kinds.iter().any(|kind| kind.attempts < u64::from(kind.sessions))
    {
        block.invalid.push("not every hostile session came to its first attempt".to_owned());
    }
    if block.unruly.as_ref().is_some_and(|unruly| unruly.away_at_end > 0) {
        block.marked.push("unruly sessions were not all back at the end".to_owned());
    }
}
