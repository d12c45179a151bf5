// Which columns of the watch list fit, and how wide each is.
//
// A number that is cut off reads as another number, so columns are as wide as the longest text
// seen, and when the list is too narrow whole columns are left out, the least needed first.

/** Left out in this order; a bid without its ask, or a low without its high, says little. */
const EXPENDABLE = [
  ["low", "high"], ["bid_qty", "ask_qty"], ["volume"], ["change"], ["spread"], ["bid", "ask"],
];

/**
 * `widths` maps column key to the pixels it needs. Returns `{template, left}`: the grid's columns,
 * which share what room is left in proportion, and the keys left out.
 */
export function fitColumns(widths, available) {
  const kept = new Map(widths);
  const total = () => [...kept.values()].reduce((sum, width) => sum + width, 0);
  for (const keys of EXPENDABLE) {
    if (total() <= available) break;
    for (const key of keys) kept.delete(key);
  }
  const template = [...kept.values()].map((width) => `minmax(0, ${Math.ceil(width)}fr)`).join(" ");
  return { template, left: [...widths.keys()].filter((key) => !kept.has(key)) };
}

/** A function from text to pixels, in the font of an element, bold on request. */
export function ruler(el, bold) {
  const style = getComputedStyle(el);
  const context = document.createElement("canvas").getContext("2d");
  context.font = `${bold ? 600 : style.fontWeight} ${style.fontSize} ${style.fontFamily}`;
  return (text) => context.measureText(text).width;
}
