// One visitor on several sites of the same team: a link to a listed site carries the token for two minutes.

import { visitorToken } from "./consent.js";
import { checksum } from "./ids.js";
import { cleanAddress, isListedDomain, withoutHash } from "./page_state.js";

const LASTS = 120_000;
const HANDED_OVER = /([?&])_ca=([0-9a-f]{32})\.(\d+)\.(\w+)(?:&|(?=#|$))/;

const checkOf = (token, milliseconds, host) => checksum(`${token}.${milliseconds}.${host}.${navigator.userAgent}`);

/** Have the link of this click carry the token; what is copied or read later does not have it. */
export function decorate(link, url) {
  if (url.hostname === location.hostname || !isListedDomain(url.hostname) || typeof link.href !== "string") return;
  const token = visitorToken();
  if (!token) return;
  const written = link.getAttribute("href");
  const now = Date.now();
  const front = withoutHash(url.href);
  const value = `${token}.${now}.${checkOf(token, now, url.hostname)}`;
  const decorated = `${front}${front.includes("?") ? "&" : "?"}_ca=${value}${url.hash}`;
  link.setAttribute("href", decorated);
  setTimeout(() => {
    if (link.getAttribute("href") === decorated) link.setAttribute("href", written);
  });
}

/** The token that a listed site handed over with this page's address, or ""; the address is rid of it. */
export function takeHandedOver() {
  const [, , token, sent, check] = HANDED_OVER.exec(location.href) || [];
  if (!token) return "";
  history.replaceState(history.state, "", cleanAddress(location.href, HANDED_OVER));
  if (check !== checkOf(token, sent, location.hostname)) return "";
  const age = Date.now() - sent;
  // anybody can make such a link: it counts only where the referrer is a listed site
  const from = document.referrer && new URL(document.referrer).hostname;
  return age >= 0 && age <= LASTS && isListedDomain(from) ? token : "";
}
