//! What admin answers: a path in, a whole answer out. No I/O.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::http::{Method, StatusCode};
use serde_json::Value;

use super::api::Problem;
use super::{Surroundings, latency_report};
use crate::catalogue::FeedStatus;
use crate::clock;

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
const INDEX: &str = "\
gateway admin
/healthz  200 while the process answers
/readyz   200 while dashboards can be served, else 503 and why not
/metrics  Prometheus text
/latency  percentiles of each stretch between two stations, JSON, nanoseconds

behind the token where there is one, JSON:
GET  /sessions /sessions/{id} /symbols/{name} /feeds /log
POST /sessions/{id}/kick /drain /reload    PUT /log
`gateway ctl --help` speaks it; gateway/ADMIN.md explains it
";

pub(super) type Answer = hyper::Response<Full<Bytes>>;

/// The answer to one request. For HEAD hyper leaves the body out itself.
pub(super) fn answer(method: &Method, path: &str, surroundings: &Surroundings) -> Answer {
    if method != Method::GET && method != Method::HEAD {
        let mut refusal = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    let metrics = &surroundings.metrics;
    match path {
        "/" => page(StatusCode::OK, TEXT, INDEX),
        "/healthz" => page(StatusCode::OK, TEXT, "live\n"),
        "/readyz" => {
            if surroundings.control.stopper.ending().is_asked() {
                let words = "not ready: draining\n";
                return page(StatusCode::SERVICE_UNAVAILABLE, TEXT, words);
            }
            let shards_running =
                metrics.shards.iter().filter(|shard| shard.cycles.value() > 0).count();
            let listing = surroundings.catalogue.current();
            match readiness(&listing.feeds, shards_running, metrics.shards.len()) {
                Ok(words) => page(StatusCode::OK, TEXT, format!("ready: {words}\n")),
                Err(words) => {
                    let words = format!("not ready: {words}\n");
                    page(StatusCode::SERVICE_UNAVAILABLE, TEXT, words)
                }
            }
        }
        "/metrics" => {
            metrics.latency.collect(clock::now());
            page(StatusCode::OK, PROMETHEUS, metrics.exposition())
        }
        "/latency" => {
            metrics.latency.collect(clock::now());
            page(StatusCode::OK, JSON, latency_report::write(&metrics.latency))
        }
        _ => page(StatusCode::NOT_FOUND, TEXT, format!("no such page\n\n{INDEX}")),
    }
}

/// An outcome as JSON.
pub(super) fn json(outcome: &Result<Value, Problem>, methods: &'static str) -> Answer {
    let (status, body) = match outcome {
        Ok(body) => (StatusCode::OK, body.to_string()),
        Err(problem) => (problem.status, problem.json().to_string()),
    };
    let mut answer = page(status, JSON, body + "\n");
    let headers = answer.headers_mut();
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(ALLOW, HeaderValue::from_static(methods));
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    answer
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Answer::new(Full::new(body.into()));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// Whether dashboards can be served, and in words how things stand. One live feed is enough: what
/// the others bring is marked stale, and taking the gateway out of service would help nobody.
fn readiness(feeds: &[FeedStatus], shards_running: usize, shards: usize) -> Result<String, String> {
    if shards_running < shards {
        return Err(format!("{shards_running} of {shards} shards are running"));
    }
    let live = feeds.iter().filter(|feed| feed.live).count();
    let down: Vec<_> = feeds
        .iter()
        .filter(|feed| !feed.live)
        .map(|feed| format!("{} ({})", feed.name, feed.detail))
        .collect();
    let down = down.join(", ");
    match (live, feeds.len()) {
        (_, 0) => Err("ingest has not started yet".to_owned()),
        (0, _) => Err(format!("no feed is live; down: {down}")),
        (live, all) if live == all => Ok(format!("all {all} feeds are live")),
        (live, all) => Ok(format!("{live} of {all} feeds are live; down: {down}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(name: &str, live: bool) -> FeedStatus {
        FeedStatus {
            name: name.into(),
            live,
            detail: "dialling".to_owned(),
            ..FeedStatus::default()
        }
    }

    fn check(feeds: &[FeedStatus], shards_running: usize, expected: Result<&str, &str>) {
        let found = readiness(feeds, shards_running, 2);
        assert_eq!(found.as_ref().map(String::as_str).map_err(String::as_str), expected);
    }

    #[test]
    fn ready_means_that_all_shards_run_and_at_least_one_feed_lives() {
        check(&[feed("a", true)], 1, Err("1 of 2 shards are running"));
        check(&[], 2, Err("ingest has not started yet"));
        check(&[feed("a", false)], 2, Err("no feed is live; down: a (dialling)"));
        check(&[feed("a", true), feed("b", true)], 2, Ok("all 2 feeds are live"));
        check(
            &[feed("a", true), feed("b", false)],
            2,
            Ok("1 of 2 feeds are live; down: b (dialling)"),
        );
    }
}
