// Random tokens, ids of hits, and the check of a token that another site hands over.

export const isToken = (text) => /^[0-9a-f]{32}$/.test(text);

const hex = (number, digits) => number.toString(16).padStart(digits, "0");

export function randomHex(bytes) {
  const numbers = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(numbers, (number) => hex(number, 2)).join("");
}

let made = 0;

/** A UUIDv7 (RFC 9562): ordered by time, and within a page by the order of making. */
export function uuid7(milliseconds) {
  const digits = `${hex(milliseconds, 12)}7${hex(made++ & 0xfff, 3)}${"89ab"[milliseconds & 3]}${randomHex(8).slice(1)}`;
  return digits.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Eight hex digits (FNV-1a, 32 bits): finds damage and links that were passed on, and is no secret. */
export function checksum(text) {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hex(hash >>> 0, 8);
}
