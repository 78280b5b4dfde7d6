// Links that are used, and elements that say in `data-track` what a click on them means. Nothing is held up or
// prevented.

import { decorate } from "./other_domains.js";
import { attempt, clip, config, isListedDomain, isWeb, listen, withoutHash } from "./page_state.js";

/** Elements from the clicked one up, through open shadow roots. */
const elementsOf = (event) => event.composedPath().filter((node) => node.nodeType === 1);

/** What `data-track`, `data-track-primary` and further `data-track-…` of an element say. */
export function declaredActivity(element) {
  const attributes = {};
  for (const [name, value] of Object.entries(element.dataset)) {
    if (/^track./.test(name)) attributes[name[5].toLowerCase() + name.slice(6)] = value;
  }
  const { primary = null, ...rest } = attributes;
  return { type: element.dataset.track, primary, attributes: rest };
}

/** A click on a label is followed by one of its control: only that counts. */
function isOnLabelOf(element, elements) {
  const label = elements.find((inner) => inner.localName === "label");
  return label?.control && element.contains(label.control) && !elements.includes(label.control);
}

const addressOf = (link) => attempt(() => new URL(link.href.baseVal ?? link.href, document.baseURI));

function isDownload(link, url) {
  const ending = url.pathname.split(".").pop().toLowerCase();
  return link.hasAttribute("download") || config.downloads.includes(ending);
}

function describeLink(link, url) {
  return {
    href: clip(url.href),
    text: clip((link.textContent.trim() || link.getAttribute("aria-label") || "").replace(/\s+/g, " "), 100),
    id: clip(link.id, 255),
    target: clip(link.getAttribute("target"), 100),
    outbound: isWeb(url) && url.hostname !== location.hostname && !isListedDomain(url.hostname),
    download: isWeb(url) && isDownload(link, url),
  };
}

const isOnThisPage = (url) => url.href.includes("#") && withoutHash(url.href) === withoutHash(location.href);

function noticeLink(link, record) {
  const url = addressOf(link);
  if (!url || !/^(https?|mailto|tel):$/.test(url.protocol) || (isOnThisPage(url) && !config.hash)) return;
  if (config.links) record("link", describeLink(link, url), {}, true);
  if (isWeb(url)) decorate(link, url);
}

export function watchClicks(record) {
  const notice = (event) => {
    // the middle button makes an auxclick, the right one opens a menu
    if (event.button !== (event.type === "auxclick" ? 1 : 0)) return;
    const elements = elementsOf(event);
    if (elements.some((element) => element.hasAttribute("data-no-track"))) return;
    const link = elements.find((element) => element.matches("a[href], area[href]"));
    const declared = elements.find((element) => element.dataset?.track && element.localName !== "form");
    if (declared && !isOnLabelOf(declared, elements)) record("track", declaredActivity(declared), {}, !!link);
    if (link) noticeLink(link, record);
  };
  listen("click", notice);
  listen("auxclick", notice);
}
