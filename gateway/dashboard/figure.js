// Cells that hold a number as it was sent, and touch the page only when it changed.
//
// Text nodes are written directly: a cell costs nothing while its number stays the same.

/** Makes an element with a class, inside `parent`. */
export function element(tag, className, parent) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (parent) parent.append(made);
  return made;
}

/** A text that is written when it differs from what is shown. */
export class TextCell {
  constructor(el) {
    this.el = el;
    this.node = document.createTextNode("");
    el.append(this.node);
    this.shown = "";
  }

  /** Returns whether the text changed. */
  set(text) {
    if (text === this.shown) return false;
    this.shown = text;
    this.node.data = text;
    return true;
  }
}

/** A quantity: trailing zeros are there, since they are part of what was sent, but dimmed. */
export class QuantityCell {
  constructor(el) {
    this.el = el;
    this.head = document.createTextNode("");
    this.tail = document.createTextNode("");
    el.append(this.head);
    element("span", "zeros", el).append(this.tail);
    this.shown = "";
  }

  set(text) {
    if (text === this.shown) return false;
    this.shown = text;
    const cut = significantLength(text);
    const head = text.slice(0, cut);
    const tail = text.slice(cut);
    if (this.head.data !== head) this.head.data = head;
    if (this.tail.data !== tail) this.tail.data = tail;
    return true;
  }
}

/** How much of a decimal text comes before the zeros that end its fraction. */
export function significantLength(text) {
  const dot = text.indexOf(".");
  if (dot < 0) return text.length;
  let end = text.length;
  while (end > dot + 1 && text.charCodeAt(end - 1) === 48) end -= 1;
  return end === dot + 1 ? dot : end;
}
