// Pages with charts.
import { drawCharts } from "../parts/chart.js";

drawCharts(document);
document.addEventListener("htmx:load", (event) => drawCharts(event.target));
