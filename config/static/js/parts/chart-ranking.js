// Bars from left to right, a group of them for each label, with the numbers in words: funnels and breakdowns. SVG on the
// page and in the saved picture alike: on the page its colours are the theme's, so paper and dark need nothing more.
import { colourNumbers } from "./chart-series.js";

const PICTURE = 720; // pixels of a saved picture
const LETTER = 6.9; // about the width of a letter
const LINE = 18; // pixels of a line of text
const BAR = 16;
const THIN = 10; // a bar of several
const GAP = 14; // between labels
const FONT = "13px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const number = (value) => Math.round(value * 100) / 100;

function text(x, y, content, { anchor = "start", colour, weight = 400, size = 13 }) {
  return (
    `<text x="${number(x)}" y="${number(y)}" text-anchor="${anchor}" fill="${colour}" font-size="${size}"` +
    ` font-weight="${weight}">${escaped(content)}</text>`
  );
}

const shortened = (words, room) => {
  const most = Math.max(4, Math.floor(room / LETTER));
  return words.length > most ? `${words.slice(0, most - 1)}…` : words;
};

const valueText = (series, at, format) => {
  const value = series.data[at] == null ? "—" : format(series.data[at]);
  return series.notes?.[at] ? `${value} · ${series.notes[at]}` : value;
};

// What the colours of several series mean, in as many lines as they need.
function legend(chart, top, width, colours) {
  let [x, y] = [0, top];
  const parts = chart.series.map((series, place) => {
    const name = shortened(series.label, width - 24);
    const needed = 34 + name.length * LETTER;
    if (x && x + needed > width) [x, y] = [0, y + LINE];
    const part =
      `<rect x="${number(x)}" y="${y - 10}" width="12" height="10" rx="2" fill="${colours.series[place]}"/>` +
      text(x + 17, y, name, { colour: colours.text });
    x += needed;
    return part;
  });
  return { parts, bottom: y + LINE };
}

// The label of a group on a line of its own, with the number at its end; numbers of several bars behind the bars.
function group(chart, at, top, { width, colours, format, most }) {
  const isSingle = chart.series.length === 1;
  const values = chart.series.map((series) => valueText(series, at, format));
  const room = isSingle ? 0 : Math.max(...values.map((value) => value.length)) * LETTER + 12;
  const labelRoom = width - (isSingle ? values[0].length * LETTER + 16 : 0);
  const parts = [text(0, top + 12, shortened(chart.labels[at], labelRoom), { colour: colours.text, weight: 500 })];
  if (isSingle) parts.push(text(width, top + 12, values[0], { anchor: "end", colour: colours.text }));
  let y = top + LINE;
  chart.series.forEach((series, place) => {
    const height = isSingle ? BAR : THIN;
    const length = ((width - room) * (series.data[at] ?? 0)) / most;
    const open = series.links?.[at] ? ` data-place="${place}" data-at="${at}"` : "";
    parts.push(
      `<rect x="0" y="${y}" width="${number(width - room)}" height="${height}" rx="3" fill="${colours.grid}" fill-opacity=".45"/>`,
      `<rect x="0" y="${y}" width="${number(Math.max(length, series.data[at] ? 2 : 0))}" height="${height}" rx="3" fill="${colours.series[place]}"${open}/>`,
    );
    if (!isSingle) parts.push(text(width, y + 9, values[place], { anchor: "end", colour: colours.muted, size: 12 }));
    y += height + (isSingle ? 0 : 5);
  });
  return { parts, bottom: y + GAP };
}

function content(chart, top, look) {
  const most = Math.max(1, ...chart.series.flatMap((series) => series.data.map((value) => value ?? 0)));
  const key = chart.series.length > 1 ? legend(chart, top + 10, look.width, look.colours) : { parts: [], bottom: top };
  const parts = [...key.parts];
  let y = key.bottom;
  chart.labels.forEach((_label, at) => {
    const drawn = group(chart, at, y, { ...look, most });
    parts.push(...drawn.parts);
    y = drawn.bottom;
  });
  if (chart.note) {
    parts.push(text(0, y + 8, chart.note, { colour: look.colours.muted, size: 12 }));
    y += LINE;
  }
  return { parts, height: number(y) };
}

// The SVG of a chart, as text, to be saved. `colours`: surface, text, muted, grid, and one for each series.
export function rankingOf(chart, title, colours, format) {
  const [edge, top] = [24, 24];
  const drawn = content(chart, top, { width: PICTURE - 2 * edge, colours, format });
  const height = drawn.height + edge + 20;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${PICTURE}" height="${height}" viewBox="0 0 ${PICTURE} ${height}" role="img" style="font: ${FONT}">`,
    `<title>${escaped(title)}</title><rect width="100%" height="100%" fill="${colours.surface}"/>`,
    `<g transform="translate(${edge} 20)">`,
    text(0, 10, title, { colour: colours.text, weight: 600, size: 16 }),
    ...drawn.parts,
    "</g></svg>",
  ].join("\n");
}

// Draw the chart into `place`, anew when its width changes. A click on a bar opens the people behind it.
export function drawRanking(place, chart, format) {
  const colours = {
    text: "var(--ca-strong)",
    muted: "var(--ca-muted)",
    grid: "var(--ca-grid)",
    series: colourNumbers(chart).map((of) => `var(--ca-series-${of})`),
  };
  let width = 0;
  const again = () => {
    if (!place.clientWidth || place.clientWidth === width) return;
    width = place.clientWidth;
    const drawn = content(chart, 0, { width, colours, format });
    place.innerHTML = `<svg class="ca-ranking" width="${width}" height="${drawn.height}" viewBox="0 0 ${width} ${drawn.height}" aria-hidden="true">${drawn.parts.join("")}</svg>`;
  };
  again();
  new ResizeObserver(again).observe(place);
  place.addEventListener("click", (event) => {
    const bar = event.target.closest("[data-at]");
    if (bar) location.assign(chart.series[bar.dataset.place].links[bar.dataset.at]);
  });
}
