const CONTROLS = "input:not([type=hidden]), select, textarea";
const ERRORS = "form[method=post i] .ca-error:not([hidden]), form[method=post i] > p.ca-callout--bad[role=alert]";

/** The control beside an error: in the smallest part around it that has one, a marked one first. */
function controlOf(error) {
  for (let part = error.parentElement; part && !part.matches("form, body"); part = part.parentElement) {
    const control = part.querySelector("[aria-invalid=true]") ?? part.querySelector(CONTROLS);
    if (control) return control;
  }
  return null;
}

/** What the control is called: by the group's title where it is one of several to choose from. */
function nameOf(control) {
  const isChoice = control.matches("[type=radio], [type=checkbox]");
  const named = (isChoice && control.closest("fieldset")?.querySelector("legend")) || control.labels?.[0];
  return (named?.textContent ?? control.getAttribute("aria-label") ?? "").replace(/\s+/g, " ").trim();
}

/** Marks the control, has it name the error to screen readers, and opens what it is folded into. */
function connect(control, error, number) {
  control.id ||= `refused-${number}`;
  error.id ||= `refused-error-${number}`;
  control.setAttribute("aria-invalid", "true");
  const described = (control.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean);
  const isNamed = described.some((id) => document.getElementById(id)?.contains(error));
  if (!isNamed) control.setAttribute("aria-describedby", [...described, error.id].join(" "));
  for (let fold = control.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
}

function entryOf(error, number) {
  const item = document.createElement("li");
  const control = controlOf(error);
  const text = error.textContent.trim();
  if (!control) {
    item.textContent = text;
    error.remove(); // it stood at the top of the form, where the summary is now
    return item;
  }
  connect(control, error, number);
  const link = document.createElement("a");
  link.href = `#${control.id}`;
  link.textContent = nameOf(control) ? `${nameOf(control)}: ${text}` : text;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    control.focus();
  });
  item.append(link);
  return item;
}

/** Puts the summary before the form; a form of a single control has the focus there instead. Returns what to focus. */
function summarize(errors, frame) {
  const form = errors[0].closest("form");
  const own = errors.filter((error) => error.closest("form") === form);
  const only = form.querySelectorAll(CONTROLS).length === 1 && own.length === 1 && controlOf(own[0]);
  const summary = frame.content.firstElementChild.cloneNode(true);
  summary.querySelector("ul").append(...own.map(entryOf));
  if (!only) form.before(summary);
  return only || summary;
}

/**
 * Puts the focus on what was refused. A form that came back with errors begins with all of them, each a link to its
 * field; what is no field's is a callout or, after a redirect, a message. `#ca-refused`, the summary's frame, is on
 * pages that answer something sent.
 */
export function focusWhatWasRefused() {
  const frame = document.getElementById("ca-refused");
  const errors = frame ? [...document.querySelectorAll(ERRORS)] : [];
  const said = document.querySelector(
    frame ? ".ca-message--bad, .ca-callout--bad[role=alert]:not([hidden])" : ".ca-message--bad",
  );
  const wanted = errors.length ? summarize(errors, frame) : said;
  if (!wanted) return;
  if (wanted === said) said.tabIndex = -1;
  wanted.focus();
}
