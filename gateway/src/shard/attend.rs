//! The shard's answers to operators, and what it does when settings change or the end comes.
//!
//! Run between two cycles, a few at a time.

use std::time::Duration;

use fanout::{Fanout, HistoryLimits, Limits};
use market::Nanos;
use wire::close::CloseCode;

use super::command::{Command, Filter, PLACES_MAX, Page, Row, SymbolView};
use super::connections::Connections;
use super::nanos;
use crate::config;
use crate::stop::{Plan, Spread};

/// From closing the last session to the shard's end at the latest: what is left of the deadline for
/// the other threads.
const MARGIN_NS: u64 = 200_000_000;
/// A dashboard that is told to go comes back after this at the earliest, and within as much again
/// or the window.
const RECONNECT_MS_MIN: u64 = 500;

/// Answers one command.
pub(super) fn answer(command: Command, connections: &Connections, fanout: &mut Fanout) {
    // Who asked may have given up: then nobody takes the answer.
    match command {
        Command::List { from, count, filter, reply } => {
            let _ = reply.send(list(from, count, &filter, connections, fanout));
        }
        Command::Show { id, from, count, reply } => {
            let found = connections.find(id).and_then(|(key, _)| {
                Some((row(key.index(), connections, fanout)?, fanout.holdings(key, from, count)))
            });
            let _ = reply.send(found);
        }
        Command::Kick { id, code, reason, reply } => {
            let key = connections.find(id).map(|(key, _)| key);
            if let Some(key) = key {
                fanout.close(key, code, &reason);
            }
            let _ = reply.send(key.is_some());
        }
        Command::Symbol { name, depth, reply } => {
            let truth = fanout.truth();
            let symbol = truth.find(&name).and_then(|id| truth.symbol(id));
            let _ = reply.send(symbol.map(|symbol| Box::new(SymbolView::new(symbol, depth))));
        }
    }
}

fn list(
    from: usize,
    count: usize,
    filter: &Filter,
    connections: &Connections,
    fanout: &Fanout,
) -> Page {
    let symbol = filter.symbol.as_ref().map(|name| fanout.truth().find(name));
    let mut page = Page::default();
    let end = connections.places().min(from.saturating_add(PLACES_MAX));
    // Nobody holds a symbol that does not exist.
    if symbol == Some(None) {
        return page;
    }
    for at in from..end {
        if page.rows.len() == count {
            page.next = Some(at);
            return page;
        }
        let Some((key, caller)) = connections.at(at) else { continue };
        let is_from = |address| caller.peer.is_some_and(|peer| peer.ip() == address);
        if !filter.address.is_none_or(is_from)
            || symbol.flatten().is_some_and(|symbol| !fanout.holds(key, symbol))
        {
            continue;
        }
        page.rows.extend(row(at, connections, fanout).filter(|row| {
            let is_slow = row.overview.behind > 0 || row.overview.blocked_since.is_some();
            let is_user = |user: &String| row.user.as_deref() == Some(user);
            (is_slow || !filter.is_slow) && filter.user.as_ref().is_none_or(is_user)
        }));
    }
    page.next = (end < connections.places()).then_some(end);
    page
}

fn row(at: usize, connections: &Connections, fanout: &Fanout) -> Option<Row> {
    let (key, caller) = connections.at(at)?;
    Some(Row {
        id: caller.id,
        peer: caller.peer?.to_string(),
        user: fanout.identity(key).map(|identity| identity.user().into()),
        since: caller.since,
        overview: fanout.inspect(key)?,
    })
}

/// The fan-out's limits, as a config has them.
pub(super) fn limits(settings: &config::Shard, credentials_timeout: Duration) -> Limits {
    Limits {
        outbox_bytes_max: settings.outbox_bytes_max,
        slow_warning_bytes: settings.slow_warning_bytes as u64,
        slow_cleared_bytes: settings.slow_cleared_bytes as u64,
        write_timeout_ns: nanos(settings.write_timeout),
        trades_behind_max: settings.trades_behind_max as u64,
        bases_bytes_max: settings.bases_bytes_max,
        slice_bytes_max: settings.slice_bytes_max,
        slice_symbols_max: settings.slice_symbols_max,
        history: HistoryLimits {
            bytes_max: settings.history_bytes_max,
            age_ns_max: nanos(settings.history),
        },
        subscriptions_max: settings.subscriptions_max,
        requests_per_second_max: settings.requests_per_second_max,
        bad_requests_max: settings.bad_requests_max,
        credentials_timeout_ns: nanos(credentials_timeout),
        heartbeat_ns: nanos(settings.heartbeat),
        ping_ns: nanos(settings.ping),
        pong_timeout_ns: nanos(settings.pong_timeout),
    }
}

/// A shard's way out: its sessions are told at once and closed one after the other.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// Sessions there were when it began; none before.
    total: Option<usize>,
    was_told: bool,
    deadline_ns: u64,
}

impl Leaving {
    /// Tells, and closes whose turn has come. `shards` share the rate.
    pub(super) fn go_on(&mut self, plan: Plan, shards: usize, fanout: &mut Fanout, now: Nanos) {
        self.deadline_ns = plan.deadline_ns.saturating_sub(MARGIN_NS).max(plan.begun_ns);
        let keys: Vec<_> = fanout.session_keys();
        let open: Vec<_> = keys.into_iter().filter(|key| fanout.closing(*key).is_none()).collect();
        let total = *self.total.get_or_insert(open.len());
        let window_ns = match plan.spread {
            Spread::Over(window) => nanos(window),
            Spread::PerSecond(rate) => {
                (total * shards) as u64 * 1_000_000_000 / u64::from(rate.max(1))
            }
        };
        let window_ns = window_ns.min(self.deadline_ns - plan.begun_ns);
        if !std::mem::replace(&mut self.was_told, true) {
            let latest_ms = RECONNECT_MS_MIN + (window_ns / 1_000_000).max(RECONNECT_MS_MIN);
            let deadline_ms = plan.deadline_ns.saturating_sub(now.0) / 1_000_000;
            for key in &open {
                fanout.tell_drain(*key, fastrand::u64(RECONNECT_MS_MIN..=latest_ms), deadline_ms);
            }
        }
        let stay = to_stay(total, now.0.saturating_sub(plan.begun_ns), window_ns);
        let due = open.len().saturating_sub(stay);
        for key in &open[..due] {
            fanout.close(*key, CloseCode::Restarting, "the gateway restarts");
        }
    }

    /// Whether it has begun, and all sessions are gone or the time is over.
    pub(super) fn is_over(&self, sessions: usize, now: Nanos) -> bool {
        self.total.is_some() && (sessions == 0 || now.0 >= self.deadline_ns)
    }
}

/// How many of `total` sessions stay after `elapsed_ns` of a window.
fn to_stay(total: usize, elapsed_ns: u64, window_ns: u64) -> usize {
    if elapsed_ns >= window_ns {
        return 0;
    }
    let left = u128::from(window_ns - elapsed_ns);
    (total as u128 * left / u128::from(window_ns)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_leave_evenly_over_the_window() {
        assert_eq!(to_stay(10, 0, 0), 0);
        assert_eq!([0, 1, 50, 99, 100, 101].map(|ms| to_stay(10, ms, 100)), [10, 9, 5, 0, 0, 0]);
    }
}
