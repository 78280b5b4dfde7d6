// Values one by one: a text area with a value a line becomes tokens and a box that proposes values while somebody
// types and takes a pasted column. The text area stays what the form sends; without this file it is what people see.
import { element, hasJson } from "./elements.js";

const PAUSE = 150;
const MANY = 40; // more values than these are shown as lines
const lined = (text) =>
  text
    .split(/[\r\n\t]+/)
    .map((value) => value.trim())
    .filter(Boolean);

/** Makes tokens of each `textarea[data-values]` of the root; `words` are the texts they need. */
export function pickValues(root, words) {
  const enhance = (area) => {
    const label = root.querySelector(`label[for="${CSS.escape(area.id)}"]`);
    const box = element("span", { class: "ca-tokens ca-input" });
    const entry = element("input", {
      id: `${area.id}.entry`,
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      class: "ca-tokens__entry",
      "aria-expanded": "false",
      "aria-autocomplete": "list",
      "aria-controls": `${area.id}.list`,
      "aria-label": words.values,
    });
    const list = element("ul", {
      id: `${area.id}.list`,
      role: "listbox",
      class: "ca-options",
      "aria-label": words.values,
    });
    const mode = element("button", { type: "button", class: "ca-plain ca-small", id: `${area.id}.mode` });
    let values = [...new Set(lined(area.value))];
    let timer = 0;
    let asking = null;
    let active = -1;

    const tell = (kind) => {
      area.value = [...values, ...lined(entry.value)].join("\n");
      area.dispatchEvent(new Event(kind, { bubbles: true }));
    };
    const close = () => {
      clearTimeout(timer);
      if (asking) asking.abort();
      list.hidden = true;
      active = -1;
      entry.setAttribute("aria-expanded", "false");
      entry.removeAttribute("aria-activedescendant");
    };
    const draw = () => {
      for (const token of box.querySelectorAll(".ca-token")) token.remove();
      for (const value of values) {
        const token = element("span", { class: "ca-token", title: value });
        token.append(element("span", { class: "ca-token__text", dir: "auto" }, value));
        const remove = element(
          "button",
          { type: "button", "aria-label": words.remove.replace("VALUE", () => value.slice(0, 80)) },
          "×",
        );
        remove.addEventListener("click", () => {
          values = values.filter((other) => other !== value);
          draw();
          tell("change");
          entry.focus();
        });
        token.append(remove);
        box.insertBefore(token, entry);
      }
      mode.hidden = area.hidden && values.length < 2;
      entry.placeholder = values.length ? "" : words.hint;
    };
    const take = (text) => {
      const added = [...new Set(lined(text))].filter((value) => !values.includes(value));
      values = [...values, ...added];
      entry.value = "";
      close();
      if (values.length > MANY) showLines(true);
      else draw();
      tell("change");
    };
    const activate = (position) => {
      const options = [...list.children];
      if (!options.length) return;
      active = (position + options.length) % options.length;
      for (const [number, option] of options.entries()) option.setAttribute("aria-selected", String(number === active));
      entry.setAttribute("aria-activedescendant", options[active].id);
      options[active].scrollIntoView({ block: "nearest" });
    };
    const show = (found) => {
      const offered = found.filter((value) => !values.includes(value));
      list.replaceChildren(
        ...offered.map((value, number) => {
          const option = element(
            "li",
            { id: `${area.id}.option${number}`, role: "option", "aria-selected": "false", dir: "auto" },
            value,
          );
          option.addEventListener("pointerdown", (event) => {
            event.preventDefault(); // the box keeps the focus
            take(value);
          });
          return option;
        }),
      );
      active = -1;
      list.hidden = offered.length === 0 || document.activeElement !== entry;
      entry.setAttribute("aria-expanded", String(!list.hidden));
    };
    const ask = (pause) => {
      clearTimeout(timer);
      if (!area.dataset.suggest) return;
      timer = setTimeout(async () => {
        if (asking) asking.abort();
        asking = new AbortController();
        try {
          const address = `${area.dataset.suggest}&q=${encodeURIComponent(entry.value)}`;
          const reply = await fetch(address, { signal: asking.signal, headers: { Accept: "application/json" } });
          if (hasJson(reply)) show((await reply.json()).values);
        } catch (error) {
          if (!(error instanceof DOMException || error instanceof TypeError)) throw error; // a later one took its place, or offline
        }
      }, pause);
    };
    const showLines = (shows) => {
      area.hidden = !shows;
      box.hidden = shows;
      mode.textContent = shows ? words.tokens : words.lines;
      mode.hidden = false;
      if (shows) {
        area.rows = Math.max(3, Math.min(12, values.length));
      } else {
        values = [...new Set(lined(area.value))];
        draw();
      }
      if (label) label.htmlFor = shows ? area.id : entry.id;
    };

    entry.addEventListener("input", () => {
      ask(PAUSE);
      tell("input");
    });
    entry.addEventListener("change", (event) => event.stopPropagation());
    // of the box as well: a list that closes may have moved the entry away from under the pointer meanwhile
    box.addEventListener("click", (event) => {
      if (event.target === box) entry.focus();
      if (event.target === box || event.target === entry) ask(0);
    });
    entry.addEventListener("blur", () => (entry.value.trim() ? take(entry.value) : close()));
    entry.addEventListener("paste", (event) => {
      const pasted = event.clipboardData.getData("text");
      if (lined(pasted).length < 2) return;
      event.preventDefault();
      take(`${entry.value}\n${pasted}`);
    });
    entry.addEventListener("keydown", (event) => {
      const chosen = active >= 0 && !list.hidden ? list.children[active].textContent : "";
      const does = {
        ArrowDown: () => (list.hidden ? ask(0) : activate(active + 1)),
        ArrowUp: () => !list.hidden && activate(active < 0 ? -1 : active - 1),
        Enter: () => (chosen || entry.value.trim()) && take(chosen || entry.value),
        Escape: close,
      }[event.key];
      if (does) {
        event.preventDefault();
        does();
      } else if (event.key === "Backspace" && entry.value === "" && values.length) {
        values = values.slice(0, -1);
        draw();
        tell("change");
      }
    });
    mode.addEventListener("click", () => showLines(area.hidden));
    area.addEventListener("change", () => {
      if (!area.hidden) values = [...new Set(lined(area.value))];
    });

    box.append(entry);
    area.after(box, list, mode);
    draw();
    close();
    showLines(values.length > MANY);
  };

  root.querySelectorAll("textarea[data-values]").forEach(enhance);
}
