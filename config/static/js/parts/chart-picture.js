// The picture of a chart that a button saves: SVG, and PNG made of it. Always in the light colours, with title and
// legend, so that it can be put into any document. Nothing is fetched for it.
import { mixed, partialSegments, wholeRange } from "./chart-partial.js";
import { axisLabels, drawsLines, heightsOf } from "./chart-series.js";

const WIDTH = 960;
const HEIGHT = 480;
const LEFT = 64;
const RIGHT = 24;
const BOTTOM = 34;
const NOTE = 20; // pixels more where a note stands below
const LINE = 18; // pixels of a line of text
const LETTER = 6.6; // about the width of a letter
const SCALE = 2; // pixels of a PNG for one of the SVG
const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
const number = (value) => Math.round(value * 100) / 100;

function text(x, y, content, { anchor = "start", colour, weight = 400, size = 12 }) {
  return (
    `<text x="${number(x)}" y="${number(y)}" text-anchor="${anchor}" fill="${colour}" font-size="${size}"` +
    ` font-weight="${weight}">${escaped(content)}</text>`
  );
}

// Round steps from 0 to `most`: five or six of them.
function steps(most) {
  const power = 10 ** Math.floor(Math.log10(most / 5));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => most / size <= 6);
  return Array.from({ length: Math.floor((most * 1.08) / step) + 1 }, (_none, place) => number(place * step));
}

// Legend rows as places: series in as many lines as they need.
function legend(chart, top, colours) {
  let x = LEFT;
  let y = top;
  const parts = chart.series.map((series, place) => {
    const width = 26 + series.label.length * LETTER;
    if (x > LEFT && x + width > WIDTH - RIGHT) {
      x = LEFT;
      y += LINE;
    }
    const mark = `<rect x="${number(x)}" y="${y - 9}" width="12" height="10" rx="2" fill="${colours.series[place]}"${
      series.isBefore ? ' fill-opacity=".45"' : ""
    }/>`;
    const part = mark + text(x + 17, y, series.label, { colour: colours.text });
    x += width;
    return part;
  });
  return { parts, bottom: y };
}

// Bars of intervals that are not over are lighter, with a dashed edge; what a stack has behind them stays hidden.
function fill(chart, at, colour, surface) {
  if (!chart.partial?.[at]) return `fill="${colour}"`;
  return `fill="${mixed(colour, surface)}" stroke="${colour}" stroke-dasharray="3 2"`;
}

function bars(rows, places, chart, colours) {
  const width = Math.max(1, Math.min(48, ((WIDTH - LEFT - RIGHT) / chart.labels.length) * 0.75));
  return rows.flatMap((heights, place) =>
    heights.map((value, at) =>
      value
        ? `<rect x="${number(places.x(at) - width / 2)}" y="${number(places.y(value))}" width="${number(width)}"` +
          ` height="${number(places.y(0) - places.y(value))}" ${fill(chart, at, colours.series[place], colours.surface)}/>`
        : "",
    ),
  );
}

function lines(rows, places, chart, colours) {
  return rows.map((values, place) => {
    const { isBefore } = chart.series[place];
    const [first, last] = isBefore ? [0, values.length - 1] : wholeRange(chart);
    const point = (at) => `${number(places.x(at))} ${number(places.y(values[at]))}`;
    let isDrawn = false;
    const path = values.map((value, at) => {
      const isPart = value != null && at >= first && at <= last;
      const part = isPart ? `${isDrawn ? "L" : "M"}${point(at)}` : "";
      isDrawn = isPart;
      return part;
    });
    const open = (isBefore ? [] : partialSegments(chart))
      .filter(([from, to]) => from < to && values[from] != null && values[to] != null)
      .map(([from, to]) => `M${point(from)}L${point(to)}`)
      .join("");
    const stroke = `fill="none" stroke="${colours.series[place]}" stroke-width="2"`;
    const dashes = isBefore ? ' stroke-dasharray="5 4"' : "";
    const dots = values.map((value, at) =>
      value == null || isBefore || values.length > 60
        ? ""
        : `<circle cx="${number(places.x(at))}" cy="${number(places.y(value))}" r="2.5" fill="${colours.series[place]}"/>`,
    );
    const ends = open ? `<path d="${open}" ${stroke} stroke-dasharray="5 4"/>` : "";
    return `<path d="${path.join("")}" ${stroke}${dashes}/>${ends}${dots.join("")}`;
  });
}

function axes(chart, places, most, top, colours, format) {
  const parts = steps(most).map(
    (value) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${number(places.y(value))}" y2="${number(places.y(value))}" stroke="${colours.grid}"/>` +
      text(LEFT - 8, places.y(value) + 4, format(value), { anchor: "end", colour: colours.muted }),
  );
  const widest = Math.max(...chart.labels.map((label) => label.length)) * LETTER + 16;
  const each = Math.max(1, Math.ceil((chart.labels.length * widest) / (WIDTH - LEFT - RIGHT)));
  const shown = [...chart.labels.keys()].filter((at) => at % each === 0);
  axisLabels(chart, shown).forEach((label, number) => {
    parts.push(text(places.x(shown[number]), places.y(0) + LINE, label, { anchor: "middle", colour: colours.muted }));
  });
  for (const mark of chart.marks ?? []) {
    const x = number(places.x(mark.at));
    parts.push(
      `<line x1="${x}" x2="${x}" y1="${top}" y2="${number(places.y(0))}" stroke="${colours.muted}" stroke-dasharray="2 3"/>`,
      text(x, top - 3, mark.sign, { anchor: "middle", colour: colours.muted, size: 11 }),
    );
  }
  return parts;
}

// The SVG of a chart, as text. `colours`: surface, text, muted, grid, and one for each series.
export function pictureOf(chart, title, colours, format) {
  const key = legend(chart, 54, colours);
  const top = (chart.series.length > 1 ? key.bottom : 36) + 26;
  const rows = heightsOf(chart);
  const floor = HEIGHT - BOTTOM - (chart.note ? NOTE : 0);
  const most = Math.max(1, ...rows.flat().map((value) => value ?? 0));
  const places = {
    x: (at) => LEFT + ((at + 0.5) / chart.labels.length) * (WIDTH - LEFT - RIGHT),
    y: (value) => floor - (value / (most * 1.08)) * (floor - top),
  };
  const draw = drawsLines(chart) ? lines : bars;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" style="font: ${FONT}">`,
    `<title>${escaped(title)}</title><rect width="100%" height="100%" fill="${colours.surface}"/>`,
    text(LEFT, 28, title, { colour: colours.text, weight: 600, size: 16 }),
    ...(chart.series.length > 1 ? key.parts : []),
    ...axes(chart, places, most, top, colours, format),
    ...draw(rows, places, chart, colours),
    ...(chart.note ? [text(LEFT, HEIGHT - 12, chart.note, { colour: colours.muted })] : []),
    "</svg>",
  ].join("\n");
}

function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

// Save the SVG under a name whose ending says in which format.
export function savePicture(svg, name) {
  const type = "image/svg+xml";
  if (name.endsWith(".svg")) {
    offer(new Blob([svg], { type }), name);
    return;
  }
  const image = new Image();
  image.addEventListener("load", () => {
    const canvas = document.createElement("canvas");
    canvas.width = image.width * SCALE;
    canvas.height = image.height * SCALE;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => offer(blob, name));
  });
  image.src = `data:${type};charset=utf-8,${encodeURIComponent(svg)}`;
}
