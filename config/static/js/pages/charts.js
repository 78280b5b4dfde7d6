// Pages with charts.
import { drawCharts } from "../parts/chart.js";

drawCharts(document);
