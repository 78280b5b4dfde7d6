// Intervals that are not over, or of which the period has some days only: `chart.partial`, by place. They lie at the ends
// of a chart; lines run into them dashed, bars are lighter with a dashed edge, so that none of it looks like a fall.
import uPlot from "../../vendor/uplot/uPlot.min.js";
import { drawsLines, plain } from "./chart-series.js";

const LIGHT = 0.3; // share of the colour in a lighter bar, the rest is the surface

const linear = uPlot.paths.linear();
const barsOf = (chart) => uPlot.paths.bars({ size: [0.75, 48, 2], radius: chart.isStacked ? 0 : 0.15 });

// The first and the last place of the whole intervals.
export function wholeRange(chart) {
  let first = 0;
  let last = chart.labels.length - 1;
  while (first <= last && chart.partial?.[first]) first += 1;
  while (last >= first && chart.partial?.[last]) last -= 1;
  return [first, last];
}

// Every part between a partial interval and its whole neighbour, as pairs of places.
export function partialSegments(chart) {
  const [first, last] = wholeRange(chart);
  const most = chart.labels.length - 1;
  const pairs = Object.keys(chart.partial ?? {}).map((place) => {
    const at = Number(place);
    return at > last ? [at - 1, at] : at < first ? [at, at + 1] : [at, at];
  });
  return pairs.filter(([from, to]) => from >= 0 && to <= most);
}

// How a series is drawn, for uPlot: the whole intervals only.
export function pathsOf(chart) {
  const build = drawsLines(chart) ? linear : barsOf(chart);
  const [first, last] = wholeRange(chart);
  return (plot, number, from, to) => {
    const [start, end] = [Math.max(from, first), Math.min(to, last)];
    return start > end ? null : build(plot, number, start, end);
  };
}

// The lighter colour of a bar.
export function mixed(colour, surface) {
  const channels = (text) => [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16));
  const [one, other] = [channels(plain(colour)), channels(plain(surface))];
  return `rgb(${one.map((part, at) => Math.round(part * LIGHT + other[at] * (1 - LIGHT))).join(" ")})`;
}

// Draw the partial intervals of a series over what uPlot has drawn.
export function paintPartial(plot, chart, place) {
  const number = place + 1;
  const drawn = plot.series[number];
  if (place < 0 || chart.series[place].isBefore || !drawn.show) return;
  const { ctx, bbox } = plot;
  const colour = drawn.stroke(plot, number);
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.strokeStyle = colour;
  if (drawsLines(chart)) {
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const [from, to] of partialSegments(chart)) {
      const path = from < to && linear(plot, number, from, to);
      if (path?.stroke) ctx.stroke(path.stroke);
    }
  } else {
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([3 * devicePixelRatio, 2 * devicePixelRatio]);
    ctx.fillStyle = mixed(colour, chart.colour("surface"));
    for (const at of Object.keys(chart.partial).map(Number)) {
      const path = plot.data[number][at] ? barsOf(chart)(plot, number, at, at) : null;
      if (!path) continue;
      const bar = path.fill ?? path.stroke;
      ctx.fill(bar);
      ctx.stroke(bar);
    }
  }
  ctx.restore();
}
