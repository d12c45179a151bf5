// The bars of the symbol in focus, drawn on a canvas: price above, volume below.
//
// Floats are allowed here, since pixels are all they become; figures in the legend and on the axis
// are the text that was sent. Drawn again when bars, size or pointer changed, at most ten times a
// second.

import { rfc3339Millis } from "./clock.js";
import { element } from "./figure.js";
import { timeOfDay } from "./format.js";

const DRAW_MS = 100;
const SLOT = 7;
const VOLUME_SHARE = 0.2;

export class Chart {
  constructor(market) {
    this.market = market;
    this.canvas = document.getElementById("chart");
    this.legend = document.getElementById("chart-legend");
    this.context = this.canvas.getContext("2d");
    this.focus = null;
    this.version = -1;
    this.drawnAt = -Infinity;
    this.pointer = null;
    this.dirty = true;
    this.colours = null;
    new ResizeObserver(() => (this.dirty = true)).observe(this.canvas);
    this.canvas.addEventListener("pointermove", (event) => {
      this.pointer = event.offsetX;
      this.dirty = true;
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.dirty = true;
    });
  }

  paint(now) {
    const { focus } = this.market;
    if (!focus) return;
    const moved = focus !== this.focus || focus.barsVersion !== this.version;
    if (!(moved || this.dirty) || now - this.drawnAt < DRAW_MS) return;
    this.focus = focus;
    this.version = focus.barsVersion;
    this.drawnAt = now;
    this.dirty = false;
    this.draw(focus);
  }

  draw(focus) {
    const { canvas, context } = this;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (width === 0 || height === 0) return;
    const scale = window.devicePixelRatio || 1;
    const pixels = { width: Math.round(width * scale), height: Math.round(height * scale) };
    if (canvas.width !== pixels.width) canvas.width = pixels.width;
    if (canvas.height !== pixels.height) canvas.height = pixels.height;
    this.colours ??= readColours(canvas);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = this.colours.font;
    const places = focus.book.precision?.price ?? 2;
    const widest = focus.bars.at(-1)?.close ?? "";
    const axis = Math.max(48, context.measureText(widest).width + 12);
    const plot = { left: 0, width: width - axis, height: height - 16 };
    const bars = focus.bars.slice(-Math.max(1, Math.floor(plot.width / SLOT)));
    if (bars.length === 0) {
      context.fillStyle = this.colours.quiet;
      const refused = focus.refused.ohlc;
      context.fillText(refused ? `Refused: ${refused}` : "No bars yet", 8, height / 2);
      this.legend.textContent = "";
      canvas.setAttribute("aria-label", "No bars yet");
      return;
    }
    const range = priceRange(bars);
    const tall = plot.height * (1 - VOLUME_SHARE - 0.02);
    const y = (price) => 6 + ((range.high - price) / (range.high - range.low)) * tall;
    this.drawGrid(plot, range, y, places, width, y(Number(bars.at(-1).close)));
    this.drawBars(bars, plot, y);
    this.drawTimes(bars, plot, height);
    this.drawLast(bars.at(-1), plot, y, width);
    this.tell(bars, plot);
  }

  drawGrid(plot, range, y, places, width, taken) {
    const { context, colours } = this;
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.lineWidth = 1;
    for (const price of gridLines(range.low, range.high)) {
      const at = Math.round(y(price)) + 0.5;
      context.strokeStyle = colours.line;
      context.beginPath();
      context.moveTo(0, at);
      context.lineTo(plot.width, at);
      context.stroke();
      // The label of the last price stands there.
      if (Math.abs(at - taken) < 15) continue;
      context.fillStyle = colours.quiet;
      context.fillText(price.toFixed(Math.min(places, 12)), width - 4, at);
    }
  }

