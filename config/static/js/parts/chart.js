// Charts of numbers that the page also has as a table: `<div data-chart='{"labels": [...], "series": [...]}'>`.
// A series is {label, data, isBefore}; one is drawn as bars, several as lines, those of the period before dashed.
import uPlot from "../../vendor/uplot/uPlot.min.js";

const WIDEST_LABEL = 76; // pixels between labels of the x axis
const COLOURS = 8; // --ca-series-1 … 8

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function colourOf(series, number, all) {
  const own = series.isBefore ? all.findIndex((other) => !other.isBefore && other.of === series.of) : number;
  return style(`--ca-series-${(Math.max(own, 0) % COLOURS) + 1}`);
}

function lineOf(series, number, all, format) {
  const colour = colourOf(series, number, all);
  const line = {
    label: series.label,
    stroke: colour,
    width: 2,
    points: { show: series.data.length < 60, size: 5 },
    value: (_plot, value) => (value == null ? "" : format(value)),
  };
  if (series.isBefore) return { ...line, dash: [5, 4], width: 1.5, points: { show: false } };
  if (all.length > 1) return line;
  return {
    ...line,
    width: 0,
    fill: colour,
    paths: uPlot.paths.bars({ size: [0.75, 48, 2], radius: 0.15 }),
    points: { show: false },
  };
}

function options(place, chart, width, height) {
  const language = document.documentElement.lang || "en";
  const unit = chart.unit ? `\u00a0${chart.unit}` : "";
  const format = (value) => `${value.toLocaleString(language)}${unit}`;
  const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  const font = `12px ${getComputedStyle(place).fontFamily}`;
  const common = { stroke: style("--ca-muted"), font, ticks: { show: false } };
  const last = chart.labels.length - 1;
  return {
    width,
    height,
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
        space: WIDEST_LABEL,
        incrs: [1, 2, 3, 4, 5, 7, 10, 14, 15, 20, 30, 50, 60, 100, 200, 500, 1000, 2000],
        values: (_plot, splits) => splits.map((split) => chart.labels[split] ?? ""),
      },
      {
        ...common,
        grid: { stroke: style("--ca-grid"), width: 1 },
        size: 56,
        incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500]
          .flatMap((step) => [1, 1e3, 1e6, 1e9].map((factor) => step * factor))
          .sort((a, b) => a - b),
        values: (_plot, splits) => splits.map((split) => `${short.format(split)}${unit}`),
      },
    ],
    series: [
      { label: chart.interval, value: (_plot, value) => (value == null ? "" : (chart.labels[value] ?? "")) },
      ...chart.series.map((series, number) => lineOf(series, number, chart.series, format)),
    ],
  };
}

// The page behind the point under the pointer: of the series whose line is nearest to it.
function linkAt(plot, chart) {
  const { idx, top } = plot.cursor;
  if (idx == null) return "";
  const near = chart.series
    .filter((series) => series.links?.[idx])
    .map((series) => ({ link: series.links[idx], away: Math.abs(plot.valToPos(series.data[idx], "y") - top) }))
    .sort((one, other) => one.away - other.away);
  return near[0]?.link ?? "";
}

function draw(place) {
  const chart = JSON.parse(place.dataset.chart);
  const data = [chart.labels.map((_label, number) => number), ...chart.series.map((series) => series.data)];
  const size = () => ({ width: place.clientWidth || 600, height: Number(place.dataset.height) });
  let plot = null;
  const again = () => {
    if (plot) plot.destroy();
    plot = new uPlot(options(place, chart, size().width, size().height), data, place);
    place.classList.toggle("is-single", chart.series.length === 1);
    if (!chart.series.some((series) => series.links)) return;
    plot.over.style.cursor = "pointer";
    plot.over.addEventListener("click", () => {
      const link = linkAt(plot, chart);
      if (link) location.assign(link);
    });
  };
  again();
  new ResizeObserver(() => plot.setSize(size())).observe(place);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["class"] }); // light or dark
  return () => plot.ctx.canvas;
}

// The picture that a button saves: on the page's own ground, so that it can be put into any document.
function save(canvas, name) {
  const picture = document.createElement("canvas");
  picture.width = canvas.width;
  picture.height = canvas.height;
  const context = picture.getContext("2d");
  context.fillStyle = style("--ca-surface");
  context.fillRect(0, 0, picture.width, picture.height);
  context.drawImage(canvas, 0, 0);
  picture.toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  });
}

export function drawCharts(root) {
  for (const place of root.querySelectorAll("[data-chart]")) {
    if (place.firstChild) continue; // drawn
    const canvas = draw(place);
    for (const button of root.querySelectorAll(`[data-picture-of="${CSS.escape(place.id)}"]`)) {
      button.addEventListener("click", () => save(canvas(), button.dataset.name));
    }
  }
}
