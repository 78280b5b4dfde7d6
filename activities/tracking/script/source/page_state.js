// What all parts know of this page: the configuration, and how problems are told.

export const VERSION = "__VERSION__";
export const DAY = 86_400_000;

/** Filled by `main.js` before anything else runs. */
export const config = { base: "/_a", pages: true, links: true, domains: [], downloads: [], forms: [] };

export const debugging = { on: false, note: () => {} };

export function warn(message) {
  // biome-ignore lint/suspicious/noConsole: a developer's mistake in calling the script is told where they look
  console.warn(`customActivities: ${message}`);
}

/** What `work` gives; undefined where the browser refuses it, as with blocked cookies. */
export function attempt(work) {
  try {
    return work();
  } catch {
    // the caller goes on without
  }
}

/** True for an address, or the page's location, of the web. */
export const isWeb = ({ protocol }) => /^http/.test(protocol);

export const withoutHash = (address) => address.split("#")[0];

/** Listen before the page's own handlers. */
export const listen = (name, work, target = window) => target.addEventListener(name, guarded(work), true);

/** The function, never throwing into the page that calls it. */
export function guarded(work) {
  return function (...values) {
    try {
      return work.apply(this, values);
    } catch (error) {
      warn(error);
    }
  };
}

export const clip = (text, length = 4096) => String(text == null ? "" : text).slice(0, length);

const OWN_PARAMETERS = /([?&])(?:_ca(?:_\w+)?=[^&#]*(?:&|(?=#|$)))+/g;

/** The address without the script's own parameters, or those that a pattern finds after their `?` or `&`. */
export const cleanAddress = (address, pattern = OWN_PARAMETERS) =>
  address.replace(pattern, "$1").replace(/[?&](?=#|$)/, "");

/** True if `host` is one of the configured other sites, or below one. */
export const isListedDomain = (host) => config.domains.some((domain) => host === domain || host.endsWith(`.${domain}`));
