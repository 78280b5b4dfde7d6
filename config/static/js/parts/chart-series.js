// The heights at which the series of a chart are drawn, and their colours.
const COLOURS = 8; // --ca-series-1 … 8

// Stacked series stand on those after them, the first on top, so that bars drawn in this order cover each other.
// `isShown` leaves out series that the legend hides.
export function heightsOf(chart, isShown = () => true) {
  if (!chart.isStacked) return chart.series.map((series) => series.data);
  const heights = [];
  let below = chart.labels.map(() => 0);
  for (let place = chart.series.length - 1; place >= 0; place -= 1) {
    const base = below;
    if (isShown(place)) below = base.map((height, at) => height + (chart.series[place].data[at] ?? 0));
    heights[place] = below;
  }
  return heights;
}

// Several series are lines, one is bars unless it is a size by day (`isLine`).
export const drawsLines = (chart) => (chart.series.length > 1 || Boolean(chart.isLine)) && !chart.isStacked;

// The labels of an axis at these places: a year that the label before ends with is not repeated.
export function axisLabels(chart, places) {
  const labels = places.map((at) => chart.labels[at] ?? "");
  const yearOf = (label) => /^.+\s(\d{4})$/.exec(label)?.[1];
  return labels.map((label, number) => {
    const year = yearOf(label);
    return year && year === yearOf(labels[number - 1] ?? "") ? label.slice(0, -year.length).trimEnd() : label;
  });
}

// A colour as every program that opens a picture reads it.
export function plain(colour) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const parts = [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
  return `#${parts.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
}

// The number of each series' colour: that of a period before is the one of its series.
export function colourNumbers(chart) {
  return chart.series.map((series, place) => {
    const own = series.isBefore ? chart.series.findIndex((other) => !other.isBefore && other.of === series.of) : place;
    return (Math.max(own, 0) % COLOURS) + 1;
  });
}
