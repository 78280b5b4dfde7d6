// Forms kept on the device until the server has them: an id each, so that none is recorded twice.
//
// No form holds up the others: what the server fails at is sent again alone, after all others; what it will never take
// is kept apart with the reason.

import { deviceForms, LARGEST, newId, sizeOf } from "./device-forms.js";

const AT_ONCE = 20; // forms in one request
const BYTES_AT_ONCE = 128 * 1024;
const SOON = 5_000; // ms until the next try, doubled up to LATE
const LATE = 60_000;
const CLOSED = new Set([404, 410]); // the link was renewed, the form archived
const BUSY = new Set([429, 502, 503, 504]); // whatever is sent
const BAD = new Set([400, 413]); // this form, when it was sent alone

/** The next forms to send together: those that nothing is known of, else the one with the fewest tries. */
export function nextBatch(items) {
  const waiting = items.filter((item) => !item.refused);
  const batch = [];
  let bytes = 0;
  for (const item of waiting) {
    if (item.tries || batch.length === AT_ONCE) continue;
    bytes += sizeOf(item);
    if (batch.length && bytes > BYTES_AT_ONCE) break;
    batch.push(item);
  }
  return batch.length ? batch : waiting.sort((one, other) => one.tries - other.tries).slice(0, 1);
}

const tried = (item) => ({ ...item, tries: (item.tries || 0) + 1 });

const isFailed = (result) => !["added", "repeated", "refused"].includes(result.status);

/** What becomes of a form by the server's answer to it; null where the server has it. */
function settled(item, result) {
  if (isFailed(result)) return tried(item);
  return result.status === "refused" ? { ...item, refused: String(result.message || "?") } : null;
}

/**
 * The forms of one kiosk. `report({waiting, refused, isClosed, revision})` is called when something changes.
 * `keep(values)` resolves to "kept", "large", or "full" where the device has no room; `send()` sends what waits, and tries again
 * by itself.
 */
export function keptForms(name, address, report) {
  const device = deviceForms(name);
  let timer = 0;
  let pause = SOON;
  let isSending = false;
  let isClosed = false;
  let revision = "";

  function show() {
    const items = device.read();
    const refused = items.filter((item) => item.refused).length;
    report({ waiting: items.length - refused, refused, isClosed, revision });
  }

  function later(ms) {
    clearTimeout(timer);
    timer = setTimeout(send, ms);
  }

  function post(items) {
    const sent = items.map(({ id, at, values }) => ({ id, at, values }));
    return fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ sent: Date.now(), items: sent }),
      credentials: "omit",
    });
  }

  /** Note what became of each form of a batch, by its id. Throws where the device cannot: all would be sent again. */
  async function note(batch, outcome) {
    const places = new Map(batch.map((item, place) => [item.id, place]));
    const isNoted = await device.change(new Set(places.keys()), (item) => outcome(item, places.get(item.id)));
    if (!isNoted) throw new Error("the device could not store what became of the forms");
  }

  async function noteFailure(batch, status) {
    const isBad = batch.length === 1 && BAD.has(status);
    await note(batch, isBad ? (item) => ({ ...item, refused: String(status) }) : tried);
    if (batch.length === 1 && !isBad) throw new Error(`status ${status}`); // the next one after a pause
  }

  async function sendWaiting() {
    const batch = nextBatch(device.read());
    if (!batch.length) return;
    const response = await post(batch);
    isClosed = CLOSED.has(response.status);
    if (isClosed || BUSY.has(response.status)) {
      const wait = Number(response.headers.get("Retry-After")) || 0;
      throw Object.assign(new Error(`status ${response.status}`), { wait: wait * 1000 });
    }
    if (!response.ok) {
      await noteFailure(batch, response.status);
      return;
    }
    const answer = await response.json(); // not JSON, or another list: somebody else's page, as of a hotel's network
    if (answer.results?.length !== batch.length) throw new Error("no answer of the server");
    revision = String(answer.revision ?? "");
    await note(batch, (item, place) => settled(item, answer.results[place]));
    // sent alone, and failed again: the next one after a pause
    if (batch.length === 1 && isFailed(answer.results[0])) throw new Error("the server failed at the form");
  }

  async function send() {
    if (isSending) return;
    isSending = true;
    clearTimeout(timer);
    try {
      await device.alone(sendWaiting, { ifAvailable: true });
      pause = SOON;
      if (nextBatch(device.read()).length) later(250);
    } catch (error) {
      later(Math.max(pause, error.wait || 0));
      pause = Math.min(pause * 2, LATE);
    } finally {
      isSending = false;
      show();
    }
  }

  async function keep(values) {
    const item = { id: newId(), at: Date.now(), values };
    if (sizeOf(item) > LARGEST) return "large";
    const isKept = await device.add(item);
    show();
    return isKept ? "kept" : "full";
  }

  show();
  return { keep, send };
}
