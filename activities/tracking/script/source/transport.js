// Sending: at once by the page that made the hits; again, after a failure, by one tab of the site.

import { widestDomain } from "./cookies.js";
import { entries, forgetEntries, getItem, prefix, putEntry, removeEntry, removeItem, setItem } from "./hit_store.js";
import { config, debugging, guarded, listen, VERSION, warn } from "./page_state.js";

const BATCH_HITS = 20;
const BATCH_BYTES = 31_000; // of hits: 32 kB with what stands around them
const IN_FLIGHT_BYTES = 60_000; // browsers refuse more than 65,536 in keepalive requests and beacons together
const LEASE = 30_000; // so long nobody else sends a hit that is under way, and a request may take
const GATHER = 200;
const LONGEST_BACKOFF = 300_000;
const LONGEST_PAUSE = 3_600_000; // that a collector may ask for

let fresh = [];
let gathering;
let retryTimer;
let inFlight = 0;
let isStopped = false;

const now = () => Date.now();
const size = (text) => new Blob([text]).size;
const pauseName = () => `_ca_pause.${config.key}`;

/** [nobody sends before (epoch ms), failures in a row], shared by the tabs where they can share. */
function pause() {
  const [until, failures] = (getItem(pauseName()) || "0 0").split(" ").map(Number);
  return until < now() + LONGEST_PAUSE * 2 ? [until, failures] : [0, 0];
}

/** Split into batches of one visitor and one consent that are small enough; a hit that is too big alone is dropped. */
function batches(some) {
  const made = [];
  let last;
  let room;
  for (const entry of some) {
    const bytes = size(JSON.stringify(entry.h)) + 1;
    if (bytes > BATCH_BYTES) {
      warn(`${entry.h.type} not recorded: ${bytes} bytes`);
      removeEntry(entry);
      continue;
    }
    room -= bytes;
    if (!last || room < 0 || last.length === BATCH_HITS || last[0].v !== entry.v || last[0].c !== entry.c) {
      last = [];
      made.push(last);
      room = BATCH_BYTES - bytes;
    }
    last.push(entry);
  }
  return made;
}

function bodyOf(batch) {
  const [{ v: visitor, c: consent }] = batch;
  return JSON.stringify({ v: 1, sent: now(), visitor, consent, script: VERSION, hits: batch.map(({ h }) => h) });
}

const addressOf = (name) => `${config.address}/${name}?k=${encodeURIComponent(config.key)}`;

/**
 * Send a batch and do with its hits what the answer says; true if the collector can take more.
 *
 * `survives`: the request goes on when the page is left, for which browsers allow little.
 */
async function post(batch, survives) {
  const body = bodyOf(batch);
  const bytes = size(body);
  const keepalive = survives && inFlight + bytes <= IN_FLIGHT_BYTES;
  let reply;
  if (keepalive) inFlight += bytes;
  try {
    reply = await fetch(addressOf("e") + (debugging.on ? "&v=1" : ""), {
      method: "POST",
      body,
      headers: { "Content-Type": "text/plain" }, // asks for no preflight
      credentials: "omit",
      keepalive,
      signal: AbortSignal.timeout?.(LEASE),
    });
  } catch {
    // no network, no answer in time, or the answer may not be read
  }
  if (keepalive) inFlight -= bytes;
  return settle(batch, reply || {});
}

function settle(batch, reply) {
  const { ok, status = 0 } = reply;
  for (const { h } of batch) debugging.note("answer", h, status, reply);
  if (ok || status === 400 || status === 413) {
    batch.forEach(removeEntry);
    removeItem(pauseName());
    return true;
  }
  if (status === 401 || status === 403) {
    isStopped = true; // this key may not send from here
    forgetEntries();
    return false;
  }
  const failures = pause()[1] + 1;
  const asked = reply.headers?.get("Retry-After") * 1000;
  const backoff = Math.min(Math.max(2 ** failures * 500 * (0.6 + Math.random() * 0.4), 1000), LONGEST_BACKOFF);
  const delay = asked > 0 ? Math.min(asked, LONGEST_PAUSE) + Math.random() * 500 : backoff;
  setItem(pauseName(), `${now() + delay} ${failures}`);
  for (const entry of batch) putEntry(entry, 0);
  planRetry();
  return false;
}

/** Send what was gathered. When the page is left a beacon takes it, and the next page tries again. */
export function flush(isLeaving) {
  clearTimeout(gathering);
  gathering = 0;
  const some = fresh;
  fresh = [];
  if (isStopped) return;
  if (pause()[0] > now()) for (const entry of some) putEntry(entry, 0);
  else
    for (const batch of batches(some)) {
      const body = isLeaving && bodyOf(batch);
      if (!body || inFlight + size(body) > IN_FLIGHT_BYTES || !navigator.sendBeacon(addressOf("e"), body)) {
        post(batch, true).catch(() => {});
      }
    }
  planRetry();
}

/** Take a hit of a visitor and a consent; `isUrgent` where the page may be gone in a moment. */
export function enqueue(hit, visitor, consent, isUrgent) {
  if (isStopped) return;
  const entry = { h: hit, v: visitor, c: consent };
  fresh.push(entry);
  putEntry(entry, now() + LEASE);
  debugging.note("made", hit);
  if (isUrgent) flush();
  else if (!gathering) gathering = setTimeout(flush, GATHER);
}

export function forgetHits() {
  fresh = [];
  forgetEntries();
}

/** Try again when the first of the waiting hits is due. */
const planRetry = guarded(() => {
  clearTimeout(retryTimer);
  const waiting = isStopped ? [] : entries();
  if (!waiting.length) return;
  const due = Math.max(Math.min(...waiting.map(({ u }) => u)), pause()[0]) - now();
  retryTimer = setTimeout(retryAlone, Math.min(Math.max(due, 0) + 50, LONGEST_PAUSE));
});

/** One tab of the site tries; http pages have no locks: there the time in each entry keeps the others away. */
const retryAlone = guarded(() => {
  const { locks } = navigator;
  const done = locks ? locks.request("_ca", { ifAvailable: true }, (lock) => lock && retry()) : retry();
  done.then(planRetry, planRetry);
});

async function retry() {
  const [batch] = pause()[0] > now() ? [] : batches(entries().filter(({ u }) => u <= now()));
  if (!batch) return;
  for (const entry of batch) putEntry(entry, now() + LEASE);
  if (await post(batch)) await retry();
}

export function startRetries() {
  planRetry();
  listen("storage", ({ key, newValue }) => newValue && key?.startsWith(prefix()) && planRetry());
  listen("online", () => {
    removeItem(pauseName());
    planRetry();
  });
}

/** A base on the site's own host makes a cookie that browsers keep longer than one of scripts. */
export const askForCookie = () =>
  fetch(`${addressOf("id")}&d=${widestDomain()}`, { credentials: "same-origin" }).catch(() => {});
