// The smart-list builder with a browser that runs scripts: structure changes are fetched from the server, which owns
// the form, the count follows while somebody types, and every change can be undone and redone. Without this file the same
// buttons submit the page.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("list-form");
  if (!form || !document.getElementById("builder")) return; // somebody who may only look
  const words = JSON.parse(form.dataset.words);
  const undo = form.querySelector("[data-undo]");
  const redo = form.querySelector("[data-redo]");
  const trouble = document.getElementById("trouble");
  const past = [];
  const future = []; // what was undone, the latest last
  let timer = 0;
  let counting = null;
  let waiting = Promise.resolve();
  let moving = 0; // changes on their way after which the cards have other places

  const builder = () => document.getElementById("builder");
  const state = () => new URLSearchParams(new FormData(form)).toString();
  // Of a state what the cards speak of
  const rulesOf = (text) => {
    const sent = new URLSearchParams(text);
    for (const other of ["name", "description", "tested"]) sent.delete(other);
    return sent.toString();
  };
  let present = state();

  const remember = () => {
    if (past[past.length - 1] !== present) past.push(present);
    if (past.length > 50) past.shift();
    future.length = 0;
    showSteps();
  };
  const showSteps = () => {
    undo.hidden = past.length === 0;
    redo.hidden = future.length === 0;
  };

  const fragment = async (url, body, signal) => {
    const reply = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true" },
      body,
      signal,
    });
    if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
    trouble.hidden = true;
    return reply.text();
  };
  const failed = (error) => {
    if (error.name !== "AbortError") trouble.hidden = false;
  };

  const enhance = () => {
    window.pickValues(builder(), words);
    window.searchToAdd(builder(), words);
  };
  // What people see in the boxes they type into, by id; ids keep their places while nothing is moved or removed
  const typed = () => new Map([...builder().querySelectorAll("textarea[id], input[id]:not([type=hidden], [role=combobox])")].map((box) => [box.id, box.value]));

  const swap = (html, before, keepsPlaces) => {
    const focused = document.activeElement && document.activeElement.id;
    const later = [...typed()].filter(([id, value]) => before.get(id) !== value);
    builder().outerHTML = html;
    for (const [id, value] of keepsPlaces ? later : []) {
      const box = document.getElementById(id);
      if (box) box.value = value;
    }
    enhance();
    return focused;
  };

  const focusNew = { // what was added is what somebody wants to fill in next
    add: () => {
      const card = [...builder().querySelectorAll(".ca-rule")].pop();
      return card && (card.querySelector(".ca-tokens__entry") || card.querySelector(".ca-rule__body select"));
    },
    add_constraint: (place) => [...builder().querySelectorAll(`[id^="filters.${place.replace(".", ".steps.")}.constraints."][id$=".operator"]`)].pop(),
    duplicate: (place) => document.getElementById(`filters.${Number(place) + 1}.menu`),
    invert: (place) => document.getElementById(`filters.${place}.menu`),
  };
  const MOVING = new Set(["up", "down", "first", "last", "duplicate", "remove", "remove_constraint", "remove_step",
    "step_up", "step_down", "step_remove", "way_remove"]);

  // One after the other: each is about what the one before it left
  const restructure = (action) => {
    const [verb, place = ""] = action.split(":");
    const moves = MOVING.has(verb) ? 1 : 0;
    moving += moves;
    waiting = waiting.then(async () => {
      const before = typed();
      const sent = new URLSearchParams(state());
      sent.set("do", action);
      const focused = swap(await fragment(form.action, sent), before, !moves);
      const wanted = focusNew[verb]?.(place) || document.getElementById(focused || "id_new.search");
      if (wanted) wanted.focus({ preventScroll: false });
      present = state();
      count();
    }).catch(failed).finally(() => { moving -= moves; });
  };

  // To the last state of `from`, from which a step the other way leads back
  const travel = (from, to) => {
    waiting = waiting.then(async () => {
      const target = from.pop();
      if (target === undefined) return;
      const left = state();
      let html;
      try {
        const sent = new URLSearchParams(target);
        sent.set("do", "refresh");
        html = await fragment(form.action, sent);
      } catch (error) {
        from.push(target);
        throw error;
      }
      to.push(left);
      const focused = swap(html, new Map(), false);
      for (const box of form.querySelectorAll("#id_name, #id_description")) box.value = new URLSearchParams(target).get(box.name);
      showSteps();
      const kept = document.getElementById(focused || "id_new.search");
      const wanted = kept && kept.hidden ? (kept === undo ? redo : undo) : kept; // a button without further steps is gone
      if (wanted) wanted.focus();
      present = state();
      count();
    }).catch(failed);
  };

  const showPanel = (html) => {
    const tested = document.getElementById("id_tested");
    const isTyping = tested === document.activeElement;
    const text = tested ? tested.value : "";
    document.getElementById("panel").innerHTML = html;
    const box = document.getElementById("id_tested");
    if (box && isTyping) {
      box.value = text;
      box.focus();
    }
    const said = document.querySelector("#panel [data-said]");
    const told = said ? said.textContent.trim().replace(/\s+/g, " ") : "";
    const status = document.getElementById("said");
    if (status.textContent !== told) status.textContent = told;
    const live = form.querySelector("[data-live]"); // beside "Save" where the panel is far below; campaigns count nobody
    if (live) live.textContent = told;
  };
  // What the cards say follows from what the boxes hold. The reply carries the sentence of every card; one about a state
  // that is past says nothing of this one: the next reply is on its way, and until then what stands there is dimmed.
  const isStale = (whether) => builder().classList.toggle("ca-stale", whether);
  const showSentences = () => {
    const reply = document.getElementById("card-sentences"); // campaigns have none
    for (const [index, sentence] of (reply ? JSON.parse(reply.textContent) : []).entries()) {
      for (const place of builder().querySelectorAll(`#card-${index + 1} [data-sentence]`)) {
        place.textContent = sentence;
        place.hidden = sentence === "";
      }
    }
    isStale(false);
  };
  const ask = (body) => {
    if (counting) counting.abort();
    counting = new AbortController();
    const about = state();
    const show = (html) => {
      showPanel(html);
      if (moving === 0 && rulesOf(state()) === rulesOf(about)) showSentences();
    };
    // a fault of showing is none of the server's: it is left to be seen
    fragment(form.dataset.panel, body, counting.signal).then(show, failed);
  };
  const count = () => {
    clearTimeout(timer);
    timer = setTimeout(() => ask(state()), 250);
  };

  form.addEventListener("change", (event) => {
    const changed = event.target;
    if (changed.id === "id_tested") return;
    remember();
    if (changed.dataset.adds) {
      if (changed.value) restructure(changed.dataset.adds);
    } else if ("refresh" in changed.dataset) {
      restructure("refresh");
    } else {
      isStale(true);
      present = state();
      count();
    }
  });
  form.addEventListener("input", (event) => {
    if (!event.target.matches("textarea, input") || !event.target.name.startsWith("filters.")) return;
    isStale(true);
    count();
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button === undo) {
      travel(past, future);
    } else if (button === redo) {
      travel(future, past);
    } else if ("panelButton" in button.dataset) {
      event.preventDefault();
      const body = new URLSearchParams(state());
      body.set("do", "test");
      ask(body);
    } else if (button.name === "do" && button.closest("#builder")) {
      event.preventDefault();
      if (moving) return; // a second click on a card that is about to go would hit the next one
      remember();
      restructure(button.value);
    }
  });
  form.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest(".ca-menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    if (event.key !== "Enter") return;
    // Enter would press the first button of the form, which is some card's
    if (event.target.matches("#builder input, #builder select")) event.preventDefault();
    if (event.target.id === "id_tested") {
      event.preventDefault();
      form.querySelector("[data-panel-button]").click();
    }
  });
  // A box keeps its own undo for as long as it holds what was typed since it came from the server
  const isTypedInto = (box) => box.matches("textarea, input:not([type=checkbox], [type=radio])") && box.value !== box.defaultValue;
  const press = (button) => {
    if (button.hidden) return;
    button.focus();
    button.click();
  };
  const keys = {
    z: (event) => press(event.shiftKey ? redo : undo),
    y: () => press(redo),
    s: () => form.querySelector("button[name=do][value=save]").click(),
  };
  document.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || !Object.hasOwn(keys, key)) return;
    if (key !== "s" && isTypedInto(event.target)) return;
    event.preventDefault();
    keys[key](event);
  });
  form.querySelector("[data-keys]").hidden = false;
  document.addEventListener("click", (event) => {
    for (const menu of form.querySelectorAll(".ca-menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  enhance();
  count();
});
