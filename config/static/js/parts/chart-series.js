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

// The number of each series' colour: that of a period before is the one of its series.
export function colourNumbers(chart) {
  return chart.series.map((series, place) => {
    const own = series.isBefore ? chart.series.findIndex((other) => !other.isBefore && other.of === series.of) : place;
    return (Math.max(own, 0) % COLOURS) + 1;
  });
}
