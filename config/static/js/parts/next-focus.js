// Where the focus goes after a change of the cards: to what was added, to what was moved, or to what took the place of
// what was removed, so that somebody without a mouse goes on where they were.
const near = (place, by) => place.replace(/\d+$/, (number) => String(Number(number) + by));
const parent = (place) => place.replace(/\.?\d+$/, "");
const CONTROLS = "input:not([type=hidden], [hidden]), select:not([hidden]), textarea:not([hidden])";

/** The part of the cards for the focus after the action `verb:place`, or undefined if the action needs none. */
export function nextFocus(cards, verb, place) {
  const byId = (id) => document.getElementById(id);
  const button = (action, where) => cards.querySelector(`button[name=do][value="${action}:${where}"]`);
  const first = (...found) => found.find(Boolean);
  const menu = (where) => byId(`filters.${where}.menu`);
  const adder = (where) => byId(`step-new-${where}.search`);
  const lastOf = (selector, root = cards) => [...root.querySelectorAll(selector)].pop();
  const moved = (up, down, where) => first(button(up, where), button(down, where), menu(where));
  const removed = (action, otherwise) => first(button(action, place), button(action, near(place, -1)), otherwise);

  const next = {
    add: () => {
      const card = lastOf("[id^=card-]");
      return (
        card &&
        first(...[".ca-tokens__entry", ".ca-rule__body select", CONTROLS].map((part) => card.querySelector(part)))
      );
    },
    add_constraint: () => lastOf(`[id^="filters.${place.replace(".", ".steps.")}.constraints."][id$=".operator"]`),
    duplicate: () => menu(near(place, 1)),
    invert: () => menu(place),
    up: () => moved("up", "down", near(place, -1)),
    down: () => moved("down", "up", near(place, 1)),
    first: () => menu("0"),
    last: () => menu(String(cards.querySelectorAll("[id^=card-]").length - 1)),
    remove: () => removed("remove", byId("id_new.search")),
    remove_constraint: () =>
      removed("remove_constraint", byId(`filters.${parent(place).replace(".", ".steps.")}.new.search`)),
    step_add: () => {
      const card = adder(place)?.closest(".ca-adder").previousElementSibling;
      return first(card?.querySelector(`.ca-condition :is(${CONTROLS})`), adder(place));
    },
    step_up: () => moved("step_up", "step_down", near(place, -1)),
    step_down: () => moved("step_down", "step_up", near(place, 1)),
    step_remove: () => removed("step_remove", adder(parent(place))),
    way_add: () => lastOf("select[id$='.when']", byId(`step-${place}`)),
    way_remove: () => removed("way_remove", button("way_add", parent(place))),
  };
  return next[verb]?.();
}
