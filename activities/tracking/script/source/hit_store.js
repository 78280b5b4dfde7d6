// Hits that are not yet acknowledged, one item a hit, so that tabs need no lock to add and remove: in localStorage where
// a visitor may be known, else in this page's memory.
//
// An entry is {h: hit, v: visitor's token or null, c: consent, u: not to be sent by others before (epoch ms)}.

import { FULL, mode } from "./consent.js";
import { attempt, config, DAY } from "./page_state.js";

const MOST_HITS = 100;
const MOST_CHARACTERS = 256 * 1024;

const memory = {};

export const prefix = () => `_ca.${config.key}.`;

/** Have `work` use localStorage; nothing happens where it is blocked or full. */
const stored = (work) => attempt(() => work(localStorage));

export const getItem = (name) => memory[name] ?? stored((storage) => storage.getItem(name));

export function setItem(name, text) {
  memory[name] = text;
  if (mode() !== FULL) return;
  stored((storage) => {
    storage.setItem(name, text);
    delete memory[name];
  });
}

export function removeItem(name) {
  delete memory[name];
  stored((storage) => storage.removeItem(name));
}

const nameOf = (entry) => prefix() + entry.h.id;

export const removeEntry = (entry) => removeItem(nameOf(entry));

/** All hits that wait, of other tabs and earlier pages too, oldest first; what is older than a day is dropped. */
export function entries() {
  const names = [...Object.keys(memory), ...(stored(Object.keys) || [])].filter((name) => name.startsWith(prefix()));
  return names.sort().flatMap((name) => {
    const entry = attempt(() => JSON.parse(getItem(name)));
    if (entry?.h?.at > Date.now() - DAY && nameOf(entry) === name) return entry;
    removeItem(name); // or another script's text
    return [];
  });
}

/** Keep an entry, also with a new time before which others leave it alone; the oldest make room. */
export function putEntry(entry, until) {
  entry.u = until;
  setItem(nameOf(entry), JSON.stringify(entry));
  let room = MOST_CHARACTERS;
  entries()
    .reverse()
    .forEach((kept, index) => {
      room -= JSON.stringify(kept).length;
      if (index >= MOST_HITS || room < 0) removeEntry(kept);
    });
}

export const forgetEntries = () => entries().forEach(removeEntry);
