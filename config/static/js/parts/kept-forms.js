// Forms kept on the device until the server has them: an id each, so that none is recorded twice.

const AT_ONCE = 20;
const SOON = 5_000; // ms until the next try, doubled up to LATE
const LATE = 60_000;
const MOST = 2_000; // forms on one device

/** A random id; `crypto.randomUUID` is missing where a page came without TLS. */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function read(key) {
  try {
    const value = JSON.parse(localStorage.getItem(key) || "[]");
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function write(key, items) {
  try {
    localStorage.setItem(key, JSON.stringify(items));
    return true;
  } catch {
    return false; // full, or blocked
  }
}

/** Run `work` in one tab at a time, where the browser has locks; the server takes a form twice sent once. */
function alone(key, work) {
  return navigator.locks ? navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && work()) : work();
}

/**
 * The forms of one kiosk. `report({waiting, refused})` is called when their numbers change.
 * `keep(values)` is false where the device has no room; `send()` sends what waits, and tries again by itself.
 */
export function keptForms(name, address, report) {
  const key = `ca-kiosk:${name}`;
  const refusedKey = `${key}:refused`;
  let timer = 0;
  let pause = SOON;
  let isSending = false;

  const show = () => report({ waiting: read(key).length, refused: read(refusedKey).length });

  function later(ms) {
    clearTimeout(timer);
    timer = setTimeout(send, ms);
  }

  function settle(sent, results) {
    const answers = new Map(results.map((result) => [result.id, result.status]));
    const isAnswered = (item) => answers.has(item.id);
    const refused = sent.filter((item) => answers.get(item.id) === "refused");
    if (refused.length && !write(refusedKey, [...read(refusedKey), ...refused])) return;
    write(
      key,
      read(key).filter((item) => !isAnswered(item)),
    );
  }

  async function sendWaiting() {
    const items = read(key).slice(0, AT_ONCE);
    if (!items.length) return;
    const response = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ sent: Date.now(), items }),
      credentials: "omit",
    });
    if (!response.ok) {
      const wait = Number(response.headers.get("Retry-After"));
      throw Object.assign(new Error(`status ${response.status}`), { wait: wait * 1000 });
    }
    settle(items, (await response.json()).results);
  }

  async function send() {
    if (isSending) return;
    isSending = true;
    clearTimeout(timer);
    try {
      await alone(key, sendWaiting);
      pause = SOON;
      if (read(key).length) later(250);
    } catch (error) {
      later(Math.max(pause, error.wait || 0));
      pause = Math.min(pause * 2, LATE);
    } finally {
      isSending = false;
      show();
    }
  }

  function keep(values) {
    const items = read(key);
    const isKept = items.length < MOST && write(key, [...items, { id: newId(), at: Date.now(), values }]);
    show();
    return isKept;
  }

  show();
  return { keep, send };
}
