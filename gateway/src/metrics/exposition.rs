//! Which number appears under which name; the list an operator's dashboards are made from.
//!
//! Names begin with `gateway_`, carry their unit and end in `_total` where they only grow. Run by
//! the admin thread.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use super::cell::{Cell, Counter, Gauge};
use super::label::{Family, Label};
use super::text::Text;
use super::{ControlMetrics, DelayMetrics, FeedMetrics, Metrics, ShardMetrics, process};
use crate::clock;
use crate::latency::{Latency, Stretch};

/// Upper bounds of the histogram buckets, with their text in seconds.
const BUCKETS: [(u64, &str); 16] = [
    (10_000, "0.00001"),
    (25_000, "0.000025"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1"),
];

/// Everything.
pub(super) fn write(metrics: &Metrics) -> String {
    let mut text = Text::default();
    text.metric("gateway_build_info", "gauge", "Always 1; the version is in the label.")
        .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    write_ingest(metrics, &mut text);
    write_door(metrics, &mut text);
    write_shards(&metrics.shards, &mut text);
    write_relay(metrics, &mut text);
    write_control(&metrics.control, &mut text);
    write_usage(metrics, &mut text);
    write_latency(&metrics.latency, &mut text);
    process::write(&mut text);
    text.finish()
}

fn write_ingest(metrics: &Metrics, text: &mut Text) {
    let ingest = &metrics.ingest;
    let mut feeds = Members { text, of: &ingest.feeds, key: "feed", prefix: "gateway_feed_" };
    feeds.gauge("live", "1 while the feed is connected and speaking, else 0.", |f| &f.live);
    feeds.counter("messages_total", "Messages read from the venue.", |f| &f.messages);
    feeds.counter("received_bytes_total", "Bytes of these messages.", |f| &f.bytes);
    feeds.family("decode_failures_total", "Messages not understood.", |f| &f.decode_failures);
    feeds.family("ignored_total", "Messages known and of no use here.", |f| &f.ignored);
    feeds.counter("gaps_total", "Sequence gaps of the venue.", |f| &f.gaps);
    feeds.counter("checksum_failures_total", "Books whose checksum was wrong.", |f| {
        &f.checksum_failures
    });
    feeds.counter("reconnects_total", "Connections made after the first.", |f| &f.reconnects);
    feeds.counter("resnapshots_total", "Books fetched anew.", |f| &f.resnapshots);
    feeds.counter("silences_total", "Times the venue was silent for too long.", |f| &f.silences);

    text.metric("gateway_ingest_symbols", "gauge", "Symbols by their state now.")
        .family(&[], &ingest.symbols);
    text.metric("gateway_ingest_ticks_published_total", "counter", "Ticks written into the ring.")
        .family(&[], &ingest.ticks_published);
    text.metric("gateway_ingest_ticks_refused_total", "counter", "Ticks that were not published.")
        .family(&[], &ingest.ticks_refused);
    text.metric(
        "gateway_ingest_ring_written_bytes_total",
        "counter",
        "Bytes of the ring's records.",
    )
    .sample(&[], ingest.ring_bytes.value());
    write_delay(&ingest.delay, text);
}

fn write_delay(delay: &DelayMetrics, text: &mut Text) {
    let mut counter = |name: &str, help: &str, cell: &Counter| {
        text.metric(name, "counter", help).sample(&[], cell.value());
    };
    counter(
        "gateway_delay_released_total",
        "Ticks published again for who has them later.",
        &delay.released,
    );
    counter(
        "gateway_delay_overflows_total",
        "Times the delay line had no room for a symbol, which goes stale in it.",
        &delay.overflows,
    );
    counter(
        "gateway_delay_lost_total",
        "Ticks that are not told later because of that.",
        &delay.lost,
    );
    counter("gateway_delay_renewals_total", "Symbols let in again.", &delay.renewals);
    text.metric("gateway_delay_line_bytes", "gauge", "Bytes in the delay line.")
        .sample(&[], delay.bytes.value());
    let oldest_at_ns = delay.oldest_at_ns.value();
    let age_ns = if oldest_at_ns == 0 { 0 } else { clock::now().0.saturating_sub(oldest_at_ns) };
    text.metric("gateway_delay_line_oldest_seconds", "gauge", "Age of the oldest of them.")
        .sample(&[], Seconds(age_ns));
}

fn write_door(metrics: &Metrics, text: &mut Text) {
    let door = &metrics.door;
    let mut counter = |name: &str, help: &str, cell: &Counter| {
        text.metric(name, "counter", help).sample(&[], cell.value());
    };
    counter("gateway_door_accepted_total", "Connections accepted.", &door.accepted);
    counter("gateway_door_accept_errors_total", "Failures of accept.", &door.accept_errors);
    counter(
        "gateway_door_handed_over_total",
        "Sessions handed over to a shard.",
        &door.handed_over,
    );
    counter(
        "gateway_door_panics_total",
        "Connections that ended by a fault of the gateway.",
        &door.panics,
    );
    counter(
        "gateway_door_backoff_refusals_total",
        "Refused without a look because the address has to wait.",
        &door.backoff_refusals,
    );
    counter(
        "gateway_door_backoff_evictions_total",
        "Addresses forgotten because too many had failed.",
        &door.backoff_evictions,
    );
    text.metric("gateway_door_backoff_addresses", "gauge", "Addresses that have failed lately.")
        .sample(&[], door.backoff_addresses.value());
    text.metric("gateway_door_authenticated_total", "counter", "Credentials believed.")
        .family(&[], &door.authenticated);
    text.metric("gateway_door_auth_failures_total", "counter", "Credentials refused.")
        .family(&[], &door.auth_failures);
    text.metric(
        "gateway_door_arriving_refused_total",
        "counter",
        "Connections closed at once because too many arrived.",
    )
    .family(&[], &door.arriving_refused);
    text.metric("gateway_door_arriving", "gauge", "Connections between accept and upgrade now.")
        .sample(&[], door.arriving.value());
    text.metric(
        "gateway_door_handshake_failures_total",
        "counter",
        "TLS handshakes that came to nothing.",
    )
    .family(&[], &door.handshake_failures);
    text.metric("gateway_door_http_requests_total", "counter", "HTTP requests answered.")
        .family(&[], &door.http_requests);
    text.metric("gateway_door_upgrades_refused_total", "counter", "WebSocket upgrades refused.")
        .family(&[], &door.upgrades_refused);
}

fn write_relay(metrics: &Metrics, text: &mut Text) {
    let (relay, follow) = (&metrics.relay, &metrics.ingest.follow);
    let mut plain = |name: &str, kind: &'static str, help: &str, value: u64| {
        text.metric(name, kind, help).sample(&[], value);
    };
    let help = "Gateways that follow this one now.";
    plain("gateway_relay_followers", "gauge", help, relay.followers.value());
    let help = "Records that the slowest of them is behind.";
    plain("gateway_relay_lag_records", "gauge", help, relay.lag_records.value());
    let mut counter = |name, help, cell: &Counter| plain(name, "counter", help, cell.value());
    let help = "Bytes given to followers.";
    counter("gateway_relay_sent_bytes_total", help, &relay.sent_bytes);
    counter("gateway_relay_records_total", "Records given to followers.", &relay.records);
    counter("gateway_relay_truths_total", "Truths given to followers.", &relay.truths);
    let help = "Times the ring's writer overtook a follower.";
    counter("gateway_relay_laps_total", help, &relay.laps);
    counter("gateway_relay_lost_records_total", "Records lost by that.", &relay.lost_records);
    counter("gateway_follow_truths_total", "Truths taken over from a relay.", &follow.truths);
    let help = "Connections to a relay that went on where the one before had ended.";
    counter("gateway_follow_go_ons_total", help, &follow.go_ons);
    let help = "Truths of a relay that began the numbering anew.";
    counter("gateway_follow_new_lives_total", help, &follow.new_lives);
    text.metric("gateway_relay_refused_total", "counter", "Followers not served, or no longer.")
        .family(&[], &relay.refused);
    text.metric("gateway_follow_faults_total", "counter", "Connections to a relay that ended.")
        .family(&[], &follow.faults);
}

