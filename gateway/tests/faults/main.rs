//! What readers and machines do to a gateway: dashboards that stop, crawl, vanish and return in
//! crowds, budgets that are reached, threads that stand still, feeds that say what cannot be.
//!
//! Real sockets and real TLS, a simulated venue; the same strict view of what is told as in `path`.
//! Each wait has a condition and a deadline.
#![allow(missing_docs, unreachable_pub, dead_code, reason = "a test program has no public face")]

#[path = "../path/book.rs"]
mod book;
mod churn;
mod clock;
mod cut;
mod feed;
#[path = "../support/hiccups.rs"]
mod hiccups;
mod huge;
#[path = "../path/json.rs"]
mod json;
mod link;
mod machine;
mod network;
mod pace;
mod program;
mod proxy;
mod resume;
mod rig;
mod slow;
mod soak;
mod stopped;
mod storm;
#[path = "../path/view.rs"]
mod view;
