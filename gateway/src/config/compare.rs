//! What a changed config changes while the gateway runs, key by key, and what waits for a restart.
//!
//! **Invariant:** every field of every section stands in one of the two lists below; a new one that
//! stands in neither does not compile. A key counts as changed where its value prints differently.

use std::fmt::Debug;

use super::types::{Admin, Config, Door, Ingest, Shard};

/// What became of the keys that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// In force.
    pub applied: Vec<&'static str>,
    /// As before, until the next start.
    pub needs_restart: Vec<&'static str>,
}

fn differ(old: &impl Debug, new: &impl Debug) -> bool {
    format!("{old:?}") != format!("{new:?}")
}

macro_rules! compare {
    ($changes:expr, $old:expr, $new:expr, $section:ident {
        live: [$($live:ident = $live_key:literal,)*]
        fixed: [$($fixed:ident = $fixed_key:literal,)*]
    }) => {{
        let $section { $($live,)* $($fixed,)* } = $old;
        $(if differ($live, &$new.$live) {
            $changes.applied.push($live_key);
            *$live = $new.$live.clone();
        })*
        $(if differ($fixed, &$new.$fixed) {
            $changes.needs_restart.push($fixed_key);
        })*
    }};
}

/// Takes over from `new` what can change now, and says what that was and what was left.
pub fn bring_up_to_date(config: &mut Config, new: &Config) -> Changes {
    let mut changes = Changes::default();
    let Config { door, auth, shard, ring, ingest, relay, admin } = config;
    door_keys(&mut changes, door, &new.door);
    shard_keys(&mut changes, shard, &new.shard);
    // What its files say is put in force; the section's own keys are for a start.
    if differ(auth, &new.auth) {
        changes.needs_restart.push("auth");
    }
    if ring.bytes != new.ring.bytes {
        changes.needs_restart.push("ring.bytes");
    }
    ingest_keys(&mut changes, ingest, &new.ingest);
    if differ(relay, &new.relay) {
        changes.needs_restart.push("relay");
    }
    compare!(changes, admin, new.admin, Admin {
        live: []
        fixed: [
            listen = "admin.listen",
            token_file = "admin.token_file",
            answer_timeout = "admin.answer_timeout_ms",
            thread = "admin.pin and nice",
        ]
    });
    changes
}

fn door_keys(changes: &mut Changes, old: &mut Door, new: &Door) {
    compare!(changes, old, new, Door {
        live: [
            cert_file = "door.cert_file",
            key_file = "door.key_file",
            cert_watch = "door.cert_watch_ms",
            hsts = "door.hsts_s",
            handshake_timeout = "door.handshake_timeout_ms",
            header_timeout = "door.header_timeout_ms",
            header_bytes_max = "door.header_bytes_max",
            sessions_max = "door.sessions_max",
            mailbox_wait = "door.mailbox_wait_ms",
            origins = "door.origins",
            origin_required = "door.origin_required",
        ]
        fixed: [
            memory_bytes_max = "door.memory_bytes_max",
            arriving_max = "door.arriving_max",
            crowd = "door.arriving_per_address_max and the rates of handshakes",
            conformance_echo = "--conformance-echo",
            listen = "door.listen",
            tls_min = "door.tls_min",
            sockets = "door.send_buffer_bytes and other options of sockets",
            thread = "door.pin and nice",
        ]
    });
}

fn shard_keys(changes: &mut Changes, old: &mut Shard, new: &Shard) {
    compare!(changes, old, new, Shard {
        live: [
            outbox_bytes_max = "shard.outbox_bytes_max",
            slow_warning_bytes = "shard.slow_warning_bytes",
            slow_cleared_bytes = "shard.slow_cleared_bytes",
            write_timeout = "shard.write_timeout_ms",
            trades_behind_max = "shard.trades_behind_max",
            bases_bytes_max = "shard.bases_bytes_max",
            slice_bytes_max = "shard.slice_bytes_max",
            slice_symbols_max = "shard.slice_symbols_max",
            message_bytes_max = "shard.message_bytes_max",
            subscriptions_max = "shard.subscriptions_max",
            requests_per_second_max = "shard.requests_per_second_max",
            bad_requests_max = "shard.bad_requests_max",
            heartbeat = "shard.heartbeat_ms",
            ping = "shard.ping_ms",
            pong_timeout = "shard.pong_timeout_ms",
            stop_timeout = "shard.stop_timeout_ms",
            drain_window = "shard.drain_window_ms",
        ]
        fixed: [
            count = "shard.count",
            pin = "shard.pin",
            spin = "shard.spin_us",
            cycle_records_max = "shard.cycle_records_max",
            record_bytes_max = "shard.record_bytes_max",
            flush_window = "shard.flush_window_us",
            mailbox_max = "shard.mailbox_max",
            history_bytes_max = "shard.history_bytes_max",
            history = "shard.history_ms",
        ]
    });
}

fn ingest_keys(changes: &mut Changes, old: &mut Ingest, new: &Ingest) {
    compare!(changes, old, new, Ingest {
        live: []
        fixed: [
            pin = "ingest.pin",
            spin = "ingest.spin_us",
            flush_messages_max = "ingest.flush_messages_max",
            flush_bytes_max = "ingest.flush_bytes_max",
            silence_timeout = "ingest.silence_timeout_ms",
            backoff_min = "ingest.backoff_min_ms",
            backoff_max = "ingest.backoff_max_ms",
            connect_timeout = "ingest.connect_timeout_ms",
            message_bytes_max = "ingest.message_bytes_max",
            book_levels_max = "ingest.book_levels_max",
            symbols_max = "ingest.symbols_max",
            delays = "ingest.delays_ms",
            delay_bytes_max = "ingest.delay_bytes_max",
            follow = "follow.address",
            feeds = "ingest.feeds",
        ]
    });
}
