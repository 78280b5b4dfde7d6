// Charts of numbers that the page also has as a table: `<div data-chart='{"labels": [...], "series": [...]}'>`.
// A series is {label, data, isBefore}; one is drawn as bars, or with `isLine` as a line, several as lines, those of the period before dashed, or
// with `isStacked` as bars on each other. `marks` are dates worth knowing, {at, sign}, which the page lists. `partial`
// names the intervals that are not over, by place: they are drawn apart. A chart of the kind "ranking" is bars from left
// to right (chart-ranking.js).
import uPlot from "../../vendor/uplot/uPlot.min.js";
import { paintPartial, pathsOf } from "./chart-partial.js";
import { pictureOf, savePicture } from "./chart-picture.js";
import { drawRanking, rankingOf } from "./chart-ranking.js";
import { axisLabels, colourNumbers, drawsLines, heightsOf, plain } from "./chart-series.js";

const PAPER = 620; // pixels of a chart on an upright sheet
const WIDEST_LABEL = 84; // pixels between labels of the x axis

const style = (name, place) => getComputedStyle(place).getPropertyValue(name).trim();

function formats(chart) {
  const language = document.documentElement.lang || "en";
  const unit = chart.unit ? `\u00a0${chart.unit}` : "";
  // as pages write them: Spanish would leave four digits without a dot
  const full = new Intl.NumberFormat(language, { useGrouping: "always", maximumFractionDigits: 4 });
  const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  return {
    full: (value) => `${full.format(value)}${unit}`,
    short: (value) => `${short.format(value)}${unit}`,
  };
}

function lineOf(chart, place, format) {
  const series = chart.series[place];
  const colour = chart.colour(`series-${colourNumbers(chart)[place]}`);
  const line = {
    label: series.label,
    stroke: colour,
    width: 2,
    points: { show: series.data.length < 60, size: 5 },
    // of a stack the legend has the height of the series itself
    value: (_plot, _value, _place, at) => (at == null || series.data[at] == null ? "" : format(series.data[at])),
  };
  if (series.isBefore) return { ...line, dash: [5, 4], width: 1.5, points: { show: false } };
  const paths = pathsOf(chart);
  if (drawsLines(chart)) return { ...line, paths };
  return { ...line, width: 0, fill: colour, paths, points: { show: false } };
}

// Dashed lines at the dates of the marks, with their signs above.
function drawMarks(plot, chart, font) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = chart.colour("muted");
  ctx.fillStyle = chart.colour("muted");
  ctx.font = font.replace(/[\d.]+px/, `${11 * devicePixelRatio}px`);
  ctx.textAlign = "center";
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  for (const mark of chart.marks) {
    const x = plot.valToPos(mark.at, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.fillText(mark.sign, x, bbox.top - 4 * devicePixelRatio);
  }
  ctx.restore();
}

const labelAt = (chart, at) => `${chart.labels[at] ?? ""}${chart.partial?.[at] ? ` (${chart.partial[at]})` : ""}`;

function options(place, chart, width, height) {
  const format = formats(chart);
  const font = `12px ${getComputedStyle(place).fontFamily}`;
  const common = { stroke: chart.colour("muted"), font, ticks: { show: false } };
  const last = chart.labels.length - 1;
  return {
    width,
    height,
    padding: [chart.marks ? 18 : null, null, null, null],
    scales: {
      x: { time: false, range: () => [-0.5, last + 0.5] },
      y: { range: (_plot, _least, most) => [0, Math.max(most, 1) * 1.08] },
    },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
    legend: { live: true },
    axes: [
      {
        ...common,
        grid: { show: false },
        size: 34,
        space: WIDEST_LABEL,
        incrs: [1, 2, 3, 4, 5, 7, 10, 14, 15, 20, 30, 50, 60, 100, 200, 500, 1000, 2000],
        values: (_plot, splits) => axisLabels(chart, splits),
      },
      {
        ...common,
        grid: { stroke: chart.colour("grid"), width: 1 },
        size: 56,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500]
          .flatMap((step) => [1, 1e3, 1e6, 1e9].map((factor) => step * factor))
          .sort((a, b) => a - b),
        values: (_plot, splits) => splits.map((split) => format.short(split)),
      },
    ],
    series: [
      { label: chart.interval, value: (_plot, value) => (value == null ? "" : labelAt(chart, value)) },
      ...chart.series.map((_series, number) => lineOf(chart, number, format.full)),
    ],
    hooks: {
      ...(chart.partial && { drawSeries: [(plot, number) => paintPartial(plot, chart, number - 1)] }),
      ...(chart.marks && { draw: [(plot) => drawMarks(plot, chart, font)] }),
      ...(chart.isStacked && {
        setSeries: [
          (plot, _number, change) =>
            change.show != null && plot.setData(dataOf(chart, (at) => plot.series[at + 1].show)),
        ],
      }),
    },
  };
}

