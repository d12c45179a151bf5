//! What dashboards ask over HTTPS before they subscribe, in the shapes of Kraken's public REST API.
//!
//! `AssetPairs` and `Assets` are made once for each listing of the catalogue, so that asking often
//! costs a stranger more than the door.

use std::sync::{Arc, Mutex, PoisonError};

use hyper::body::Bytes;
use market::Nanos;
use serde::Serialize;

use super::query;
use super::tables::Tables;
use crate::catalogue::{Catalogue, Listing};

#[derive(Serialize)]
struct Answer<T> {
    error: [&'static str; 0],
    result: T,
}

#[derive(Serialize)]
struct Refusal {
    error: [&'static str; 1],
}

#[derive(Serialize)]
struct Time {
    unixtime: u64,
    rfc1123: String,
}

#[derive(Serialize)]
struct SystemStatus {
    status: &'static str,
    timestamp: String,
}

/// The REST answers.
#[derive(Debug)]
pub(super) struct Rest {
    catalogue: Arc<Catalogue>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    listing: Arc<Listing>,
    tables: Arc<Tables>,
}

impl Rest {
    /// Answers from this catalogue.
    pub(super) fn new(catalogue: Arc<Catalogue>) -> Self {
        Self { catalogue, kept: Mutex::default() }
    }

    /// Whether a panic left what it keeps half done.
    pub(super) fn is_poisoned(&self) -> bool {
        self.kept.is_poisoned()
    }

    /// The answer for a path below `/0/public/`, when there is one.
    pub(super) fn answer(&self, path: &str, query: &str, now: Nanos) -> Option<Bytes> {
        match path.strip_prefix("/0/public/")? {
            "AssetPairs" => Some(self.tables().asset_pairs(query::value(query, "pair").as_deref())),
            "Assets" => Some(self.tables().assets(query::value(query, "asset").as_deref())),
            "Time" => Some(accept(&time(now))),
            "SystemStatus" => Some(accept(&system_status(&self.catalogue.current(), now))),
            _ => None,
        }
    }

    fn tables(&self) -> Arc<Tables> {
        let listing = self.catalogue.current();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&kept.listing, &listing) {
            kept.tables = Arc::new(Tables::of(&listing.instruments));
            kept.listing = listing;
        }
        Arc::clone(&kept.tables)
    }
}

/// A result in the API's envelope.
pub(super) fn accept(result: &impl Serialize) -> Bytes {
    to_bytes(&Answer { error: [], result })
}

/// An error in the API's envelope; its HTTP status is 200 all the same.
pub(super) fn refuse(words: &'static str) -> Bytes {
    to_bytes(&Refusal { error: [words] })
}

fn to_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("plain structs with text keys are always JSON").into()
}

fn time(now: Nanos) -> Time {
    let unixtime = now.0 / 1_000_000_000;
    Time { unixtime, rfc1123: rfc1123(unixtime, &now.to_string()) }
}

/// `Sun, 21 Mar 21 14:23:14 +0000`, as the API writes it, from `2021-03-21T14:23:14.000000Z`.
fn rfc1123(unixtime: u64, rfc3339: &str) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let weekday = DAYS[(unixtime / 86_400 % 7) as usize];
    let month = rfc3339[5..7].parse::<usize>().map_or("Jan", |month| MONTHS[month - 1]);
    let (year, day, clock) = (&rfc3339[2..4], &rfc3339[8..10], &rfc3339[11..19]);
    format!("{weekday}, {day} {month} {year} {clock} +0000")
}

fn system_status(listing: &Listing, now: Nanos) -> SystemStatus {
    let seconds = Nanos(now.0 - now.0 % 1_000_000_000).to_string();
    SystemStatus {
        status: if listing.feeds.iter().any(|feed| feed.live) { "online" } else { "maintenance" },
        timestamp: format!("{}Z", &seconds[..19]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::FeedStatus;

    fn ask(rest: &Rest, path: &str, query: &str) -> String {
        let now = Nanos::parse_rfc3339(b"2021-03-21T14:23:14.5Z").expect("a time");
        let body = rest.answer(path, query, now).expect("an answer");
        String::from_utf8(body.to_vec()).expect("text")
    }

    #[test]
    fn time_is_told_twice() {
        let rest = Rest::new(Arc::default());
        let expected = r#"{"unixtime":1616336594,"rfc1123":"Sun, 21 Mar 21 14:23:14 +0000"}"#;
        let expected = format!(r#"{{"error":[],"result":{expected}}}"#);
        assert_eq!(ask(&rest, "/0/public/Time", ""), expected);
    }

    #[test]
    fn the_system_is_online_while_a_feed_is_live() {
        let catalogue = Arc::new(Catalogue::default());
        let rest = Rest::new(Arc::clone(&catalogue));
        assert!(ask(&rest, "/0/public/SystemStatus", "").contains(r#""maintenance""#));
        let feed = FeedStatus { name: "one".into(), live: true, ..FeedStatus::default() };
        catalogue.publish(Listing { instruments: Vec::new(), feeds: vec![feed] });
        let expected = r#"{"status":"online","timestamp":"2021-03-21T14:23:14Z"}"#;
        let expected = format!(r#"{{"error":[],"result":{expected}}}"#);
        assert_eq!(ask(&rest, "/0/public/SystemStatus", ""), expected);
    }

    #[test]
    fn other_paths_have_no_answer() {
        let rest = Rest::new(Arc::default());
        for path in ["/0/public/Ticker", "/0/public/", "/0/private/Balance", "/AssetPairs"] {
            assert!(rest.answer(path, "", Nanos(0)).is_none(), "{path}");
        }
    }
}
