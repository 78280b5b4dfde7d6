// Page views: the first, those of single-page applications, and pages that come back from the browser's cache.

import { FULL, mode } from "./consent.js";
import { attempt, config, DAY, guarded, listen, withoutHash } from "./page_state.js";

const SETTLES = 100; // milliseconds in which an application gives its new page a title
const ENGAGED = "_ca_engaged";

let record;
let shown; // the address of the last page view
let waiting; // records a view of an application's page, which may have no title yet
let waitingTimer;
let engaged = 0;
let visibleSince;

const address = () => (config.hash ? location.href : withoutHash(location.href));

function countVisible() {
  const now = performance.now();
  if (visibleSince) engaged += now - visibleSince;
  visibleSince = document.visibilityState === "visible" && now;
}

/** The page's view, with the milliseconds that the one before was visible; its own count begins. */
export function viewPage(page, data, milliseconds) {
  countVisible();
  const before = Math.round(Math.min(milliseconds ?? engaged, DAY));
  engaged = 0;
  shown = address();
  const view = { ...(before > 0 && { engaged: before }), ...data };
  return () => record("page", view, page);
}

/** Those of the page that this tab showed before. */
function keptMilliseconds() {
  return (
    attempt(() => {
      const kept = sessionStorage.getItem(ENGAGED);
      sessionStorage.removeItem(ENGAGED);
      return +kept;
    }) || 0
  );
}

function finishWaiting() {
  clearTimeout(waitingTimer);
  const view = waiting;
  waiting = 0;
  if (view) view();
}

/** The application may have gone to another page. */
const noticeAddress = guarded(() => {
  if (address() === shown) return;
  finishWaiting();
  waiting = viewPage({ url: location.href, referrer: shown, at: Date.now() });
  waitingTimer = setTimeout(guarded(finishWaiting), SETTLES);
});

function patchHistory(name) {
  const original = history[name];
  history[name] = function (...values) {
    const result = original.apply(this, values);
    noticeAddress();
    return result;
  };
}

/** `recorder(type, data, page)` records; `flush(true)` sends all at once, as the page may be gone in a moment. */
export function watchPages(recorder, flush, firstData) {
  record = recorder;
  const leave = ({ type }) => {
    countVisible();
    if (type !== "pagehide" && visibleSince) return;
    finishWaiting();
    flush(true);
    if (mode() === FULL) attempt(() => sessionStorage.setItem(ENGAGED, engaged));
  };
  countVisible();
  listen("visibilitychange", leave, document);
  listen("pagehide", leave);
  if (!config.pages) return;
  viewPage({}, firstData, keptMilliseconds())();
  patchHistory("pushState");
  patchHistory("replaceState");
  listen("popstate", noticeAddress);
  if (config.hash) listen("hashchange", noticeAddress);
  listen("pageshow", ({ persisted }) => persisted && viewPage({}, {}, keptMilliseconds())());
}
