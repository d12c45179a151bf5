//! What operators ask of the running gateway, beside its pages: a request in, JSON out.
//!
//! **Invariant:** nothing here touches a session. Shards are asked through their desks and answer
//! within `admin.answer_timeout_ms`, or the answer names who did not. Every error is an object with
//! `error`, a word for programs, and `detail`, a sentence for people.

use std::time::Duration;

use hyper::body::Bytes;
use hyper::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use wire::close::CloseCode;

use super::Surroundings;
use super::query::Query;
use super::{sessions, view};
use crate::reload::{ReloadError, Report};
use crate::shard::Unanswered;
use crate::stop::Spread;

/// Levels of a book that are shown where nothing else is asked.
const DEPTH: usize = 10;
const DEPTH_MAX: usize = 1000;
/// Longest a drain may take.
const DRAIN_MS_MAX: u64 = 3_600_000;
const CLOSES_PER_SECOND_MAX: u32 = 1_000_000;
/// What a close frame holds of a reason.
const REASON_BYTES_MAX: usize = 123;

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    word: &'static str,
    detail: String,
}

impl Problem {
    pub(super) fn new(status: StatusCode, word: &'static str, detail: impl Into<String>) -> Self {
        Self { status, word, detail: detail.into() }
    }

    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub(super) fn absent(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn of_shard(shard: usize, why: Unanswered) -> Self {
        let (status, word) = match why {
            Unanswered::Busy => (StatusCode::SERVICE_UNAVAILABLE, "shard_busy"),
            Unanswered::TooLate => (StatusCode::GATEWAY_TIMEOUT, "shard_timeout"),
            Unanswered::Ended => (StatusCode::SERVICE_UNAVAILABLE, "shard_ended"),
        };
        Self::new(status, word, format!("shard {shard} does not answer: {why}"))
    }

    pub(super) fn json(&self) -> Value {
        json!({ "error": self.word, "detail": self.detail })
    }
}

type Outcome = Result<Value, Problem>;

/// Whether a path is served here, and by which methods.
pub(super) fn methods(path: &str) -> Option<&'static str> {
    let parts: Vec<_> = path.split('/').skip(1).collect();
    match parts[..] {
        ["sessions" | "feeds"] | ["sessions" | "symbols", _] => Some("GET, HEAD"),
        ["sessions", _, "kick"] | ["drain" | "reload"] => Some("POST"),
        ["log"] => Some("GET, HEAD, PUT"),
        _ => None,
    }
}

/// The answer to a request whose method is among those.
pub(super) async fn answer(
    method: &Method,
    path: &str,
    query: Query,
    body: &Bytes,
    surroundings: &Surroundings,
) -> Outcome {
    let control = &surroundings.control;
    let is_get = method == Method::GET || method == Method::HEAD;
    let parts: Vec<_> = path.split('/').skip(1).collect();
    match parts[..] {
        ["sessions"] => sessions::list(query, &control.desks).await,
        ["sessions", id] => sessions::show(number(id)?, query, surroundings).await,
        ["sessions", id, "kick"] => kick(number(id)?, body, surroundings).await,
        ["symbols", name] => symbol(name, query, surroundings).await,
        ["feeds"] => {
            query.finish()?;
            Ok(view::feeds(&surroundings.catalogue.current().feeds, &surroundings.metrics))
        }
        ["log"] if is_get => Ok(json!({
            "level": control.logs.level(),
            "lines_dropped": control.logs.dropped(),
        })),
        ["log"] => set_level(body, surroundings),
        ["drain"] => drain(body, surroundings),
        _ => reload(surroundings),
    }
}

fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::bad(format!("{text:?} is not the number of a session")))
}

/// A body that is left out says nothing.
fn read<'a, T: Deserialize<'a> + Default>(body: &'a Bytes) -> Result<T, Problem> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Problem::bad(format!("the body: {error}")))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Kick {
    code: Option<u16>,
    reason: Option<String>,
}

