// Fills in the names that follow from another one while it is typed. The server says what they are: the rules live
// in activities/types/name_proposals.py only. A name that somebody wrote stays as it is; emptied, it follows again.
import { hasJson } from "./elements.js";

const PAUSE = 150;
const following = new WeakSet();

function follow(source) {
  const root = source.form || document;
  const followers = Object.entries(JSON.parse(source.dataset.proposes))
    .map(([key, id]) => ({ key, field: root.querySelector(`#${CSS.escape(id)}`), proposed: "" }))
    .filter(({ field }) => field && !field.readOnly && !field.disabled);
  let timer = 0;
  let asking = new AbortController();

  async function propose() {
    asking.abort();
    asking = new AbortController();
    try {
      const address = `${source.dataset.proposalsUrl}?name=${encodeURIComponent(source.value)}`;
      const reply = await fetch(address, { signal: asking.signal, headers: { Accept: "application/json" } });
      if (!hasJson(reply)) return;
      const names = await reply.json();
      for (const follower of followers) {
        if (follower.field.value === "" || follower.field.value === follower.proposed) {
          follower.field.value = follower.proposed = names[follower.key];
        }
      }
    } catch (error) {
      // replaced by a later one, or offline
      if (!(error instanceof DOMException || error instanceof TypeError)) throw error;
    }
  }

  source.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(propose, PAUSE);
  });
}

/** Has the fields named by each `[data-proposes]` of the root follow it. */
export function proposeNames(root) {
  for (const source of root.querySelectorAll("[data-proposes]")) {
    if (following.has(source)) continue;
    following.add(source);
    follow(source);
  }
}
