//! The interval log that `HdrHistogram`'s own tools read (format 1.3, V2 histograms, base64): one
//! line a slice, values in nanoseconds, maxima in milliseconds.

use std::io::Write;
use std::time::{Duration, UNIX_EPOCH};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::run::block::Measured;

/// Writes every slice of every block, tagged by step and block.
pub fn write(out: &mut impl Write, blocks: &[(String, Measured)]) -> std::io::Result<()> {
    let first_ns = blocks.first().map_or(0, |(_, one)| one.from_ns);
    let start = UNIX_EPOCH + Duration::from_nanos(first_ns);
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("latency in nanoseconds: received - due, by the time at which ticks were due")
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(1e6);
    let mut log = builder.begin_log_with(out, &mut serializer)?;
    for (tag, measured) in blocks {
        // A tag may hold no comma, space or line end.
        let tag: String = tag.chars().filter(char::is_ascii_alphanumeric).collect();
        for (at, slice) in measured.slices.iter().enumerate() {
            let begin_ns = measured.from_ns - first_ns + at as u64 * measured.slice_ns;
            log.write_histogram(
                slice.histogram(),
                Duration::from_nanos(begin_ns),
                Duration::from_nanos(measured.slice_ns),
                Tag::new(&tag),
            )
            .map_err(|error| std::io::Error::other(format!("{error:?}")))?;
        }
    }
    Ok(())
}
