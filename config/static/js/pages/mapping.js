// The page of a mapping of a webhook: click into a box, then on a value of the sample.
import { takePlaces } from "../parts/sample-places.js";

takePlaces(document);
