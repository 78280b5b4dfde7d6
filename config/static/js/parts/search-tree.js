// What can be added, found by typing: a select becomes a search box over a tree of its groups. Choosing sets the
// select and tells it, so that the page acts as if somebody had chosen there. Without this file the select is used.
import { element } from "./elements.js";

const FEW = 12; // so many choices are shown without opening a group
// heights of the tree, in pixels
const TALLEST = 352;
const ENOUGH = 224; // with so much room under the box it is never above it
const LEAST = 128;
const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().trim();

/** Puts a search box over each `select[data-adds]` of the root; `words` are the texts it needs. */
export function searchToAdd(root, words) {
  const enhance = (select) => {
    const id = select.id;
    const label = root.querySelector(`label[for="${CSS.escape(id)}"]`);
    const empty = select.options[0].textContent;
    const choices = [...select.options].slice(1).map((option, number) => ({
      id: `${id}.${number}`,
      value: option.value,
      text: option.textContent,
      group: option.parentElement.label || "",
      key: plain(option.textContent),
    }));
    const groups = [...new Set(choices.map((choice) => choice.group))];
    const open = new Set(choices.length > FEW ? groups.slice(0, 2) : groups);
    const entry = element("input", {
      id: `${id}.search`,
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      class: "ca-input ca-adder__entry",
      "aria-expanded": "false",
      "aria-haspopup": "tree",
      "aria-controls": `${id}.tree`,
      "aria-autocomplete": "list",
      placeholder: select.dataset.hint || empty,
    });
    const tree = element("ul", {
      id: `${id}.tree`,
      role: "tree",
      class: "ca-tree",
      "aria-label": label ? label.textContent : empty,
    });
    let active = null;

    const activate = (item) => {
      if (active) active.removeAttribute("aria-selected");
      active = item;
      if (!item) return entry.removeAttribute("aria-activedescendant");
      item.setAttribute("aria-selected", "true");
      entry.setAttribute("aria-activedescendant", item.id);
      if (!tree.hidden) item.scrollIntoView({ block: "nearest" });
    };
    const branch = (group, number, found, isOpen) => {
      const item = element("li", {
        role: "treeitem",
        id: `${id}.group${number}`,
        "aria-expanded": String(isOpen),
        "data-group": group,
      });
      item.append(element("span", { class: "ca-tree__group" }, group));
      item.firstChild.append(element("span", { class: "ca-muted" }, ` ${found.length}`));
      const leaves = element("ul", { role: "group", class: "ca-tree__leaves" });
      leaves.append(...found.map(leaf));
      leaves.hidden = !isOpen;
      item.append(leaves);
      return item;
    };
    const leaf = (choice) =>
      element("li", { role: "treeitem", id: choice.id, "data-value": choice.value, dir: "auto" }, choice.text);
    const draw = () => {
      const wanted = plain(entry.value).split(/\s+/).filter(Boolean);
      const found = choices.filter((choice) => wanted.every((word) => choice.key.includes(word)));
      const shown = groups.flatMap((group, number) => {
        const inside = found.filter((choice) => choice.group === group);
        if (!inside.length) return [];
        return group ? [branch(group, number, inside, wanted.length > 0 || open.has(group))] : inside.map(leaf);
      });
      tree.replaceChildren(...shown);
      if (!shown.length)
        tree.append(
          element(
            "li",
            { role: "treeitem", id: `${id}.nothing`, "aria-disabled": "true", class: "ca-muted" },
            words.nothing,
          ),
        );
      activate(wanted.length ? tree.querySelector("[data-value]") : null);
    };
    // Over the page under the box, or above it where there is more room: no taller than the room in the window.
    const place = () => {
      const { top, bottom } = entry.getBoundingClientRect();
      const below = window.innerHeight - bottom;
      const isAbove = below < ENOUGH && top > below;
      tree.classList.toggle("ca-tree--above", isAbove);
      tree.style.maxHeight = `${Math.max(LEAST, Math.min(TALLEST, (isAbove ? top : below) - 8))}px`;
    };
    const show = () => {
      if (!tree.hidden) return;
      draw();
      place();
      tree.hidden = false;
      entry.setAttribute("aria-expanded", "true");
    };
    const close = () => {
      tree.hidden = true;
      activate(null);
      entry.setAttribute("aria-expanded", "false");
    };
    const toggle = (item, isOpen) => {
      open[isOpen ? "add" : "delete"](item.dataset.group);
      item.setAttribute("aria-expanded", String(isOpen));
      item.querySelector("[role=group]").hidden = !isOpen;
      if (!isOpen && item.contains(active)) activate(null);
    };
    const choose = (item) => {
      if (!item || item.ariaDisabled === "true") return;
      if (item.dataset.group !== undefined) return toggle(item, item.getAttribute("aria-expanded") === "false");
      close();
      entry.value = "";
      select.value = item.dataset.value;
      select.dispatchEvent(new Event("change", { bubbles: true }));
    };
    // The arrows go through the choices alone, and open the group of the one that they come to.
    const step = (by) => {
      const leaves = [...tree.querySelectorAll("[data-value]")];
      if (!leaves.length) return;
      const now = leaves.indexOf(active);
      const next = leaves[now < 0 ? (by > 0 ? 0 : leaves.length - 1) : (now + by + leaves.length) % leaves.length];
      const group = next.closest("[data-group]");
      if (group?.getAttribute("aria-expanded") === "false") toggle(group, true);
      activate(next);
    };

    entry.addEventListener("input", () => {
      show();
      draw();
    });
    entry.addEventListener("change", (event) => event.stopPropagation());
    entry.addEventListener("click", show);
    entry.addEventListener("blur", close);
    entry.addEventListener("keydown", (event) => {
      const isShut = tree.hidden;
      const does = {
        ArrowDown: () => (isShut ? show() : step(1)),
        ArrowUp: () => !isShut && step(-1),
        Enter: () => (isShut ? show() : choose(active)),
        Escape: close,
      }[event.key];
      if (!does) return;
      event.preventDefault();
      does();
    });
    tree.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
    tree.addEventListener("click", (event) => choose(event.target.closest("[role=treeitem]")));

    if (label) label.htmlFor = entry.id;
    select.hidden = true;
    select.after(entry, tree);
    close();
  };

  root.querySelectorAll("select[data-adds]").forEach(enhance);
}
