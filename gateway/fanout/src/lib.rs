//! Who gets what: the whole state of one shard, as a state machine without I/O.
//!
//! A replica of the truth, subscriptions both ways, each wanted frame encoded once and shared, an
//! outbox per session. Deliberately absent: sockets, TLS, threads, clocks, tokio. Time comes in as
//! nanoseconds; what comes out is bytes to be sent.
#![forbid(unsafe_code)]

mod bases;
mod catch_up;
mod counters;
mod cycle;
mod echo;
mod encode;
mod fanout;
mod grant;
mod history;
mod inspect;
mod instruments;
mod interest;
mod ledger;
mod limits;
mod listeners;
mod log;
mod outbox;
mod outboxes;
mod pace;
mod paced;
mod patterns;
mod pings;
mod reconfigure;
mod rejoin;
mod renew;
mod renumbered;
mod requests;
mod resynchronise;
mod review;
mod serve;
mod session;
mod shown;
mod slow;
mod subscribe;
mod timing;
mod usage;
mod view;
mod who;
mod work;

pub use counters::{Counters, Missed};
pub use fanout::Fanout;
pub use history::HistoryLimits;
pub use inspect::{Holding, Overview};
pub use limits::Limits;
pub use session::SessionKey;
pub use who::{Admission, Permits, Petition, Ticket, Verdict};
