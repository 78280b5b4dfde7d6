// The script of a web site. The configuration stands in front of it, or in the attributes of its own tag.

import { watchClicks } from "./clicks.js";
import {
  consentState,
  FULL,
  forgetVisitor,
  isOptedOut,
  keepAnswer,
  knownToken,
  mode,
  OFF,
  obeyAddress,
  renewToken,
  setOptOut,
  visitorToken,
} from "./consent.js";
import { parameter } from "./cookies.js";
import { recordForm, watchForms } from "./forms.js";
import { uuid7 } from "./ids.js";
import { takeHandedOver } from "./other_domains.js";
import { attempt, cleanAddress, clip, config, debugging, guarded, isWeb, listen, VERSION, warn } from "./page_state.js";
import { viewPage, watchPages } from "./pages.js";
import { askForCookie, enqueue, flush, forgetHits, startRetries } from "./transport.js";

const NAME = "customActivities";
const MOST_HITS_A_MINUTE = 300;
const FIRST_CALLS = /^(consent|optOut)$/; // they decide what may be kept of the first page view

const tag = document.currentScript;
let handedOver = "";
let isWatching = false;
let minute;
let count;

function isFlood() {
  const present = Math.floor(Date.now() / 60_000);
  if (present !== minute) count = 0;
  minute = present;
  if (++count === MOST_HITS_A_MINUTE) warn("too many hits a minute");
  return count > MOST_HITS_A_MINUTE;
}

/**
 * Record a hit if anything may be kept.
 *
 * `page` may name another url, title and referrer, when it was, and whom it is about although nothing may be kept.
 */
function record(type, data, page = {}, isUrgent) {
  const isAskedFor = page.visitor || (data.check && !isOptedOut()); // the team asks whether this one view arrives
  if ((mode() === OFF && !isAskedFor) || isFlood()) return;
  const at = page.at || Date.now();
  const visitor = page.visitor || (type === "page" ? renewToken(handedOver) : visitorToken());
  const hit = {
    id: uuid7(at),
    type,
    at,
    url: clip(cleanAddress(new URL(page.url || location.href, location.href).href)),
    title: clip(page.title ?? document.title, 512),
    referrer: clip(page.referrer ?? document.referrer),
    data: JSON.parse(JSON.stringify(data)), // as it is now; what is no JSON is left out
  };
  enqueue(hit, visitor, consentState(), isUrgent);
}

function track(type, primary, attributes) {
  const hasPrimary = primary === null || typeof primary !== "object";
  if (!type || typeof type !== "string") return warn("track() needs an activity type");
  record("track", {
    type: clip(type, 255),
    primary: hasPrimary && primary != null ? String(primary) : null,
    attributes: (hasPrimary ? attributes : primary) || {},
  });
}

/** Who the visitor is: `identify({email, user_id, …fields}, {signature})`. */
function identify(person, { signature = null } = {}) {
  const { email = null, user_id = null, ...fields } = person || {};
  if (!email && !user_id) return warn("identify() needs an email or a user_id");
  record("identify", { email, user_id: user_id && String(user_id), fields, signature });
}

function readAnswer(value) {
  if (value === true || value === "granted") return "granted";
  return value === false || value === "denied" ? "denied" : "";
}

/** The visitor's answer: true, false, "granted", "denied", or purposes by name of which `analytics` counts here. */
function consent(wish) {
  const purposes = wish && typeof wish === "object" ? wish : {};
  const state = readAnswer(purposes.analytics ?? wish);
  if (!state) return warn('consent() needs "granted" or "denied"');
  const before = mode();
  const visitor = before === FULL && knownToken();
  if (!keepAnswer(state, purposes)) return;
  const data = { state, purposes };
  if (state === "granted") {
    record("consent", data, {}, true);
    if (isWatching && before !== FULL && config.pages) viewPage()();
  } else {
    forget();
    // told once, about the visitor that was; a stranger's refusal is nobody's
    if (visitor) record("consent", data, { visitor }, true);
  }
}

function forget() {
  forgetHits();
  forgetVisitor();
}

function optOut(out = true) {
  if (out) forget();
  setOptOut(out);
}

/** Somebody else uses the browser from now on. */
function reset() {
  flush();
  forgetVisitor();
  handedOver = "";
  visitorToken();
}

const api = {
  version: VERSION,
  page: guarded((page) => viewPage(page)()),
  track: guarded(track),
  identify: guarded(identify),
  form: guarded((form, fields) => recordForm(form, fields, record)),
  consent: guarded(consent),
  optOut: guarded(optOut),
  reset: guarded(reset),
  visitor: guarded(() => visitorToken()),
  ready: guarded((work) => work(api)),
};

function readConfig() {
  Object.assign(config, window[NAME]?.config, JSON.parse(tag?.dataset.config || "{}"));
  const { href, origin } = new URL(config.base, tag?.src || document.baseURI);
  config.address = href;
  config.isOwnHost = origin === location.origin;
}

function openDebugging() {
  if (parameter("_ca_debug") !== "1") return;
  debugging.on = true;
  api.log = [];
  debugging.note = (...values) => {
    api.log.push(values);
    api.onlog?.();
  };
  api.state = () => [mode(), knownToken(), consentState()];
  const script = document.createElement("script");
  script.src = `${config.address}/s/${VERSION}/debug.js`;
  document.head.append(script);
}

/** Make the calls that waited in the page's stub: those that decide what may be kept, or the others. */
function runCalls(calls, areFirst) {
  for (const call of calls) attempt(() => FIRST_CALLS.test(call[0]) === areFirst && api[call[0]](...call[1]));
}

function start() {
  obeyAddress();
  if (mode() !== FULL) forget(); // what was kept before a setting or an answer changed
  const calls = Array.from(window[NAME]?.q || []);
  window[NAME] = api;
  handedOver = takeHandedOver();
  guarded(openDebugging)(); // a page that demands trusted types refuses the overlay, and its console says so
  runCalls(calls, true);
  watchPages(record, flush, { check: parameter("_ca_check")?.slice(0, 64) });
  isWatching = true;
  watchClicks(record);
  watchForms(record);
  runCalls(calls, false);
  startRetries();
  if (config.isOwnHost && mode() === FULL) askForCookie();
}

guarded(() => {
  if (window[NAME]?.version || !isWeb(location)) return; // loaded twice, or no web page
  readConfig();
  if (!config.key) return warn("no write key");
  if (document.prerendering) listen("prerenderingchange", start, document);
  else start();
})();
