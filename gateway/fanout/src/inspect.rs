//! A look at one session for operators: read only, and nothing of it on the way of a tick.

use std::sync::Arc;

use market::SymbolId;
use rights::Identity;
use wire::close::CloseCode;
use wire::notice;
use wire::request::OnSlow;
use wire::topic::Topic;

use crate::fanout::Fanout;
use crate::limits::Limits;
use crate::session::{SessionKey, Standing};
use crate::who::Who;

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Subscriptions it holds.
    pub subscriptions: usize,
    /// How many of them wait to be made good.
    pub behind: usize,
    /// Since when its socket takes nothing, where that is so.
    pub blocked_since: Option<u64>,
    /// Bytes that wait for it as frames.
    pub queue_bytes: usize,
    /// It was told that it is slow.
    pub is_warned: bool,
    /// It uses extensions: notices are sent to it.
    pub is_extended: bool,
    /// Updates it was sent as part of later ones.
    pub merged: u64,
    /// Updates announced to it as missed.
    pub missed: u64,
    /// Times that was announced.
    pub gaps: u64,
    /// When it was last heard of.
    pub heard_at: u64,
    /// When it was last sent something.
    pub sent_at: u64,
    /// Why it is being closed, where it is.
    pub closing: Option<CloseCode>,
}

/// Where a session stands with one subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What the symbol is called.
    pub symbol: Arc<str>,
    /// Channel and parameters.
    pub topic: Topic,
    /// It sees sequences.
    pub is_sequenced: bool,
    /// Least time between two frames, milliseconds.
    pub conflate_ms: u32,
    /// By how much later it is told, milliseconds.
    pub delay_ms: u32,
    /// What it asked for should it be slow.
    pub on_slow: OnSlow,
    /// `current`, `behind` or `resuming`.
    pub standing: &'static str,
    /// The last update it was shown; none before the first value.
    pub shown: Option<u64>,
    /// The last update there is.
    pub newest: u64,
}

impl Fanout {
    /// How a session stands.
    pub fn inspect(&self, key: SessionKey) -> Option<Overview> {
        let session = self.outboxes.session(key)?;
        Some(Overview {
            subscriptions: session.held.len(),
            behind: session.behind_count as usize,
            blocked_since: session.blocked_since,
            queue_bytes: session.outbox.backlog_bytes(),
            is_warned: session.is_warned,
            is_extended: session.is_extended,
            merged: session.merged,
            missed: session.missed,
            gaps: session.gaps,
            heard_at: session.heard_at,
            sent_at: session.sent_at,
            closing: session.closing,
        })
    }

    /// Who a session is; none where that is not known yet, or nobody asks.
    pub fn identity(&self, key: SessionKey) -> Option<&Identity> {
        match &self.outboxes.session(key)?.who {
            Who::Known(known) => Some(known.lease.identity()),
            Who::Anyone | Who::Unknown { .. } => None,
        }
    }

    /// At most `count` of a session's subscriptions, the first `from` left out.
    pub fn holdings(&self, key: SessionKey, from: usize, count: usize) -> Vec<Holding> {
        let held = self.outboxes.session(key).map_or(&[][..], |session| &session.held);
        held.iter()
            .skip(from)
            .take(count)
            .filter_map(|held| {
                Some(Holding {
                    symbol: Arc::clone(&self.ledger.symbol(held.symbol)?.instrument.symbol),
                    topic: held.topic,
                    is_sequenced: held.kind.sequenced,
                    conflate_ms: held.kind.pace.ms(),
                    delay_ms: self.ledger.delay_ms(held.symbol),
                    on_slow: held.on_slow,
                    standing: match held.standing {
                        Standing::Listed(_) => "current",
                        Standing::Behind(_) => "behind",
                        Standing::Resuming(_) => "resuming",
                    },
                    shown: self.ledger.shown_to(held),
                    newest: self.ledger.sequence(held.symbol, held.topic.channel()),
                })
            })
            .collect()
    }

    /// Whether a session is subscribed to a symbol, on whatever channel, now or later.
    pub fn holds(&self, key: SessionKey, symbol: SymbolId) -> bool {
        self.outboxes.session(key).is_some_and(|session| {
            let mut family = self.ledger.truth.family(symbol);
            family.any(|symbol| !session.held_of(symbol).is_empty())
        })
    }

    /// How many classes of frames there are, over all symbols: a tick looks at those of its own.
    pub fn class_count(&self) -> usize {
        self.ledger.interests.iter().map(|interest| interest.classes.len()).sum()
    }

    /// Other limits from now on. What history is kept stays as it was at start.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = Limits { history: self.limits.history, ..limits };
        self.outboxes.set_bytes_max(limits.outbox_bytes_max);
        self.ledger.room.bytes_max = limits.bases_bytes_max;
    }

    /// Tells a session, if notices make sense to it, that the gateway is about to go.
    pub fn tell_drain(&mut self, key: SessionKey, reconnect_after_ms: u64, deadline_ms: u64) {
        if self.outboxes.session(key).is_some_and(|session| session.is_extended) {
            self.outboxes.control(key, |out| {
                notice::write_drain(reconnect_after_ms, deadline_ms, out);
            });
        }
    }
}