const dataOf = (chart, isShown) => [chart.labels.map((_label, at) => at), ...heightsOf(chart, isShown)];

// The page behind the point under the pointer: of the series whose line is nearest to it, or whose bar it is in.
function linkAt(plot, chart) {
  const { idx, top } = plot.cursor;
  if (idx == null) return "";
  const near = chart.series
    .map((series, place) => ({ series, away: plot.valToPos(plot.data[place + 1][idx], "y") - top }))
    .filter(({ series, away }) => series.links?.[idx] && !(chart.isStacked && away > 0))
    .sort((one, other) => Math.abs(one.away) - Math.abs(other.away));
  return near[0]?.series.links[idx] ?? "";
}

function draw(place) {
  const chart = JSON.parse(place.dataset.chart);
  chart.colour = (name) => style(`--ca-${name}`, place);
  if (place.dataset.marks) chart.marks = JSON.parse(place.dataset.marks);
  const width = () => (place.classList.contains("ca-light") ? PAPER : place.clientWidth || 600);
  const size = () => ({ width: width(), height: Number(place.dataset.height) });
  let plot = null;
  if (chart.kind === "ranking") {
    drawRanking(place, chart, formats(chart).full);
    return chart;
  }
  const again = () => {
    if (plot) plot.destroy();
    plot = new uPlot(options(place, chart, size().width, size().height), dataOf(chart), place);
    place.classList.toggle("is-single", chart.series.length === 1);
    if (!chart.series.some((series) => series.links)) return;
    plot.over.style.cursor = "pointer";
    plot.over.addEventListener("click", () => {
      const link = linkAt(plot, chart);
      if (link) location.assign(link);
    });
  };
  again();
  if (chart.note) place.after(noteOf(chart));
  new ResizeObserver(() => plot.setSize(size())).observe(place);
  const print = (isPaper) => {
    if (place.classList.toggle("ca-light", isPaper) === isPaper) again();
  };
  window.addEventListener("beforeprint", () => print(true));
  window.addEventListener("afterprint", () => print(false));
  matchMedia("print").addEventListener("change", (event) => print(event.matches));
  if (matchMedia("print").matches) print(true);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["class"] }); // light or dark
  return chart;
}

// What the dashes in a chart mean.
function noteOf(chart) {
  const note = document.createElement("p");
  note.className = "ca-muted ca-small ca-chart__note";
  note.textContent = chart.note;
  return note;
}

// The light colours, whatever the page has.
function lightColours(chart) {
  const probe = document.createElement("div");
  probe.className = "ca-light";
  document.body.append(probe);
  const named = { surface: "surface", text: "strong", muted: "muted", grid: "grid" };
  const colours = Object.fromEntries(
    Object.entries(named).map(([of, name]) => [of, plain(style(`--ca-${name}`, probe))]),
  );
  colours.series = colourNumbers(chart).map((number) => plain(style(`--ca-series-${number}`, probe)));
  probe.remove();
  return colours;
}

export function drawCharts(root) {
  for (const place of root.querySelectorAll("[data-chart]")) {
    if (place.firstChild) continue; // drawn
    const chart = draw(place);
    for (const button of root.querySelectorAll(`[data-picture-of="${CSS.escape(place.id)}"]`)) {
      button.addEventListener("click", () => {
        const title = button.dataset.title || button.dataset.name;
        const [of, format] =
          chart.kind === "ranking" ? [rankingOf, formats(chart).full] : [pictureOf, formats(chart).short];
        button.closest("details").open = false;
        savePicture(of(chart, title, lightColours(chart), format), button.dataset.name);
      });
    }
  }
}
