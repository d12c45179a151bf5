// How derived figures read: durations, rates, times of day, counts.
//
// Prices and quantities never pass through here: they are shown as the text that was sent.

/** 0.42 -> "420 µs", 3.217 -> "3.22 ms", 1250 -> "1.25 s". */
export function duration(ms) {
  if (!Number.isFinite(ms)) return "–";
  const size = Math.abs(ms);
  const mark = ms < 0 ? "−" : "";
  if (size < 0.9995) return `${mark}${Math.round(size * 1000)} µs`;
  if (size < 999.5) return `${mark}${three(size)} ms`;
  if (size < 60_000) return `${mark}${three(size / 1000)} s`;
  if (size < 3_600_000) return `${mark}${Math.round(size / 60_000)} min`;
  if (size < 172_800_000) return `${mark}${Math.round(size / 3_600_000)} h`;
  return `${mark}${Math.round(size / 86_400_000)} days`;
}

function three(value) {
  if (value < 10) return value.toFixed(2);
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}

/** 12345 -> "12,345". */
export function count(value) {
  return Math.round(value).toLocaleString("en-GB");
}

/** Local time of day of an RFC 3339 text or of milliseconds, with milliseconds on request. */
export function timeOfDay(ms, withMillis) {
  if (!Number.isFinite(ms)) return "–";
  const date = new Date(ms);
  const two = (n) => String(n).padStart(2, "0");
  const base = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMillis ? `${base}.${String(date.getMilliseconds()).padStart(3, "0")}` : base;
}
