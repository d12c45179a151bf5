//! One rule: which symbols and channels it is about, and what it gives.

use std::time::Duration;

use market::Channel;
use serde::Deserialize;

use crate::decision::{Ask, Decision, Grant, Quality, Refusal};
use crate::symbol_set::SymbolSet;

/// Deepest book there is, and the default of `depth_max`.
pub(crate) const DEPTH_MAX: u32 = 1000;
/// Longest pace: a frame a minute.
pub(crate) const PACE_MS_MAX: u32 = 60_000;
/// Longest delay: a day.
pub(crate) const DELAY_MINUTES_MAX: u32 = 1440;
pub(crate) const DELAY_MS_MAX: u32 = DELAY_MINUTES_MAX * 60_000;

/// A rule as it is written, in the file and in a token.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleText {
    pub(crate) symbols: Vec<String>,
    pub(crate) channels: Option<Vec<String>>,
    pub(crate) depth_max: Option<u32>,
    pub(crate) pace_ms_min: Option<u32>,
    pub(crate) quality: String,
    pub(crate) delay_minutes: Option<u32>,
    pub(crate) delay_ms: Option<u32>,
}

/// A key of a rule, and what is wrong with it.
pub(crate) type RuleFault = (&'static str, String);

/// A compiled rule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    symbols: SymbolSet,
    /// A bit for each of [`CHANNELS`].
    channels: u8,
    depth_max: u16,
    pace_ms_min: u32,
    /// None where the rule refuses.
    quality: Option<Quality>,
}

const CHANNELS: [&str; 5] = ["ticker", "trade", "book", "ohlc", "instrument"];
const ALL_CHANNELS: u8 = (1 << CHANNELS.len()) - 1;
const TRADE: u8 = 1 << 1;

/// The bit of a channel. A symbol's trust state goes with its definition.
const fn bit(channel: Channel) -> u8 {
    match channel {
        Channel::Ticker | Channel::TickerOnTrade => 1 << 0,
        Channel::Trade => TRADE,
        Channel::Book => 1 << 2,
        Channel::Bars(_) => 1 << 3,
        Channel::Instrument | Channel::State => 1 << 4,
    }
}

impl Rule {
    /// Compiles what was written.
    pub(crate) fn compile(text: &RuleText) -> Result<Self, RuleFault> {
        if text.symbols.is_empty() {
            return Err(("symbols", "must name at least one symbol or pattern".into()));
        }
        let symbols = SymbolSet::parse(text.symbols.iter().map(String::as_str)).map_err(|bad| {
            let shown: String = bad.chars().take(40).collect();
            let reason = format!(
                "{shown:?} is no pattern: 1 to 128 bytes without blanks, `*` stands for anything"
            );
            ("symbols", reason)
        })?;
        let channels = channels(text.channels.as_deref())?;
        let ranged = |key, value: Option<u32>, (min, max): (u32, u32), default| match value {
            Some(value) if !(min..=max).contains(&value) => {
                Err((key, format!("must be a whole number, {min} to {max}")))
            }
            value => Ok(value.unwrap_or(default)),
        };
        let depth_max = ranged("depth_max", text.depth_max, (10, DEPTH_MAX), DEPTH_MAX)?;
        let pace_ms_min = ranged("pace_ms_min", text.pace_ms_min, (0, PACE_MS_MAX), 0)?;
        if channels == TRADE && pace_ms_min > 0 {
            let reason = "cannot be kept by trades, which are never merged; delay or refuse them";
            return Err(("pace_ms_min", reason.into()));
        }
        ranged("delay_minutes", text.delay_minutes, (1, DELAY_MINUTES_MAX), 1)?;
        ranged("delay_ms", text.delay_ms, (1, DELAY_MS_MAX), 1)?;
        let quality = quality(text)?;
        Ok(Self { symbols, channels, depth_max: depth_max as u16, pace_ms_min, quality })
    }

    /// By how much later it gives something; zero where it gives it at once, or not at all.
    pub(crate) fn delay(&self) -> Duration {
        match self.quality {
            Some(Quality::Delayed(delay)) => delay,
            Some(Quality::Realtime) | None => Duration::ZERO,
        }
    }

    /// The answer, where the rule is about this symbol and channel.
    pub(crate) fn decide(&self, ask: &Ask<'_>) -> Option<Decision> {
        let channel = bit(ask.channel);
        if self.channels & channel == 0 || !self.symbols.contains(ask.symbol) {
            return None;
        }
        let Some(quality) = self.quality else { return Some(Decision::Refused(Refusal::Denied)) };
        let pace_ms_min = if channel == TRADE { 0 } else { self.pace_ms_min };
        Some(Decision::Granted(Grant {
            quality,
            depth: ask.depth.min(self.depth_max),
            pace_ms: ask.pace_ms.max(pace_ms_min),
        }))
    }
}

/// The first rule that is about it decides.
pub(crate) fn first_match<'r>(
    rules: impl IntoIterator<Item = &'r Rule>,
    ask: &Ask<'_>,
) -> Decision {
    let decision = rules.into_iter().find_map(|rule| rule.decide(ask));
    decision.unwrap_or(Decision::Refused(Refusal::NoRule))
}

fn channels(names: Option<&[String]>) -> Result<u8, RuleFault> {
    let Some(names) = names else { return Ok(ALL_CHANNELS) };
    let mut mask = 0;
    for name in names {
        let Some(at) = CHANNELS.iter().position(|known| known == name) else {
            return Err(("channels", format!("must be some of {}", CHANNELS.join(", "))));
        };
        mask |= 1 << at;
    }
    if mask == 0 {
        return Err(("channels", "must name at least one; leave it out for all".into()));
    }
    Ok(mask)
}

fn quality(text: &RuleText) -> Result<Option<Quality>, RuleFault> {
    let minutes = text.delay_minutes.map(|minutes| u64::from(minutes) * 60_000);
    let (key, delay_ms) = match (minutes, text.delay_ms.map(u64::from)) {
        (Some(_), Some(_)) => return Err(("delay_ms", "stands beside delay_minutes".into())),
        (None, Some(ms)) => ("delay_ms", Some(ms)),
        (minutes, None) => ("delay_minutes", minutes),
    };
    match (&*text.quality, delay_ms) {
        ("realtime", None) => Ok(Some(Quality::Realtime)),
        ("none", None) => Ok(None),
        ("delayed", Some(ms)) => Ok(Some(Quality::Delayed(Duration::from_millis(ms)))),
        ("delayed", None) => Err((key, "is needed where quality is delayed".into())),
        ("realtime" | "none", Some(_)) => Err((key, "belongs to quality delayed only".into())),
        _ => Err(("quality", "must be realtime, delayed or none".into())),
    }
}
