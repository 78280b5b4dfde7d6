// The kiosk of a form: every form is kept on the device first, with an id of its own, and sent when there is a network.

import { keptForms } from "../parts/kept-forms.js";

const THANKS_FOR = 4_000; // ms
const FORGOTTEN_AFTER = 90_000; // ms without a touch: what somebody began to type is cleared for the next visitor

const form = document.querySelector("[data-kiosk]");
const part = (name) => document.querySelector(`[data-${name}]`);
const first = form.querySelector("input:not([type='checkbox']), select, textarea");
let thanksTimer = 0;
let idleTimer = 0;
let isTouched = false;
let isKeeping = false;
let isOutOfDate = false;
const kept = keptForms(form.dataset.kiosk, form.action, showWaiting);

function showWaiting({ waiting, refused, isClosed, revision }) {
  isOutOfDate = Boolean(revision) && revision !== form.dataset.revision;
  part("closed").hidden = !isClosed;
  part("waiting").hidden = !waiting;
  part("one").hidden = waiting !== 1;
  part("many").hidden = waiting === 1;
  part("number").textContent = String(waiting);
  part("refused").hidden = !refused;
}

/** Show the form as it is now, between two visitors: its fields or the text of the consent have changed. */
function reloadIfOutOfDate() {
  if (isOutOfDate && !isTouched && navigator.onLine) location.reload();
}

function begin() {
  form.reset();
  isTouched = false;
  for (const note of document.querySelectorAll(".field .error")) note.remove();
  window.scrollTo({ top: 0 });
  first?.focus({ preventScroll: true });
}

function valuesOf() {
  const values = {};
  for (const [name, value] of new FormData(form)) if (typeof value === "string" && value !== "") values[name] = value;
  return values;
}

function thank() {
  part("thanks").hidden = false;
  clearTimeout(thanksTimer);
  thanksTimer = setTimeout(() => {
    part("thanks").hidden = true;
    reloadIfOutOfDate();
  }, THANKS_FOR);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (isKeeping) return; // a second tap
  isKeeping = true;
  const became = await kept.keep(valuesOf()).finally(() => {
    isKeeping = false;
  });
  part("full").hidden = became !== "full";
  part("large").hidden = became !== "large";
  if (became !== "kept") return; // nothing is cleared that is kept nowhere
  thank();
  begin();
  kept.send();
});

form.addEventListener("reset", () => setTimeout(() => first?.focus({ preventScroll: true })));

for (const kind of ["input", "pointerdown", "keydown"]) {
  document.addEventListener(kind, () => {
    isTouched = isTouched || kind === "input";
    clearTimeout(idleTimer);
    idleTimer = setTimeout(() => {
      begin();
      reloadIfOutOfDate();
    }, FORGOTTEN_AFTER);
  });
}

// Keep the screen on, where the browser can; it lets go when the page is hidden.
async function stayAwake() {
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // not on battery saving, and not in every browser: the device's own settings hold then
  }
}
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && stayAwake());
stayAwake();
window.addEventListener("online", kept.send);
window.addEventListener("storage", kept.send); // the team has forms sent again, on another page of this device
kept.send();
