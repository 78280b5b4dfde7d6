// The forms of one kiosk on this device: a list in the browser's storage. Each has `id`, `at` (ms) and `values`; `tries`
// counts what the server failed at with it, `refused` is why the server will never take it.

export const MOST = 2_000; // forms on one device
export const LARGEST = 48 * 1024; // bytes of one form as JSON

/** A random id; `crypto.randomUUID` is missing where a page came without TLS. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The bytes of a value as JSON in UTF-8. */
export function sizeOf(value) {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}

function stored(key) {
  try {
    const value = JSON.parse(localStorage.getItem(key) || "[]");
    return Array.isArray(value) ? value.filter((item) => item && typeof item === "object") : [];
  } catch {
    return [];
  }
}

/** `options` of the Web Locks API; without locks the server takes a form that is sent twice once. */
function locked(name, work, options = {}) {
  return navigator.locks ? navigator.locks.request(name, options, (lock) => lock && work()) : work();
}

/**
 * The list of a kiosk. `add` and `change` read and write it in one tab at a time; they resolve to false where the device
 * has no room. `alone` runs longer work, as requests, in one tab at a time; `add` does not wait for that.
 */
export function deviceForms(name) {
  const key = `ca-kiosk:${name}`;
  const formerKey = `${key}:refused`; // a list of its own in earlier versions

  function write(items) {
    try {
      localStorage.setItem(key, JSON.stringify(items));
      return true;
    } catch {
      return false; // full, or blocked
    }
  }

  const former = stored(formerKey);
  if (former.length && write([...stored(key), ...former.map((item) => ({ ...item, refused: item.refused || "?" }))])) {
    localStorage.removeItem(formerKey);
  }

  const alone = (work, options) => locked(key, work, options);

  /** Replace the list by what `make` makes of it, unless that is null. */
  async function rewrite(make) {
    return locked(`${key}:list`, () => {
      const items = make(stored(key));
      return items !== null && write(items);
    });
  }

  const add = (item) => rewrite((items) => (items.length < MOST ? [...items, item] : null));

  /** Replace the items with these ids by what `become` makes of each; null removes one. */
  function change(ids, become) {
    return rewrite((items) => items.map((item) => (ids.has(item.id) ? become(item) : item)).filter(Boolean));
  }

  return { read: () => stored(key), add, alone, change };
}
