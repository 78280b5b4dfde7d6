import { searchToAdd } from "./search-tree.js";
import { pickValues } from "./value-tokens.js";

/** What is fetched for a form replaces a part of it; raises when the server does not answer as it should. */
export async function fetchFragment(url, body, signal) {
  const reply = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true" },
    body,
    signal,
  });
  if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
  return reply.text();
}

/** The cards of the form, which the server draws anew after each change of their structure. */
export class BuilderForm {
  constructor(form) {
    this.form = form;
    this.words = JSON.parse(form.dataset.words);
  }

  get cards() {
    return document.getElementById("builder");
  }

  get state() {
    return new URLSearchParams(new FormData(this.form)).toString();
  }

  /** Of the state what the cards speak of. */
  get rules() {
    const sent = new URLSearchParams(this.state);
    for (const other of ["name", "description", "tested"]) sent.delete(other);
    return sent.toString();
  }

  /** What people see in the boxes they fill in, by id; ids keep their places while nothing is moved or removed. */
  get typed() {
    const filled = "textarea[id], input[id]:not([type=hidden], [role=combobox]), select[id]:not([data-adds])";
    const boxes = this.cards.querySelectorAll(filled);
    return new Map([...boxes].map((box) => [box.id, box.value]));
  }

  enhance() {
    pickValues(this.cards, this.words);
    searchToAdd(this.cards, this.words);
  }

  /**
   * Shows other cards and returns the id of what had the focus. What was typed since `before` was read stays in its
   * boxes where they keep their places.
   */
  show(html, before, keepsPlaces) {
    const focused = document.activeElement?.id;
    const later = [...this.typed].filter(([id, value]) => before.get(id) !== value);
    this.cards.outerHTML = html;
    for (const [id, value] of keepsPlaces ? later : []) {
      const box = document.getElementById(id);
      if (box && (!box.options || [...box.options].some((option) => option.value === value))) box.value = value;
    }
    this.enhance();
    return focused;
  }
}
