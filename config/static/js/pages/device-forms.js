// What the kiosk of a form keeps in this browser: shown to the team, copied, downloaded, sent again, removed.

import { deviceForms } from "../parts/device-forms.js";

const root = document.querySelector("[data-device]");
const part = (name) => root.querySelector(`[data-${name}]`);
const word = (name) => root.querySelector(`[data-word="${name}"]`)?.textContent;
const device = deviceForms(root.dataset.device);
const asText = (values) => Object.entries(values || {}).map(([name, value]) => `${name}: ${value}`);

function stateOf(item) {
  if (!item.refused) return word(item.tries ? "tried" : "waiting");
  if (item.refused === "?") return word("refused");
  return word(item.refused) || `${word("refused")}: ${item.refused}`;
}

async function remove(id) {
  if (!window.confirm(word("sure"))) return;
  await device.alone(() => device.change(new Set([id]), () => null));
  show();
}

function rowOf(item) {
  const row = part("row").content.cloneNode(true);
  const set = (name, text) => {
    row.querySelector(`[data-${name}]`).textContent = text;
  };
  set("at", new Date(item.at).toLocaleString(document.documentElement.lang || undefined));
  set("values", asText(item.values).join("\n"));
  set("state", stateOf(item));
  row.querySelector("[data-remove]").addEventListener("click", () => remove(item.id));
  return row;
}

function show() {
  const items = device.read();
  part("none").hidden = items.length > 0;
  part("some").hidden = !items.length;
  part("again").hidden = !items.some((item) => item.refused);
  part("rows").replaceChildren(...items.map(rowOf));
}

/** Text as a cell of a CSV file that no spreadsheet takes for a formula. */
function cell(value) {
  const text = String(value ?? "");
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
}

function csv() {
  const items = device.read();
  const names = [...new Set(items.flatMap((item) => Object.keys(item.values || {})))];
  const rows = items.map((item) => [
    item.id,
    new Date(item.at).toISOString(),
    stateOf(item),
    ...names.map((name) => item.values?.[name]),
  ]);
  return [["id", "at", "state", ...names], ...rows].map((row) => row.map(cell).join(",")).join("\r\n");
}

part("download").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", csv()], { type: "text/csv" }));
  link.download = `forms-${root.dataset.device}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1_000);
});

part("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(JSON.stringify(device.read(), null, 2));
  part("copied").hidden = false;
});

part("again").addEventListener("click", async () => {
  const refused = new Set(
    device
      .read()
      .filter((item) => item.refused)
      .map((item) => item.id),
  );
  // alone and last, so that they hold up no other
  await device.alone(() =>
    device.change(refused, ({ refused: _reason, ...item }) => ({ ...item, tries: (item.tries || 0) + 1 })),
  );
  show();
});

window.addEventListener("storage", show);
show();
