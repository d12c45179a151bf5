//! What a dashboard may ask beyond the venue's own protocol, under `params.x`.
//!
//! Nothing here changes for who does not ask. A pace is never taken for trades: a trade that is
//! merged away is lost.

use std::collections::HashSet;

use simd_json::prelude::*;
use simd_json::tape::Value;

use super::fields::{known_fields, number, number_or_text, shorten};
use crate::refusal::Refusal;
use crate::topic::Topic;

const PATH: &str = "params.x.";

/// Slowest pace there is: a minute, above which a dashboard wants bars.
const PACE_MS_MAX: u32 = 60_000;

/// Fastest pace that can be asked for as a rate; above it a pace is no limit.
const RATE_HZ_MAX: u32 = 1000;

/// What happens when a session cannot keep up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnSlow {
    /// It gets the newest values, each standing for those it missed.
    #[default]
    Conflate,
    /// It gets nothing of what it missed, only notice of the gap.
    Skip,
    /// It is closed.
    Disconnect,
}

impl OnSlow {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Conflate, Self::Skip, Self::Disconnect];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Conflate => "conflate",
            Self::Skip => "skip",
            Self::Disconnect => "disconnect",
        }
    }
}

/// The last update a dashboard holds of a symbol and channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The life of the numbering.
    pub epoch: u64,
    /// The number within it.
    pub sequence: u64,
}

/// The least time between two frames, where one is said; zero: every update.
pub(super) fn pace_ms(x: Value<'_, '_>, topic: Topic) -> Result<Option<u32>, Refusal> {
    let asked = ["conflate_ms", "max_hz"].into_iter().find(|name| x.get(*name).is_some());
    let Some(asked) = asked else { return Ok(None) };
    let unmerged = match topic {
        Topic::Trade => Some("trades"),
        Topic::Instrument => Some("definitions"),
        _ => None,
    };
    if let Some(unmerged) = unmerged {
        let channel = topic.channel_name();
        return Err(Refusal::invalid(format!(
            "{PATH}{asked} is not for {channel}: {unmerged} are never conflated"
        )));
    }
    let pace = number(x, PATH, "conflate_ms", 0..=PACE_MS_MAX)?;
    let rate = number(x, PATH, "max_hz", 1..=RATE_HZ_MAX)?;
    if pace.is_some() && rate.is_some() {
        return Err(Refusal::invalid("params.x takes conflate_ms or max_hz, not both"));
    }
    // Rounded up, so that the rate asked for is never exceeded.
    Ok(pace.or(rate.map(|rate| 1000_u32.div_ceil(rate))))
}

/// What shall happen when the session cannot keep up, where it is said.
pub(super) fn on_slow(x: Value<'_, '_>) -> Result<Option<OnSlow>, Refusal> {
    let Some(value) = x.get("on_slow") else { return Ok(None) };
    let word = value.into_string();
    let policy = OnSlow::ALL.into_iter().find(|policy| word == Some(policy.as_str()));
    policy.map(Some).ok_or_else(|| {
        Refusal::invalid(r#"params.x.on_slow must be "conflate", "skip" or "disconnect""#)
    })
}

/// Where to go on, by symbol of this same request.
pub(super) fn resume(
    x: Value<'_, '_>,
    topic: Topic,
    symbols: &[String],
    sequenced: bool,
) -> Result<Vec<(String, Position)>, Refusal> {
    let Some(resume) = x.get("resume") else { return Ok(Vec::new()) };
    let resume = resume.as_object().ok_or_else(|| {
        Refusal::invalid("params.x.resume must be an object of {epoch, seq} by symbol")
    })?;
    if topic == Topic::Instrument {
        return Err(Refusal::invalid("params.x.resume is not for instrument"));
    }
    if !sequenced {
        return Err(Refusal::invalid(
            "params.x.resume needs params.x.seq true: who goes on must see where he is",
        ));
    }
    let named: HashSet<&str> = symbols.iter().map(String::as_str).collect();
    let mut seen = HashSet::new();
    let mut positions = Vec::new();
    for (name, value) in &resume {
        let name = shorten(name);
        if name.ends_with('*') {
            return Err(Refusal::invalid(format!(
                "params.x.resume names {name:?}: a pattern cannot resume"
            )));
        }
        if !named.contains(name.as_str()) {
            return Err(Refusal::invalid(format!(
                "params.x.resume names {name:?}, which params.symbol does not"
            )));
        }
        if !seen.insert(name.clone()) {
            return Err(Refusal::invalid(format!("params.x.resume names {name:?} twice")));
        }
        let position = position(value, &name)?;
        positions.push((name, position));
    }
    Ok(positions)
}

fn position(value: Value<'_, '_>, symbol: &str) -> Result<Position, Refusal> {
    let path = format!("params.x.resume.{symbol}");
    if !value.is_object() {
        return Err(Refusal::invalid(format!("{path} must be an object of epoch and seq")));
    }
    known_fields(value, &format!("{path}."), &["epoch", "seq"])?;
    let part = |name: &str| {
        value.get(name).and_then(number_or_text).ok_or_else(|| {
            Refusal::invalid(format!("{path}.{name} must be a whole number or its decimal text"))
        })
    };
    Ok(Position { epoch: part("epoch")?, sequence: part("seq")? })
}
