//! What operators ask of a shard: questions and kicks through a bounded mailbox, answered one by
//! one.
//!
//! Admin asks, the shard answers between two cycles. **Invariant:** a command costs its shard a
//! bounded look: a page of the table of sessions, one session, one symbol. Deliberately absent:
//! JSON, which is admin's.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender};
use fanout::{Holding, Overview};
use market::{Book, Channel, Instrument, Nanos, Quote, State, Symbol, Trade};
use thiserror::Error;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wire::close::CloseCode;

/// Commands that wait for one shard.
const COMMANDS_MAX: usize = 64;
/// Places of the table that one question looks at.
pub const PLACES_MAX: usize = 512;

/// Which sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// From this address, whatever the port.
    pub address: Option<IpAddr>,
    /// Of this user.
    pub user: Option<String>,
    /// Subscribed to this symbol.
    pub symbol: Option<String>,
    /// That are behind, or blocked.
    pub is_slow: bool,
}

/// One session in a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number.
    pub id: u64,
    /// Where it came from.
    pub peer: String,
    /// Who it is, where it said so.
    pub user: Option<Arc<str>>,
    /// When it came.
    pub since: Nanos,
    /// How it stands.
    pub overview: Overview,
}

/// A part of the table.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Those that fit the filter.
    pub rows: Vec<Row>,
    /// Where to look on; none at the end.
    pub next: Option<usize>,
}

/// A symbol as the shard has it.
#[derive(Clone, Debug)]
pub struct SymbolView {
    /// Its definition.
    pub instrument: Instrument,
    /// How far it can be trusted.
    pub state: State,
    /// Since when.
    pub state_since: Nanos,
    /// The last sequence of the streams worth knowing.
    pub sequences: [(&'static str, u64); 4],
    /// Best bid and ask.
    pub quote: Option<Quote>,
    /// The latest trade.
    pub last_trade: Option<Trade>,
    /// The best levels.
    pub book: Book,
    /// When anything of it was last read from the venue.
    pub updated: Nanos,
}

impl SymbolView {
    pub(super) fn new(symbol: &Symbol, depth: usize) -> Self {
        let channels = [
            ("ticker", Channel::TickerOnTrade),
            ("ticker:bbo", Channel::Ticker),
            ("trade", Channel::Trade),
            ("book", Channel::Book),
        ];
        let recv = |(_, channel)| symbol.stamps(channel).recv;
        Self {
            instrument: symbol.instrument.clone(),
            state: symbol.state,
            state_since: symbol.state_since,
            sequences: channels.map(|(name, channel)| (name, symbol.sequence(channel))),
            quote: symbol.quote,
            last_trade: symbol.tape.iter().last().copied(),
            book: symbol.book.top(depth),
            updated: channels.into_iter().map(recv).max().unwrap_or(Nanos::UNKNOWN),
        }
    }
}

/// One session and what it holds, as far as was asked.
pub(super) type Shown = (Row, Vec<Holding>);

/// One question, with the way back.
pub(super) enum Command {
    List { from: usize, count: usize, filter: Filter, reply: oneshot::Sender<Page> },
    Show { id: u64, from: usize, count: usize, reply: oneshot::Sender<Option<Shown>> },
    Kick { id: u64, code: CloseCode, reason: String, reply: oneshot::Sender<bool> },
    Symbol { name: String, depth: usize, reply: oneshot::Sender<Option<Box<SymbolView>>> },
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unanswered {
    /// Too many questions wait already.
    #[error("shard_busy")]
    Busy,
    /// The shard did not come to it in time.
    #[error("shard_timeout")]
    TooLate,
    /// The shard has ended.
    #[error("shard_ended")]
    Ended,
}

/// Admin's end of a shard's command mailbox.
#[derive(Clone, Debug)]
pub struct Desk {
    commands: Sender<Command>,
    waker: Arc<mio::Waker>,
    patience: Duration,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

impl Desk {
    pub(super) fn new(waker: Arc<mio::Waker>, patience: Duration) -> (Self, Receiver<Command>) {
        let (commands, receiver) = crossbeam::channel::bounded(COMMANDS_MAX);
        (Self { commands, waker, patience }, receiver)
    }

    /// A part of the sessions, beginning at a place of the table.
    pub async fn list(
        &self,
        from: usize,
        count: usize,
        filter: &Filter,
    ) -> Result<Page, Unanswered> {
        let filter = filter.clone();
        self.ask(|reply| Command::List { from, count, filter, reply }).await
    }

    /// One session, and `count` of its subscriptions.
    pub async fn show(
        &self,
        id: u64,
        from: usize,
        count: usize,
    ) -> Result<Option<(Row, Vec<Holding>)>, Unanswered> {
        self.ask(|reply| Command::Show { id, from, count, reply }).await
    }

    /// Closes a session; false where there is none of that number.
    pub async fn kick(&self, id: u64, code: CloseCode, reason: &str) -> Result<bool, Unanswered> {
        let reason = reason.to_owned();
        self.ask(|reply| Command::Kick { id, code, reason, reply }).await
    }

    /// A symbol as this shard has it.
    pub async fn symbol(
        &self,
        name: &str,
        depth: usize,
    ) -> Result<Option<Box<SymbolView>>, Unanswered> {
        let name = name.to_owned();
        self.ask(|reply| Command::Symbol { name, depth, reply }).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> Result<T, Unanswered> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .try_send(command(reply))
            .map_err(|error| if error.is_full() { Unanswered::Busy } else { Unanswered::Ended })?;
        // A failed wake-up delays the answer until the shard's next cycle, no longer.
        let _ = self.waker.wake();
        match timeout(self.patience, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Unanswered::Ended),
            Err(_) => Err(Unanswered::TooLate),
        }
    }
}
