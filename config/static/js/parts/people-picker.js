// A box that asks for a person proposes people while somebody types a name; what is sent stays an email or an id.
// `data-people` has the address of the proposals; with `data-people-id` the id is taken, and with
// `data-people-into` the choice becomes a line of that text area, with `data-people-chosen` a ticked box of that list,
// `chosen` in the form. Without this file the box takes what is typed.
import { element, hasJson } from "./elements.js";

const PAUSE = 200;

export function proposePeople(root) {
  for (const box of root.querySelectorAll?.("input[data-people]:not([role])") ?? []) enhance(box);
}

function tick(list, person) {
  const form = list.closest("form");
  const known = form.querySelector(`input[name="chosen"][value="${person.id}"]`);
  if (known) {
    known.checked = true;
    return;
  }
  const label = element("label", { class: "ca-row" });
  label.append(
    element("input", { type: "checkbox", name: "chosen", value: person.id, checked: "" }),
    element("span", {}, person.label),
    element("span", { class: "ca-muted ca-small" }, person.more),
  );
  const item = element("li", {});
  item.append(label);
  list.append(item);
}

function enhance(box) {
  const list = element("ul", { id: `${box.id}.people`, role: "listbox", class: "ca-options", hidden: "" });
  const place = element("span", { class: "ca-people-box" });
  box.before(place);
  place.append(box, list);
  const attributes = { role: "combobox", autocomplete: "off", "aria-expanded": "false", "aria-autocomplete": "list" };
  for (const [name, value] of Object.entries({ ...attributes, "aria-controls": list.id }))
    box.setAttribute(name, value);
  let timer = 0;
  let people = [];
  let active = -1;

  const close = () => {
    list.hidden = true;
    active = -1;
    box.setAttribute("aria-expanded", "false");
    box.removeAttribute("aria-activedescendant");
  };
  const mark = (number) => {
    active = number;
    for (const [place, option] of [...list.children].entries())
      option.setAttribute("aria-selected", String(place === number));
    const option = list.children[number];
    if (option) box.setAttribute("aria-activedescendant", option.id);
    option?.scrollIntoView({ block: "nearest" });
  };
  const choose = (person) => {
    const area = box.dataset.peopleInto && document.getElementById(box.dataset.peopleInto);
    if (area) {
      area.value = `${area.value.trimEnd()}\n${person.value}\n`.trimStart();
      area.dispatchEvent(new Event("input", { bubbles: true }));
    }
    const chosen = box.dataset.peopleChosen && document.getElementById(box.dataset.peopleChosen);
    if (chosen) tick(chosen, person);
    box.value = area || chosen ? "" : person["peopleId" in box.dataset ? "id" : "value"];
    close();
  };
  const show = () => {
    list.replaceChildren(
      ...people.map((person, number) => {
        const option = element("li", { id: `${list.id}.${number}`, role: "option", "aria-selected": "false" });
        option.append(
          element("span", {}, person.label),
          element("span", { class: "ca-muted ca-small ca-block" }, person.more),
        );
        option.addEventListener("pointerdown", (event) => {
          event.preventDefault(); // the box keeps the focus
          choose(person);
        });
        return option;
      }),
    );
    list.hidden = !people.length;
    box.setAttribute("aria-expanded", String(!list.hidden));
    active = -1;
  };
  const ask = async () => {
    const text = box.value.trim();
    const reply = text && (await fetch(`${box.dataset.people}?q=${encodeURIComponent(text)}`).catch(() => null));
    if (text !== box.value.trim() || document.activeElement !== box) return;
    people = hasJson(reply) ? (await reply.json()).people : [];
    show();
  };

  box.addEventListener("input", (event) => {
    event.stopPropagation(); // half a name is no change of the form around it
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (box.dataset.peopleInto || box.dataset.peopleChosen)) event.preventDefault(); // the form is sent by its button
    if (list.hidden) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) mark((active + step + people.length) % people.length);
    else if (event.key === "Enter" && active >= 0) choose(people[active]);
    else if (event.key === "Escape") close();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  box.addEventListener("blur", close);
}
