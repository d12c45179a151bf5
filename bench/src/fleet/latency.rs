//! Durations as a histogram: every one is counted, the tail is exact to three digits.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{
    Deserializer as HistogramDeserializer, Serializer as _, V2DeflateSerializer,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// Nanoseconds from 1 to an hour; what is longer counts as an hour.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

const LONGEST_NS: u64 = 3_600_000_000_000;

/// The figures that are told, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// How many were counted.
    pub count: u64,
    /// Half were faster.
    pub p50_us: f64,
    /// One in ten was slower.
    pub p90_us: f64,
    /// One in a hundred was slower.
    pub p99_us: f64,
    /// One in a thousand was slower.
    pub p99_9_us: f64,
    /// One in ten thousand was slower.
    pub p99_99_us: f64,
    /// The slowest.
    pub max_us: f64,
}

impl Percentiles {
    /// Each with its name, in microseconds.
    pub fn named(&self) -> [(&'static str, f64); 6] {
        [
            ("p50", self.p50_us),
            ("p90", self.p90_us),
            ("p99", self.p99_us),
            ("p99.9", self.p99_9_us),
            ("p99.99", self.p99_99_us),
            ("max", self.max_us),
        ]
    }
}

/// In one line.
impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &self.named().map(|(name, micros)| format!("{name} {}", time(micros))).join("  "),
        )
    }
}

/// Microseconds in the unit that fits.
pub fn time(micros: f64) -> String {
    match micros {
        small if small < 1000.0 => format!("{small:.0} us"),
        middle if middle < 1e6 => format!("{:.2} ms", middle / 1e3),
        long => format!("{:.2} s", long / 1e6),
    }
}

impl Latency {
    /// Nothing counted yet.
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, 3);
        Self(histogram.expect("the bounds are constants that fit"))
    }

    /// Counts one.
    pub fn record(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// Adds what another thread counted.
    pub fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// The histogram itself, for logs.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// Points of the percentile plot: how many times fewer than all were slower (1, 10, 100 stand
    /// for 0, 90, 99 %), and the latency there in microseconds. Dense enough for a smooth line.
    pub fn curve(&self) -> Vec<(f64, f64)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let decades = (self.0.len() as f64).log10();
        let points = (decades * 24.0).ceil() as u32;
        let rarity = |step: u32| 10f64.powf(f64::from(step) / 24.0).min(self.0.len() as f64);
        (0..=points)
            .map(|step| {
                let rarity = rarity(step);
                (rarity, self.0.value_at_quantile(1.0 - 1.0 / rarity) as f64 / 1000.0)
            })
            .collect()
    }

    /// The figures.
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile: f64| self.0.value_at_quantile(quantile) as f64 / 1000.0;
        Percentiles {
            count: self.0.len(),
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            p99_99_us: at(0.9999),
            max_us: self.0.max() as f64 / 1000.0,
        }
    }
}

/// As text, every count of it: base64 of the histogram's own compressed form.
impl Serialize for Latency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .map_err(|error| ser::Error::custom(format!("histogram: {error:?}")))?;
        serializer.serialize_str(&BASE64.encode(bytes))
    }
}

impl<'de> Deserialize<'de> for Latency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text).map_err(de::Error::custom)?;
        let read: Histogram<u64> = HistogramDeserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| de::Error::custom(format!("histogram: {error:?}")))?;
        let mut latency = Self::new();
        latency.0.add(&read).map_err(|error| de::Error::custom(format!("histogram: {error:?}")))?;
        Ok(latency)
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_that_went_through_text_is_the_same_to_the_last_count() {
        let mut random = fastrand::Rng::with_seed(3);
        let (mut one, mut two) = (Latency::new(), Latency::new());
        for _ in 0..20_000 {
            one.record(random.u64(1..10_000_000_000));
            two.record(random.u64(1..100_000));
        }
        let back: Latency = serde_json::from_str(&serde_json::to_string(&two).unwrap()).unwrap();
        assert_eq!(back.0, two.0);
        let (mut here, mut apart) = (one.clone(), one);
        here.add(&two);
        apart.add(&back);
        assert_eq!(here.percentiles(), apart.percentiles());
        assert!(serde_json::from_str::<Latency>("\"bm90aGluZw==\"").is_err());
    }

    #[test]
    fn the_tail_of_a_thousand_known_values_is_known() {
        let mut latency = Latency::new();
        (1..=1000u64).for_each(|micros| latency.record(micros * 1000));
        let told = latency.percentiles();
        let near = |seen: f64, wanted: f64| (seen - wanted).abs() <= wanted / 900.0;
        assert!(near(told.p50_us, 500.0) && near(told.p99_us, 990.0) && near(told.max_us, 1000.0));
        latency.record(u64::MAX);
        assert!(near(latency.percentiles().max_us, 3.6e9));
    }
}
