// Which columns of the watch list fit, and how wide each is.
//
// A number that is cut off reads as another number, so columns are as wide as the longest text
// seen, and when the list is too narrow whole columns are left out, the least needed first.

/** Left out in this order. */
const EXPENDABLE = [
  "low", "high", "ask_qty", "bid_qty", "volume", "change", "spread", "bid", "ask",
];

/**
 * `lengths` maps column key to characters; `digit` is the width of one and `padding` of a cell's
 * sides, in pixels. Returns `{template, left}`: the grid's columns and the keys left out.
 */
export function fitColumns(lengths, available, digit, padding) {
  const width = (key) => Math.ceil(lengths.get(key) * digit) + padding;
  const kept = new Set(lengths.keys());
  let total = [...kept].reduce((sum, key) => sum + width(key), 0);
  for (const key of EXPENDABLE) {
    if (total <= available) break;
    if (!kept.delete(key)) continue;
    total -= width(key);
  }
  const template = [...kept].map((key) => `minmax(0, ${width(key)}fr)`).join(" ");
  return { template, left: [...lengths.keys()].filter((key) => !kept.has(key)) };
}
