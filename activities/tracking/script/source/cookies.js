// First-party cookies. Where the browser keeps none, reading gives "" and writing does nothing.

import { attempt } from "./page_state.js";

export function readCookie(name) {
  const start = `${name}=`;
  const pair = attempt(() => document.cookie.split("; ").find((part) => part.startsWith(start)));
  return pair ? pair.slice(start.length) : "";
}

/** `days` of 0 deletes the cookie. */
export function writeCookie(name, value, days, domain, secure = location.protocol === "https:") {
  const where = (domain ? `; Domain=${domain}` : "") + (secure ? "; Secure" : "");
  attempt(() => {
    // biome-ignore lint/suspicious/noDocumentCookie: http pages, and many browsers, have no other way
    document.cookie = `${name}=${value}; Path=/; SameSite=Lax; Max-Age=${days * 86400}${where}`;
  });
}

let widest;

/** The shortest end of the host that takes a cookie (a public suffix takes none), or "" for the host alone. */
export function widestDomain() {
  if (widest !== undefined) return widest;
  widest = "";
  const host = location.hostname;
  const labels = /^[\d.]+$|:/.test(host) ? [] : host.split(".");
  for (let count = 2; count <= labels.length && !widest; count++) {
    const domain = labels.slice(-count).join(".");
    writeCookie("_ca_p", "1", 1, domain);
    if (readCookie("_ca_p")) widest = domain;
    writeCookie("_ca_p", "", 0, domain);
  }
  return widest;
}

export function deleteCookie(name) {
  if (!readCookie(name)) return;
  writeCookie(name, "", 0, widestDomain());
  writeCookie(name, "", 0, "");
}

/** Global Privacy Control, or the older Do Not Track. */
export const asksForPrivacy = () => navigator.globalPrivacyControl === true || navigator.doNotTrack === "1";

/** The value of a parameter of the page's address, or null. */
export const parameter = (name) => new URLSearchParams(location.search).get(name);