fn write_control(control: &ControlMetrics, text: &mut Text) {
    text.metric("gateway_config_reloads_total", "counter", "Reloads of the config.")
        .family(&[], &control.config_reloads);
    text.metric(
        "gateway_certificate_reloads_total",
        "counter",
        "Certificates exchanged or refused.",
    )
    .family(&[], &control.certificate_reloads);
    text.metric("gateway_admin_connections_cut_total", "counter", "Admin connections ended.")
        .family(&[], &control.admin_cut);
    let until_s = control.certificate_valid_until_s.value() as i64;
    if until_s > 0 {
        let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
        let help = "Time until the certificate runs out; below zero afterwards.";
        text.metric("gateway_certificate_expires_seconds", "gauge", help)
            .sample(&[], until_s - now_s);
    }
    text.metric(
        "gateway_log_lines_dropped_total",
        "counter",
        "Log lines that standard error did not take in time.",
    )
    .sample(&[], control.log_lines_dropped.value());
}

fn write_shards(shards: &[ShardMetrics], text: &mut Text) {
    let mut all = Members { text, of: shards, key: "shard", prefix: "gateway_shard_" };
    all.gauge("sessions", "Sessions served now.", |s| &s.sessions);
    all.counter("sessions_opened_total", "Sessions taken over.", |s| &s.sessions_opened);
    all.family("sessions_closed_total", "Sessions ended.", |s| &s.sessions_closed);
    all.gauge("subscriptions", "Subscriptions held now.", |s| &s.subscriptions);
    all.family("frames_encoded_total", "Frames encoded, once for all sessions.", |s| {
        &s.frames_encoded
    });
    all.counter("frames_sent_total", "Deliveries: frames given to sockets.", |s| &s.frames_sent);
    all.counter("sent_plain_bytes_total", "Bytes of frames given to TLS.", |s| &s.plain_bytes_sent);
    all.counter("sent_tls_bytes_total", "Bytes given to sockets.", |s| &s.tls_bytes_sent);
    all.counter("received_tls_bytes_total", "Bytes read from sockets.", |s| &s.tls_bytes_received);
    all.counter("sends_total", "Send system calls.", |s| &s.sends);
    all.counter("sends_blocked_total", "Sends the kernel took in part or not at all.", |s| {
        &s.sends_blocked
    });
    all.counter("tls_records_total", "TLS records sealed.", |s| &s.tls_records);
    all.counter("requests_total", "Requests of dashboards.", |s| &s.requests);
    all.family("request_errors_total", "Requests refused.", |s| &s.request_errors);
    all.counter("ring_records_total", "Records read from the ring.", |s| &s.ring_records);
    all.gauge("ring_lag_records", "Records behind the ring's writer.", |s| &s.ring_lag_records);
    all.counter("laps_total", "Times the ring's writer overtook the shard.", |s| &s.laps);
    all.counter("lost_records_total", "Records lost by that.", |s| &s.lost_records);
    all.family("updates_missed_total", "Updates announced as missed, over sessions.", |s| {
        &s.updates_missed
    });
    all.counter(
        "updates_merged_total",
        "Updates that a later one stood for, over sessions.",
        |s| &s.updates_merged,
    );
    all.counter("fallen_behind_total", "Times a full socket took a session off the lists.", |s| {
        &s.fallen_behind
    });
    all.gauge("sessions_behind", "Sessions behind now.", |s| &s.sessions_behind);
    all.gauge("bases_bytes", "Books kept for sessions that are behind or paced.", |s| {
        &s.bases_bytes
    });
    all.counter("bases_refused_total", "Such books for which there was no room.", |s| {
        &s.bases_refused
    });
    all.counter("slow_warnings_total", "Warnings of being slow.", |s| &s.slow_warnings);
    all.family("resumes_total", "Subscriptions that asked to resume.", |s| &s.resumes);
    all.counter("revoked_total", "Subscriptions that rights ended or lowered.", |s| &s.revoked);
    all.counter("not_granted_total", "Symbols asked for and not granted.", |s| &s.not_granted);
    all.counter("cycles_total", "Turns of the loop.", |s| &s.cycles);
    all.counter("parks_total", "Times the shard slept.", |s| &s.parks);
    all.gauge("outbox_bytes", "Bytes waiting for sessions.", |s| &s.outbox_bytes);
}