async fn kick(id: u64, body: &Bytes, surroundings: &Surroundings) -> Outcome {
    let Kick { code, reason } = read(body)?;
    let code = match code {
        None => CloseCode::PolicyViolation,
        Some(number) => {
            let known = CloseCode::ALL.into_iter().find(|code| code.code() == number);
            known.ok_or_else(|| {
                let codes: Vec<_> = CloseCode::ALL.iter().map(|c| c.code().to_string()).collect();
                Problem::bad(format!("code {number} is none of {}", codes.join(" ")))
            })?
        }
    };
    let reason = reason.unwrap_or_else(|| "closed by an operator".to_owned());
    if reason.len() > REASON_BYTES_MAX || reason.chars().any(char::is_control) {
        return Err(Problem::bad("reason: 123 bytes at most, without control characters"));
    }
    let (shard, desk) = sessions::desk_of(id, &surroundings.control.desks)?;
    let is_known = desk.kick(id, code, &reason).await;
    if !is_known.map_err(|why| Problem::of_shard(shard, why))? {
        return Err(sessions::no_such(id));
    }
    tracing::info!(session = id, code = code.code(), "an operator closed a session");
    Ok(json!({ "kicked": id, "code": code.code(), "reason": reason }))
}

async fn symbol(name: &str, mut query: Query, surroundings: &Surroundings) -> Outcome {
    let depth = query.number("depth", 0..=DEPTH_MAX, DEPTH)?;
    let shard = query.number("shard", 0..=surroundings.control.desks.len().max(1) - 1, 0)?;
    query.finish()?;
    let name = Query::decoded(name).ok_or_else(|| Problem::bad("the name is badly escaped"))?;
    let absent = || Problem::absent(format!("there is no symbol {name:?}"));
    let desk = surroundings.control.desks.get(shard).ok_or_else(absent)?;
    let found = desk.symbol(&name, depth).await.map_err(|why| Problem::of_shard(shard, why))?;
    Ok(view::symbol(&*found.ok_or_else(absent)?))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Drain {
    closes_per_second: Option<u32>,
    deadline_ms: Option<u64>,
}

fn drain(body: &Bytes, surroundings: &Surroundings) -> Outcome {
    let Drain { closes_per_second, deadline_ms } = read(body)?;
    let stopper = &surroundings.control.stopper;
    let settings = stopper.settings();
    let spread = match closes_per_second {
        None => Spread::Over(settings.drain_window),
        Some(rate @ 1..=CLOSES_PER_SECOND_MAX) => Spread::PerSecond(rate),
        Some(_) => return Err(Problem::bad("closes_per_second: 1 to 1000000")),
    };
    let limit = match deadline_ms {
        None => settings.stop_timeout,
        Some(ms @ 100..=DRAIN_MS_MAX) => Duration::from_millis(ms),
        Some(_) => return Err(Problem::bad("deadline_ms: 100 to 3600000")),
    };
    tracing::info!(?spread, ?limit, "an operator asked for the end");
    let plan = stopper.drain(spread, limit);
    let sessions: u64 = surroundings.metrics.shards.iter().map(|s| s.sessions.value()).sum();
    let (spread, amount) = match plan.spread {
        Spread::Over(window) => ("window_ms", window.as_millis() as u64),
        Spread::PerSecond(rate) => ("closes_per_second", u64::from(rate)),
    };
    Ok(json!({
        "draining": sessions,
        "deadline_ms": (plan.deadline_ns - plan.begun_ns) / 1_000_000,
        spread: amount,
    }))
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Level {
    level: Option<String>,
}

fn set_level(body: &Bytes, surroundings: &Surroundings) -> Outcome {
    let level = read::<Level>(body)?.level.ok_or_else(|| Problem::bad("level: is missing"))?;
    let logs = &surroundings.control.logs;
    logs.set_level(&level).map_err(|error| Problem::bad(format!("level: {error}")))?;
    tracing::info!("an operator set the log level");
    Ok(json!({ "level": level }))
}

fn reload(surroundings: &Surroundings) -> Outcome {
    let conflict = |word, detail: String| Problem::new(StatusCode::CONFLICT, word, detail);
    let Some(reloader) = &surroundings.control.reloader else {
        return Err(conflict("no_config_file", ReloadError::NoFile.to_string()));
    };
    match reloader.reload() {
        Ok(Report { changes, is_certificate_new, certificate_days, warnings }) => Ok(json!({
            "applied": changes.applied,
            "needs_restart": changes.needs_restart,
            "certificate": if is_certificate_new { "exchanged" } else { "unchanged" },
            "certificate_expires_days": certificate_days,
            "warnings": warnings,
        })),
        Err(error @ ReloadError::NoFile) => Err(conflict("no_config_file", error.to_string())),
        Err(error @ ReloadError::Config(_)) => Err(conflict("config_refused", error.to_string())),
        Err(error @ ReloadError::Access(_)) => Err(conflict("access_refused", error.to_string())),
        Err(error @ ReloadError::Certificate(_)) => {
            Err(conflict("certificate_refused", error.to_string()))
        }
    }
}
