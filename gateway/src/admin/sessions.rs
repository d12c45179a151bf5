//! Sessions, gathered from the shards page by page.
//!
//! A page goes on where the one before ended: `next` is a shard and a place in its table, so that
//! sessions that come and go meanwhile move no other.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::Surroundings;
use super::api::Problem;
use super::query::Query;
use super::view;
use crate::latency::Stretch;
use crate::shard::{Desk, Filter};

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;
/// Bits of a session's number below the shard's.
const SHARD_SHIFT: u32 = 40;

/// A page of sessions.
pub(super) async fn list(mut query: Query, desks: &[Desk]) -> Result<Value, Problem> {
    let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT)?;
    let address = query.text("address").map(|text| {
        let wrong = |_| Problem::bad(format!("address: {text:?} is no IP address"));
        text.parse::<IpAddr>().map_err(wrong)
    });
    let filter = Filter {
        address: address.transpose()?,
        user: query.text("user"),
        symbol: query.text("symbol"),
        is_slow: query.text("slow").is_some_and(|text| text != "0" && text != "false"),
    };
    let (mut shard, mut place) = match query.text("from") {
        None => (0, 0),
        Some(from) => place_of(&from).ok_or_else(|| Problem::bad("from: the `next` of a page"))?,
    };
    query.finish()?;
    let mut rows = Vec::new();
    while shard < desks.len() && rows.len() < limit {
        let page = desks[shard].list(place, limit - rows.len(), &filter).await;
        let page = page.map_err(|why| Problem::of_shard(shard, why))?;
        rows.extend(page.rows.iter().map(view::row));
        (shard, place) = page.next.map_or((shard + 1, 0), |next| (shard, next));
    }
    let next = (shard < desks.len()).then(|| format!("{shard}.{place}"));
    Ok(json!({ "sessions": rows, "next": next }))
}

fn place_of(text: &str) -> Option<(usize, usize)> {
    let (shard, place) = text.split_once('.')?;
    Some((shard.parse().ok()?, place.parse().ok()?))
}

/// One session with its subscriptions.
pub(super) async fn show(
    id: u64,
    mut query: Query,
    surroundings: &Surroundings,
) -> Result<Value, Problem> {
    let limit = query.number("limit", 1..=LIMIT_MAX, LIMIT)?;
    let from = query.number("from", 0..=usize::MAX, 0)?;
    query.finish()?;
    let (shard, desk) = desk_of(id, &surroundings.control.desks)?;
    let found = desk.show(id, from, limit).await.map_err(|why| Problem::of_shard(shard, why))?;
    let (row, holdings) = found.ok_or_else(|| no_such(id))?;
    let mut shown = view::row(&row);
    let all = row.overview.subscriptions;
    let next = Some(from.saturating_add(holdings.len())).filter(|next| *next < all);
    shown["holds"] = holdings.iter().map(view::holding).collect();
    shown["next"] = json!(next);
    let latency = [Stretch::PublishToDequeue, Stretch::PublishToSent, Stretch::RecvToSent];
    let latency = latency.into_iter().map(|stretch| {
        let tally = surroundings.metrics.latency.of_shard(stretch, shard);
        (stretch.as_str().to_owned(), tally.as_ref().map_or(Value::Null, view::percentiles))
    });
    shown["shard_latency_ns"] = Value::Object(latency.collect());
    Ok(shown)
}

/// The shard that serves a session, by its number.
pub(super) fn desk_of(id: u64, desks: &[Desk]) -> Result<(usize, &Desk), Problem> {
    let shard = usize::try_from(id >> SHARD_SHIFT).unwrap_or(usize::MAX);
    desks.get(shard).map(|desk| (shard, desk)).ok_or_else(|| no_such(id))
}

pub(super) fn no_such(id: u64) -> Problem {
    Problem::absent(format!("there is no session {id}"))
}
