// What may be kept of this visitor: by the site's setting, by what the visitor said, and by the browser's signals.

import { asksForPrivacy, deleteCookie, parameter, readCookie, widestDomain, writeCookie } from "./cookies.js";
import { checksum, isToken, randomHex } from "./ids.js";
import { config } from "./page_state.js";

export const FULL = 2; // with the visitor's cookie
export const COOKIELESS = 1; // sent, and nothing stored in the browser
export const OFF = 0; // nothing is sent

const TOKEN = "_ca";
const CONSENT = "_ca_consent";
const OPT_OUT = "_ca_opt_out";

const cookieDays = () => Math.min(config.cookie_days || 400, 400); // browsers keep none longer

let said = ""; // where no cookie can be kept, an answer holds for the page
let isOut = false;

const answer = () => said || readCookie(CONSENT);

/** unknown, granted or denied */
export function consentState() {
  const [, state] = /^(granted|denied)/.exec(answer()) || [];
  return state || "unknown";
}

export const isOptedOut = () => isOut || readCookie(OPT_OUT) !== "";

export function mode() {
  const state = consentState();
  const isUnknown = state === "unknown";
  if (isOptedOut() || state === "denied" || (isUnknown && !/granted|cookieless/.test(config.consent))) return OFF;
  // the browser's signal holds whatever was answered, as at the collector
  return (isUnknown && config.consent === "cookieless") || (config.gpc !== "ignore" && asksForPrivacy())
    ? COOKIELESS
    : FULL;
}

/** Keep the visitor's answer; false if it was known. */
export function keepAnswer(state, purposes) {
  const value = `${state}.${checksum(JSON.stringify(purposes))}`;
  if (value === answer()) return false;
  said = value;
  writeCookie(CONSENT, value, cookieDays(), widestDomain());
  return true;
}

export function setOptOut(out) {
  isOut = out;
  if (out) writeCookie(OPT_OUT, "true", cookieDays(), widestDomain());
  else deleteCookie(OPT_OUT);
}

/** Obey `?_ca_opt_out=` and Marketo's `?marketo_opt_out=`. */
export function obeyAddress() {
  const wish = parameter("_ca_opt_out") || parameter("marketo_opt_out");
  if (wish === "true" || wish === "false") setOptOut(wish === "true");
}

export function knownToken() {
  const token = readCookie(TOKEN);
  return isToken(token) ? token : "";
}

/** The visitor's token, with its cookie made or renewed; null where none may or can be kept. */
export function renewToken(handedOver) {
  if (mode() !== FULL) return null;
  const known = knownToken();
  // on the site's own host the server renews it, and browsers keep that longer than what a script writes
  if (!known || !config.isOwnHost) {
    writeCookie(TOKEN, known || handedOver || randomHex(16), cookieDays(), widestDomain());
  }
  return knownToken() || null;
}

export const visitorToken = () => (mode() === FULL ? knownToken() || renewToken() : null);

export const forgetVisitor = () => deleteCookie(TOKEN);