fn write_usage(metrics: &Metrics, text: &mut Text) {
    let usage = &metrics.usage;
    let (name, help) = ("gateway_usage_lost_total", "Usage records lost.");
    text.metric(name, "counter", help).sample(&[], usage.lost.value());
    let (name, help) = ("gateway_usage_write_errors_total", "Failures to write the usage log.");
    text.metric(name, "counter", help).sample(&[], usage.write_errors.value());
}

fn write_latency(latency: &Latency, text: &mut Text) {
    let tallies = Stretch::ALL.map(|stretch| (stretch.as_str(), latency.since_start(stretch)));
    let bounds = BUCKETS.map(|(bound_ns, _)| bound_ns);
    let mut samples = text.metric(
        "gateway_latency_seconds",
        "histogram",
        "Time between two stations; the buckets are exact to a thousandth.",
    );
    for (name, tally) in &tallies {
        let stretch = ("stretch", *name);
        for ((_, bound), count) in BUCKETS.iter().zip(tally.cumulative(&bounds)) {
            samples.suffixed("_bucket", &[stretch, ("le", bound)], count);
        }
        samples.suffixed("_bucket", &[stretch, ("le", "+Inf")], tally.histogram.len());
        samples.suffixed("_sum", &[stretch], Seconds(tally.sum_ns));
        samples.suffixed("_count", &[stretch], tally.histogram.len());
    }
    let mut samples = text.metric(
        "gateway_latency_negative_total",
        "counter",
        "Spans that ran backwards: two clocks that disagree.",
    );
    for (name, tally) in &tallies {
        samples.sample(&[("stretch", name)], tally.negative);
    }
}

