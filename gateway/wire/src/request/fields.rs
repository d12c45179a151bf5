//! Fields of a stranger's object: which there may be, and what one must look like.
//!
//! Every sentence names the field by its whole path, because a dashboard's author reads it in a log
//! far from the code that sent it.

use simd_json::prelude::*;
use simd_json::tape::Value;

use super::SYMBOL_BYTES_MAX;
use crate::refusal::Refusal;

/// Refuses a field that is not `known`.
pub(super) fn known_fields(
    object: Value<'_, '_>,
    path: &str,
    known: &[&str],
) -> Result<(), Refusal> {
    let Some(fields) = object.as_object() else { return Ok(()) };
    let unknown = fields.keys().find(|key| !known.contains(key));
    unknown.map_or(Ok(()), |key| {
        Err(Refusal::invalid(format!("unknown field {:?}", format!("{path}{}", shorten(key)))))
    })
}

/// Refuses a field that is known elsewhere and makes no sense for `purpose`.
pub(super) fn not_for(
    object: Value<'_, '_>,
    path: &str,
    fields: &[&str],
    purpose: &str,
) -> Result<(), Refusal> {
    let given = fields.iter().find(|field| object.get(**field).is_some());
    given.map_or(Ok(()), |field| {
        Err(Refusal::invalid(format!("{path}{field} is not for {purpose}")))
    })
}

/// Yes, no, or not said.
pub(super) fn flag(object: Value<'_, '_>, path: &str, name: &str) -> Result<Option<bool>, Refusal> {
    match object.get(name) {
        None => Ok(None),
        Some(value) => value
            .as_bool()
            .map(Some)
            .ok_or_else(|| Refusal::invalid(format!("{path}{name} must be true or false"))),
    }
}

/// A whole number within a range, or not said.
pub(super) fn number(
    object: Value<'_, '_>,
    path: &str,
    name: &str,
    range: std::ops::RangeInclusive<u32>,
) -> Result<Option<u32>, Refusal> {
    let Some(value) = object.get(name) else { return Ok(None) };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.filter(|number| range.contains(number)).map(Some).ok_or_else(|| {
        let (least, most) = (range.start(), range.end());
        Refusal::invalid(format!("{path}{name} must be a whole number from {least} to {most}"))
    })
}

/// A whole number, or its decimal text: JavaScript loses numbers above 2^53.
pub(super) fn number_or_text(value: Value<'_, '_>) -> Option<u64> {
    match value.into_string() {
        // The standard parser takes a sign, which no sender of ours writes.
        Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        Some(_) => None,
        None => value.as_u64(),
    }
}

/// A text of a stranger, short enough to be repeated to him.
pub(super) fn shorten(text: &str) -> String {
    if text.len() <= SYMBOL_BYTES_MAX {
        return text.to_owned();
    }
    text.chars().take(SYMBOL_BYTES_MAX / 4).chain("...".chars()).collect()
}
