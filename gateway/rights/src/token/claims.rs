//! What a token says, read strictly: a claim of the wrong type is a refusal, never an absent claim.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::rule::{Rule, RuleText};
use crate::wall::Wall;
use market::Nanos;

/// Most rules in a token.
const RULES_MAX: usize = 256;

/// The claims of a token whose signature is good.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(Failure::Claims),
        }
    }

    /// A text or a list of texts; empty where there is none.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        let text = |value: &Value| value.as_str().map(str::to_owned).ok_or(Failure::Claims);
        match self.0.get(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(text).collect(),
            Some(value) => Ok(vec![text(value)?]),
        }
    }

    /// Seconds since 1970, with a fraction or without. Before 1970 is 1970; beyond the clock's
    /// range is its end.
    pub(super) fn moment(&self, name: &str) -> Result<Option<Wall>, Failure> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        if let Some(seconds) = value.as_u64() {
            return Ok(Some(Wall::from_seconds(seconds)));
        }
        let seconds = value.as_f64().ok_or(Failure::Claims)?;
        Ok(Some(Wall(Nanos((seconds * 1e9) as u64))))
    }

    /// The token's own entitlements; none where it brings none. One that cannot be understood may
    /// have been meant as a limit, so it spoils the token.
    pub(super) fn rules(&self, name: &str) -> Result<Option<Box<[Rule]>>, Failure> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let texts = Vec::<RuleText>::deserialize(value).map_err(|_| Failure::Claims)?;
        if texts.len() > RULES_MAX {
            return Err(Failure::Claims);
        }
        let rules: Result<Box<[Rule]>, _> = texts.iter().map(Rule::compile).collect();
        rules.map(Some).map_err(|_| Failure::Claims)
    }
}