  drawBars(bars, plot, y) {
    const { context, colours } = this;
    const loudest = Math.max(...bars.map((bar) => Number(bar.volume))) || 1;
    bars.forEach((bar, i) => {
      const right = plot.width - (bars.length - 1 - i) * SLOT - 3;
      const open = y(Number(bar.open));
      const close = y(Number(bar.close));
      const colour = Number(bar.close) >= Number(bar.open) ? colours.rise : colours.fall;
      const tall = (Number(bar.volume) / loudest) * plot.height * VOLUME_SHARE;
      context.fillStyle = colour;
      context.globalAlpha = 0.28;
      context.fillRect(right - 5, plot.height - tall, 5, tall);
      context.globalAlpha = 1;
      const top = y(Number(bar.high));
      context.fillRect(right - 3, top, 1, Math.max(1, y(Number(bar.low)) - top));
      context.fillRect(right - 5, Math.min(open, close), 5, Math.max(1, Math.abs(close - open)));
    });
  }

  drawTimes(bars, plot, height) {
    const { context, colours } = this;
    context.fillStyle = colours.quiet;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    bars.forEach((bar, i) => {
      const begin = rfc3339Millis(bar.interval_begin);
      if (new Date(begin).getMinutes() % 15 !== 0) return;
      const x = plot.width - (bars.length - 1 - i) * SLOT - 5;
      if (x < 18 || x > plot.width - 14) return;
      context.fillText(timeOfDay(begin).slice(0, 5), x, height - 3);
    });
  }

  drawLast(bar, plot, y, width) {
    const { context, colours } = this;
    const at = Math.round(y(Number(bar.close))) + 0.5;
    const colour = Number(bar.close) >= Number(bar.open) ? colours.rise : colours.fall;
    context.strokeStyle = colour;
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(0, at);
    context.lineTo(plot.width, at);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = colour;
    context.fillRect(plot.width, at - 8, width - plot.width, 16);
    context.fillStyle = colours.ground;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText(bar.close, width - 4, at + 0.5);
  }

  /** The legend tells the bar under the pointer, or the newest. */
  tell(bars, plot) {
    let at = bars.length - 1;
    if (this.pointer !== null && this.pointer <= plot.width) {
      const fromRight = Math.floor((plot.width - this.pointer) / SLOT);
      at = Math.min(Math.max(bars.length - 1 - fromRight, 0), bars.length - 1);
      const { context, colours } = this;
      const x = plot.width - (bars.length - 1 - at) * SLOT - 5.5;
      context.strokeStyle = colours.quiet;
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, plot.height);
      context.stroke();
    }
    const bar = bars[at];
    const time = timeOfDay(rfc3339Millis(bar.interval_begin)).slice(0, 5);
    const figures = Object.entries({
      O: bar.open, H: bar.high, L: bar.low, C: bar.close, V: bar.volume,
    });
    this.legend.replaceChildren(time);
    for (const [name, value] of figures) {
      const part = element("span", name === "V" ? "spare" : "", this.legend);
      element("b", "", part).textContent = name;
      part.append(value ?? "–");
    }
    this.canvas.setAttribute(
      "aria-label",
      `${bars.length} bars of one minute; the bar of ${time}: ` +
        figures.map(([name, value]) => `${name} ${value}`).join(", "),
    );
  }
}

function priceRange(bars) {
  let low = Infinity;
  let high = -Infinity;
  for (const bar of bars) {
    low = Math.min(low, Number(bar.low));
    high = Math.max(high, Number(bar.high));
  }
  const margin = (high - low) * 0.04 || Math.abs(high) * 0.0005 || 1;
  return { low: low - margin, high: high + margin };
}

/** Round prices between two bounds, about four of them. */
function gridLines(low, high) {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const lines = [];
  for (let n = Math.ceil(low / step); n * step <= high && lines.length < 12; n += 1) {
    lines.push(n * step);
  }
  return lines;
}

function readColours(canvas) {
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name).trim();
  return {
    rise: colour("--rise"),
    fall: colour("--fall"),
    line: colour("--line"),
    quiet: colour("--quiet"),
    ground: colour("--ground"),
    font: `11px ${style.fontFamily}`,
  };
}
