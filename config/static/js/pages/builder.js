// The builder of smart lists and campaigns with a browser that runs scripts: structure changes are fetched from the
// server, which owns the form, the count follows while somebody types, and every change can be undone and redone.
// Without scripts the same buttons submit the page.
import { BuilderForm, fetchFragment } from "../parts/builder-form.js";
import { BuilderPanel } from "../parts/builder-panel.js";
import { History } from "../parts/history.js";
import { nextFocus } from "../parts/next-focus.js";

const MOVING = new Set(
  "up down first last duplicate remove remove_constraint remove_step step_up step_down step_remove way_remove".split(
    " ",
  ),
);

const SEARCHING = 400; // milliseconds without a key, after which an option is taken as chosen

function start(form) {
  const undo = form.querySelector("[data-undo]");
  const redo = form.querySelector("[data-redo]");
  const trouble = document.getElementById("trouble");
  const history = new History();
  let waiting = Promise.resolve(); // one change after the other: each is about what the one before it left
  let keyed = null; // the box that was changed by keys last
  let pause = 0;
  let moving = 0; // changes on their way after which the cards have other places

  const failed = (error) => {
    if (error.name !== "AbortError") trouble.hidden = false;
  };
  const cardForm = new BuilderForm(form);
  const panel = new BuilderPanel(cardForm, () => moving > 0, failed);
  let present = cardForm.state;

  const showSteps = () => {
    undo.hidden = history.past.length === 0;
    redo.hidden = history.future.length === 0;
  };
  const remember = () => {
    history.remember(present);
    showSteps();
  };
  const fetchCards = async (state, action) => {
    const sent = new URLSearchParams(state);
    sent.set("do", action);
    const html = await fetchFragment(form.action, sent);
    trouble.hidden = true;
    return html;
  };
  const settle = (wanted) => {
    wanted?.focus();
    present = cardForm.state;
    panel.count();
  };

  const restructure = (action) => {
    const [verb, place = ""] = action.split(":");
    const moves = MOVING.has(verb) ? 1 : 0;
    moving += moves;
    const change = async () => {
      const before = cardForm.typed;
      const focused = cardForm.show(await fetchCards(cardForm.state, action), before, !moves);
      settle(nextFocus(cardForm.cards, verb, place) || document.getElementById(focused || "id_new.search"));
    };
    waiting = waiting
      .then(change)
      .catch(failed)
      .finally(() => {
        moving -= moves;
      });
  };

  // To the last state of `from`, from which a step the other way leads back
  const travel = (from, to) => {
    const change = async () => {
      const target = from.pop();
      if (target === undefined) return;
      const left = cardForm.state;
      let html;
      try {
        html = await fetchCards(target, "refresh");
      } catch (error) {
        from.push(target);
        throw error;
      }
      to.push(left);
      const focused = cardForm.show(html, new Map(), false);
      const values = new URLSearchParams(target);
      for (const box of form.querySelectorAll("#id_name, #id_description")) box.value = values.get(box.name);
      showSteps();
      const kept = document.getElementById(focused || "id_new.search");
      settle(kept?.hidden ? (kept === undo ? redo : undo) : kept); // a button without further steps is gone
    };
    waiting = waiting.then(change).catch(failed);
  };

  form.addEventListener("change", (event) => {
    const changed = event.target;
    if (changed.id === "id_tested") return;
    remember();
    if (changed.dataset.adds) {
      if (changed.value) restructure(changed.dataset.adds);
    } else if ("refresh" in changed.dataset) {
      // arrows and letters choose one option after the other: new cards would break off the search
      clearTimeout(pause);
      pause = setTimeout(() => restructure("refresh"), changed === keyed ? SEARCHING : 0);
    } else {
      panel.markStale();
      present = cardForm.state;
      panel.count();
    }
  });
  form.addEventListener("keydown", (event) => {
    keyed = event.target;
  });
  form.addEventListener("pointerdown", () => {
    keyed = null;
  });
  form.addEventListener("input", (event) => {
    if (!event.target.matches("textarea, input") || !event.target.name.startsWith("filters.")) return;
    panel.markStale();
    panel.count();
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button === undo) {
      travel(history.past, history.future);
    } else if (button === redo) {
      travel(history.future, history.past);
    } else if ("panelButton" in button.dataset) {
      event.preventDefault();
      const body = new URLSearchParams(cardForm.state);
      body.set("do", "test");
      panel.ask(body);
    } else if (button.name === "do" && button.closest("#builder")) {
      event.preventDefault();
      if (moving) return; // a second click on a card that is about to go would hit the next one
      remember();
      restructure(button.value);
    }
  });
  listenToKeys(form, undo, redo);
  form.querySelector("[data-keys]").hidden = false;
  cardForm.enhance();
  panel.count();
}

function listenToKeys(form, undo, redo) {
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    // Enter would press the first button of the form, which is some card's
    if (event.target.matches("#builder input, #builder select")) event.preventDefault();
    if (event.target.id === "id_tested") {
      event.preventDefault();
      form.querySelector("[data-panel-button]").click();
    }
  });
  // A box keeps its own undo for as long as it holds what was typed since it came from the server
  const isTypedInto = (box) =>
    box.matches("textarea, input:not([type=checkbox], [type=radio])") && box.value !== box.defaultValue;
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
}

const form = document.getElementById("list-form");
if (form && document.getElementById("builder")) start(form); // else somebody who may only look