/// Nanoseconds, written as seconds without a detour through floats.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

/// What several structs of one kind count under the same names.
struct Members<'a, M> {
    text: &'a mut Text,
    of: &'a [M],
    key: &'static str,
    prefix: &'static str,
}

impl<M: Named> Members<'_, M> {
    fn counter(&mut self, name: &str, help: &str, cell: impl Fn(&M) -> &Counter) {
        self.plain(name, "counter", help, cell);
    }

    fn gauge(&mut self, name: &str, help: &str, cell: impl Fn(&M) -> &Gauge) {
        self.plain(name, "gauge", help, cell);
    }

    fn plain<C: Cell>(
        &mut self,
        name: &str,
        kind: &'static str,
        help: &str,
        cell: impl Fn(&M) -> &C,
    ) {
        let name = format!("{}{name}", self.prefix);
        let mut samples = self.text.metric(&name, kind, help);
        for (at, member) in self.of.iter().enumerate() {
            samples.sample(&[(self.key, &member.name(at))], cell(member).read());
        }
    }

    fn family<L: Label>(&mut self, name: &str, help: &str, cells: impl Fn(&M) -> &Family<L>) {
        let name = format!("{}{name}", self.prefix);
        let mut samples = self.text.metric(&name, "counter", help);
        for (at, member) in self.of.iter().enumerate() {
            samples.family(&[(self.key, &member.name(at))], cells(member));
        }
    }
}

/// How a member is called in its label.
trait Named {
    fn name(&self, at: usize) -> String;
}

impl Named for FeedMetrics {
    fn name(&self, _at: usize) -> String {
        self.name.clone()
    }
}

impl Named for ShardMetrics {
    fn name(&self, at: usize) -> String {
        at.to_string()
    }
}
