// Submitted forms: those that the site's setting names, and of each only the fields that it names.

import { declaredActivity } from "./clicks.js";
import { attempt, clip, config, guarded, listen, warn } from "./page_state.js";

const NEVER_NAMED = /card|cvv|cvc|ssn(?!ame)|iban|otp(?!r)|passw|passcode|pwd|secret/i;
const NEVER_TYPED = /^(password|hidden|file)$/;
const NEVER_FILLED_WITH = /(^|\s)(cc-|one-time-code|current-password|new-password)/i;
const LONGEST_VALUE = 1000;
const AGAIN = 1000; // a page that prevents the submit and calls submit() itself means the same one

// A form's own properties may be fields (`<input name="id">`), so attributes are read by the prototype's function.
const attribute = (element, name) => Element.prototype.getAttribute.call(element, name);

/** The form's fields of this name, wherever they stand in the document. */
function fieldsNamed(form, name) {
  const named = Node.prototype.getRootNode.call(form).querySelectorAll(`[name="${CSS.escape(name)}"]`);
  return Array.from(named).filter((field) => /^(input|select|textarea)$/.test(field.localName) && field.form === form);
}

const isSensitive = (name) => NEVER_NAMED.test(name);

function mayRead(field) {
  return !(
    NEVER_TYPED.test(field.type) ||
    NEVER_FILLED_WITH.test(attribute(field, "autocomplete") || "") ||
    isSensitive(`${field.name} ${field.id}`) ||
    field.disabled ||
    field.closest("[data-no-track]")
  );
}

function valueIn(field) {
  if (/^(checkbox|radio)$/.test(field.type)) return field.checked ? field.value : "";
  const { selectedOptions, value } = field;
  return selectedOptions ? Array.from(selectedOptions, (option) => option.value).join(", ") : value;
}

/** The allowed fields' values, under the names of the person fields that they stand for. */
function readFields(form, allowed) {
  const values = {};
  for (const [name, meaning] of Object.entries(allowed || {})) {
    const given = fieldsNamed(form, name)
      .filter(mayRead)
      .map(valueIn)
      .filter((value) => value !== "");
    const key = typeof meaning === "string" && meaning ? meaning : name;
    if (given.length && !isSensitive(key)) values[key] = clip(given.join(", "), LONGEST_VALUE);
  }
  return values;
}

const nameOf = (form) =>
  clip(attribute(form, "id") || attribute(form, "name") || attribute(form, "action") || "form", 255);

function settingOf(form) {
  return config.forms.find(
    ({ selector, name }) =>
      (name && (attribute(form, "id") === name || attribute(form, "name") === name)) ||
      (selector && attempt(() => Element.prototype.matches.call(form, selector))),
  );
}

let last = [null, 0];

function noticeForm(form, record) {
  if (!(form instanceof HTMLFormElement)) return;
  const now = Date.now();
  if (last[0] === form && now - last[1] < AGAIN) return;
  if (Element.prototype.closest.call(form, "[data-no-track]")) return;
  last = [form, now];
  const setting = settingOf(form);
  if (attribute(form, "data-track")) record("track", declaredActivity(form), {}, true);
  if (setting) record("form", { form: nameOf(form), fields: readFields(form, setting.fields) }, {}, true);
}

/** A form that is sent by the page's own code: `form(element or name, fields)`. */
export function recordForm(form, fields, record) {
  const isElement = form instanceof HTMLFormElement;
  const values = isElement ? readFields(form, settingOf(form)?.fields) : {};
  for (const [name, value] of Object.entries(fields || {})) {
    if (isSensitive(name)) warn(`field ${name} not recorded`);
    else if (value != null) values[name] = clip(value, LONGEST_VALUE);
  }
  if (isElement) last = [form, Date.now()];
  record("form", { form: isElement ? nameOf(form) : clip(form, 255), fields: values }, {}, true);
}

export function watchForms(record) {
  const notice = guarded((form) => noticeForm(form, record));
  listen("submit", (event) => notice(event.composedPath()[0]));
  const { submit } = HTMLFormElement.prototype; // makes no event
  HTMLFormElement.prototype.submit = function (...values) {
    notice(this);
    return submit.apply(this, values);
  };
}
