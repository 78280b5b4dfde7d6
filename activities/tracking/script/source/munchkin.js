// `window.Munchkin`, for pages that were written for Marketo's: its three functions, its configuration, its cookie and
// its addresses. Clicks are never held up; requests outlive the page.

import { consentState, isOptedOut } from "./consent.js";
import { asksForPrivacy, deleteCookie, parameter, readCookie, widestDomain, writeCookie } from "./cookies.js";
import { randomHex } from "./ids.js";
import { guarded, config as siteConfig, VERSION, warn } from "./page_state.js";

const COOKIE = "_mkto_trk";
const OPT_OUT = "mkto_opt_out";
const DEFAULT_LIFE = 730; // days; browsers keep none longer than 400

const tag = document.currentScript;

let account = "";
let options = {};
let isWatching = false;

function optedOut() {
  const wish = parameter("marketo_opt_out");
  if (wish === "true") {
    deleteCookie(COOKIE);
    writeCookie(OPT_OUT, "true", DEFAULT_LIFE, cookieDomain());
  }
  return wish === "true" || readCookie(OPT_OUT) === "true" || isOptedOut() || consentState() === "denied";
}

/** True while the site asks first, and the visitor has not agreed. */
const lacksConsent = () => (siteConfig.consent || "granted") !== "granted" && consentState() !== "granted";

/** True if nothing may be kept of this visitor. */
const isSilent = () => optedOut() || lacksConsent() || (siteConfig.gpc !== "ignore" && asksForPrivacy());

function cookieDomain() {
  const level = Number(options.domainLevel);
  const labels = location.hostname.split(".");
  return level > 1 && labels.length >= level ? labels.slice(-level).join(".") : widestDomain();
}

/** The token in the cookie, whichever account made it, or "". */
function knownToken() {
  const [, token] = /&token:(_mch-[^&;]{1,300})$/.exec(readCookie(COOKIE)) || [];
  try {
    return token ? decodeURIComponent(token) : "";
  } catch {
    return "";
  }
}

function writeToken() {
  const domain = cookieDomain();
  const token = knownToken() || `_mch-${domain || location.hostname}-${randomHex(16)}`;
  const value = `id:${encodeURIComponent(account)}&token:${encodeURIComponent(token)}`;
  const life = Number(options.cookieLifeDays) || DEFAULT_LIFE;
  writeCookie(COOKIE, value, life, domain, !!options.httpsOnly && location.protocol === "https:");
}

/** Make or renew the cookie; someone unknown gets none where `cookieAnon` is false, unless it is asked for. */
function createTrackingCookie(forceCreate) {
  if (!account || isSilent()) return;
  if (options.cookieAnon === false && !forceCreate && !knownToken() && !parameter("mkt_tok")) return;
  writeToken();
}

const escapedQuery = (query) => query.replace(/^\?/, "").replace(/&/g, "__-__");

function send(name, values) {
  if (!account || isSilent()) return;
  const token = knownToken();
  if (!token && options.cookieAnon === false) return;
  for (const id of [account, ...(Array.isArray(options.altIds) ? options.altIds : [])]) {
    const query = {
      _mchNc: Date.now(),
      _mchCn: options.customName || "",
      _mchWs: options.wsInfo || "",
      _mchId: id,
      _mchTk: token,
      _mchHo: location.hostname,
      _mchPo: location.port,
      _mchRu: location.pathname,
      _mchPc: location.protocol,
      _mchVr: VERSION,
      _mchEcid: "",
      _mchHa: location.hash,
      _mchRe: document.referrer,
      _mchQp: escapedQuery(location.search),
      _caConsent: consentState(),
      ...values,
    };
    const emailToken = parameter("mkt_tok");
    if (emailToken) query.mkt_tok = emailToken;
    const path = `${siteConfig.key ? siteConfig.base : ""}/webevents/${name}?${new URLSearchParams(query)}`;
    transmit(new URL(path, tag?.src || location.href).href);
  }
}

function transmit(url) {
  if (options.useBeaconAPI && navigator.sendBeacon?.(url)) return;
  fetch(url, { method: "POST", mode: "no-cors", credentials: "omit", keepalive: true }).catch(() => {});
}

const visit = (values) => send("visitWebPage", values);
const click = (href) => send("clickLink", { _mchHr: href, _mchLr: href });

function watchClicks() {
  if (isWatching) return;
  isWatching = true;
  const notice = guarded((event) => {
    if (event.button !== (event.type === "auxclick" ? 1 : 0)) return;
    const link = event.composedPath().find((node) => node.nodeType === 1 && node.matches("a[href], area[href]"));
    const href = link && (link.href.baseVal ?? link.href);
    if (href && !/^javascript:/i.test(href)) click(href);
  });
  addEventListener("click", notice, true);
  addEventListener("auxclick", notice, true);
}

function init(id, wanted) {
  if (!id) return warn("Munchkin.init() needs an account's id");
  account = String(id);
  options = wanted && typeof wanted === "object" ? wanted : {};
  createTrackingCookie(false);
  if (!options.apiOnly) visit({});
  watchClicks();
}

function munchkinFunction(name, data) {
  const { url = location.pathname, params = "", href = "" } = data || {};
  if (!account) warn("Munchkin.init() has to be called first");
  else if (name === "visitWebPage") {
    visit({ _mchRu: String(url), _mchQp: escapedQuery(String(params)), _mchRe: location.href });
  } else if (name === "clickLink") click(String(href));
  else if (name === "associateLead") warn("associateLead does nothing: use the REST API (associate.json)");
  else warn(`Munchkin has no function ${name}`);
}

guarded(() => {
  if (window.Munchkin || !/^http/.test(location.protocol)) return;
  Object.assign(siteConfig, window.customActivities?.config);
  const munchkin = {
    init: guarded(init),
    createTrackingCookie: guarded(createTrackingCookie),
    munchkinFunction: guarded(munchkinFunction),
  };
  window.Munchkin = munchkin;
  window.mktoMunchkin = munchkin.init;
  window.mktoMunchkinFunction = munchkin.munchkinFunction;
})();
