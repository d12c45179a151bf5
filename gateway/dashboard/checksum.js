// The book's CRC32, computed from the text of its best ten levels.
//
// Rule: top ten asks low to high, then top ten bids high to low; of each level the price then the
// quantity, at the instrument's precision, without the point and without leading zeros. Because
// the text decides, levels must hold numbers as they were sent (see json.js).

import { atPrecision } from "./decimal.js";

const LEVELS = 10;
const TABLE = crcTable();

function crcTable() {
  const table = new Uint32Array(256);
  for (let n = 0; n < 256; n += 1) {
    let c = n;
    for (let bit = 0; bit < 8; bit += 1) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    table[n] = c >>> 0;
  }
  return table;
}

/** CRC32 (IEEE 802.3) of an ASCII text, as an unsigned number. */
export function crc32(text) {
  let crc = 0xffffffff;
  for (let i = 0; i < text.length; i += 1) {
    crc = TABLE[(crc ^ text.charCodeAt(i)) & 0xff] ^ (crc >>> 8);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** The checksum of levels `{price, qty}`, best first on both sides, as the decimal text sent. */
export function bookChecksum(bids, asks, pricePrecision, qtyPrecision) {
  let text = "";
  for (const side of [asks, bids]) {
    const count = Math.min(side.length, LEVELS);
    for (let i = 0; i < count; i += 1) {
      text += bare(side[i].price, pricePrecision) + bare(side[i].qty, qtyPrecision);
    }
  }
  return String(crc32(text));
}

function bare(number, places) {
  return atPrecision(number, places).replace(".", "").replace(/^0+/, "");
}
