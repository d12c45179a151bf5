//! From the fan-out's plain totals to the shard's metrics.

use fanout::{Counters, Missed};
use wire::refusal::Code;
use wire::topic::Topic;

use super::writer::Output;
use crate::metrics::{Channel, Resume, ShardMetrics};

/// Remembers what was counted already, because metrics only grow by what is new.
#[derive(Debug, Default)]
pub(super) struct Tally {
    counted: Counters,
}

impl Tally {
    /// Adds what the fan-out counted since the last call.
    pub(super) fn count(&mut self, metrics: &ShardMetrics, counters: &Counters) {
        let before = std::mem::replace(&mut self.counted, counters.clone());
        for index in 0..Topic::COUNT {
            if let Some(topic) = Topic::from_index(index) {
                let new = counters.frames_encoded[index] - before.frames_encoded[index];
                metrics.frames_encoded.of(channel(topic)).add(new);
            }
        }
        for code in Code::ALL {
            let new = counters.refusals[code.index()] - before.refusals[code.index()];
            metrics.request_errors.of(code).add(new);
        }
        metrics.frames_encoded.of(Channel::Heartbeat).add(counters.heartbeats - before.heartbeats);
        metrics.requests.add(counters.requests - before.requests);
        for reason in Missed::ALL {
            let new =
                counters.updates_missed[reason.index()] - before.updates_missed[reason.index()];
            metrics.updates_missed.of(reason).add(new);
        }
        metrics.updates_merged.add(counters.updates_merged - before.updates_merged);
        metrics.fallen_behind.add(counters.fallen_behind - before.fallen_behind);
        metrics.slow_warnings.add(counters.slow_warnings - before.slow_warnings);
        metrics.resumes.of(Resume::Recovered).add(counters.resumed - before.resumed);
        metrics.resumes.of(Resume::NotRecovered).add(counters.not_resumed - before.not_resumed);
        metrics.revoked.add(counters.revoked - before.revoked);
        metrics.not_granted.add(counters.not_granted - before.not_granted);
        metrics.bases_refused.add(counters.bases_refused - before.bases_refused);
        metrics.bases_bytes.set(counters.bases_bytes);
        metrics.sessions_behind.set(counters.sessions_behind);
        metrics.subscriptions.set(counters.subscriptions);
    }
}

/// Adds what one cycle wrote.
pub(super) fn count_output(metrics: &ShardMetrics, output: &Output) {
    metrics.frames_sent.add(output.frames);
    metrics.plain_bytes_sent.add(output.plain_bytes);
    metrics.tls_bytes_sent.add(output.tls_bytes);
    metrics.tls_records.add(output.records);
    metrics.sends.add(output.sends);
    metrics.sends_blocked.add(output.blocked);
}

const fn channel(topic: Topic) -> Channel {
    match topic {
        Topic::TickerOnQuote | Topic::TickerOnTrade => Channel::Ticker,
        Topic::Trade => Channel::Trade,
        Topic::Book(_) => Channel::Book,
        Topic::Bars(_) => Channel::Ohlc,
        Topic::Instrument => Channel::Instrument,
    }
}
