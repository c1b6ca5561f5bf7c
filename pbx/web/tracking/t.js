// Dialtrace's tracking code: shows each visitor a telephone number of their own, and reports page views.
// Served as it stands, without comments and indentation; C is what the server knows (pbx/web/script.py).
((C) => {
"use strict";
const D = document, W = window, L = localStorage_(), me = D.currentScript, N = navigator;
const api = new URL("api/dni", me.src).href;
const settings = me.dataset;

// --- Consent -------------------------------------------------------------------------------------
// true, false, or null: the page did not ask. A browser's own refusal is the visitor's.
const refused = (C.dnt && N.doNotTrack == "1") || (C.gpc && N.globalPrivacyControl);
let consent = { yes: true, no: false }[settings.consent] ?? null;
const mayKeep = () => !refused && (consent ?? !C.ask);

function localStorage_() {
  try { return window.localStorage; } catch { return null; } // forbidden by the browser's settings
}

// --- What is kept in the browser -----------------------------------------------------------------
// The visitor's id in a cookie of the website; the numbers shown, to show them at once on the next page.
const KEY = "pbx_v";
const readId = () => (D.cookie.match(/(?:^|; )pbx_v=([0-9a-f]{32})/) || [])[1] || null;

function writeId(id) {
  const tail = `; path=/; samesite=lax; max-age=${id ? C.days * 86400 : 0}${location.protocol == "https:" ? "; secure" : ""}`;
  const parts = location.hostname.split(".");
  // The widest domain that the browser accepts, so that all hosts of the site share the visitor.
  for (let n = 2; n <= parts.length; n++) {
    D.cookie = `${KEY}=${id || ""}; domain=${parts.slice(-n).join(".")}${tail}`;
    if (id && readId() == id) return;
  }
  D.cookie = `${KEY}=${id || ""}${tail}`;
}

function remember(answer) {
  const until = answer.lease ? Date.parse(answer.lease.until) : Date.now() + 1800e3;
  try { L.setItem(KEY, JSON.stringify({ until, swaps: answer.swaps })); } catch {}
  if (answer.visitor && answer.visitor != readId()) writeId(answer.visitor);
}

function forget() {
  try { L.removeItem(KEY); } catch {}
  if (readId()) writeId("");
}

// Another of the website's domains handed its visitor over, within the last two minutes.
function handedOver() {
  const url = new URL(location.href), given = url.searchParams.get(KEY);
  if (!given) return null;
  url.searchParams.delete(KEY);
  history.replaceState(history.state, "", url);
  const [id, at] = given.split(".");
  return /^[0-9a-f]{32}$/.test(id) && Math.abs(Date.now() / 1000 - parseInt(at, 36)) < 120 ? id : null;
}

// --- Finding numbers -----------------------------------------------------------------------------
// A number is its digits with at most four separators between two of them, in any of these forms:
// +CC nsn, IDD CC nsn, CC nsn, +CC (trunk) nsn, trunk nsn, nsn. What stands before the national number
// stays as it is, and so does every separator.
const GAP = "[\\s().\\-/\\u00a0\\u2010-\\u2015\\u202f\\u2060\\u00b7]{0,4}";
const apart = (digits) => [...digits].join(GAP);
// In North America letters stand for the last seven digits, too: 1-800-FLOWERS.
const KEYS = "  abc def ghi jkl mno pqrs tuv wxyz".split(" ");
const lettered = (digits) => [...digits].map((digit, place) => (place < 3 ? digit : `[${digit}${KEYS[digit]}]`)).join(GAP);
const nsn = (number, target) => number.slice(1 + target.cc.length);
const targets = C.targets.flatMap(([cc, trunk, idd, numbers]) => numbers.split(" ").map((own) => ({ number: `+${cc}${own}`, cc, trunk, idd, seen: new Set([`+${cc}${own}`]) })));
let swaps = {}, forms = [], found = new Set();

function prepare() {
  forms = [];
  for (const target of targets) {
    if (swaps[target.number]) target.seen.add(swaps[target.number]);
    for (const number of target.seen) {
      const { cc, trunk, idd } = target, own = nsn(number, target);
      const front = [`\\+${GAP}${apart(cc)}`, `${apart(idd + cc)}`, apart(cc)].map((f) => `${f}${GAP}(?:${trunk ? apart(trunk) : ""})?`);
      if (trunk) front.push(apart(trunk));
      forms.push([target, number, new RegExp(`(^|[^\\d])((?:(?:${front.join("|")})${GAP})?)(${cc == 1 ? lettered(own) : apart(own)})(?!\\d)`, "gi")]);
    }
  }
}

// Every place in `text` where a target stands: [start, end, what is to stand there].
function places(text) {
  const list = [];
  if (!/\d/.test(text)) return list;
  for (const [target, number, pattern] of forms) {
    const now = swaps[target.number] || target.number;
    for (const match of text.matchAll(pattern)) {
      const [, before, front, body] = match, start = match.index + before.length + front.length;
      if (!front && /\+\d{1,3}[\s().-]*$/.test(text.slice(0, start))) continue; // another country's
      found.add(target.number);
      if (now != number && !now.startsWith("+" + target.cc)) continue; // cannot be written in this form
      if (now != number) list.push([start, start + body.length, laid(body, nsn(now, target))]);
    }
  }
  return list.sort((a, b) => b[0] - a[0]);
}

// The digits in the places of the old ones; more of them follow the last, fewer leave the last places out.
function laid(body, digits) {
  let at = 0;
  const text = body.replace(/[\da-z]/gi, () => digits[at++] ?? "");
  return text.replace(/[^\d)]+$/, "") + digits.slice(at);
}

const exchanged = (text) =>
  places(text).reduce((now, [start, end, put]) => now.slice(0, start) + put + now.slice(end), text);

// --- Changing the page ---------------------------------------------------------------------------
// Only the values of text nodes and attributes change, never the nodes: frameworks keep theirs.
const SKIP = /^(SCRIPT|STYLE|TEXTAREA|INPUT|SELECT|NOSCRIPT|TEMPLATE|IFRAME|OBJECT|CANVAS|HEAD)$/i;
const INLINE = /^(A|ABBR|B|BDI|BDO|CITE|CODE|DATA|EM|FONT|I|LABEL|MARK|Q|S|SMALL|SPAN|STRONG|SUB|SUP|TIME|U|VAR|WBR|TSPAN)$/i;
const NAMES = /^(alt|title|aria-label|data-(?!pbx).*)$/;
const tries = new WeakMap(), originals = new WeakMap();
const left = (element) => SKIP.test(element.nodeName) || element.isContentEditable || element.hasAttribute("data-pbx-ignore");

// What a script keeps setting back is let go for a while: a hundred times in two seconds is a quarrel.
function allowed(node) {
  const place = node.parentNode || node, now = performance.now();
  let [count, since] = tries.get(place) || [0, now];
  if (now - since > 2000) [count, since] = [0, now];
  tries.set(place, [count + 1, since]);
  return count < 100;
}

function walk(root) {
  let run = [];
  const flush = () => { swapRun(run); run = []; };
  (function visit(node) {
    if (node.nodeType == 3) run.push(node);
    if (node.nodeType != 1 && node.nodeType != 11) return;
    if (node.nodeType == 1) {
      if (left(node)) return flush();
      if (held(node)) return flush();
      attributes(node);
    }
    const block = !INLINE.test(node.nodeName);
    if (block) flush();
    if (node.shadowRoot) visit(node.shadowRoot);
    node.childNodes.forEach(visit);
    if (block) flush();
  })(root);
  flush();
}

// Neighbouring texts as one, since a number may be split across elements.
function swapRun(nodes) {
  for (const [start, end, put] of places(nodes.map((node) => node.data).join(""))) {
    let at = 0;
    for (const node of nodes) {
      const length = node.data.length, from = Math.max(start, at), to = Math.min(end, at + length);
      if (from < to && allowed(node)) {
        const part = put.slice(from - start, to == end ? undefined : to - start);
        node.data = node.data.slice(0, from - at) + part + node.data.slice(to - at);
      }
      at += length;
    }
  }
}

function attributes(element) {
  for (const attribute of element.attributes) {
    const { name, value } = attribute;
    const link = name == "href" && /^(tel|sms|callto):/i.test(value);
    if (!link && !NAMES.test(name)) continue;
    const put = exchanged(value);
    if (put != value && allowed(element)) element.setAttribute(name, put);
  }
  if (element.nodeName == "IMG" && C.images) images(element);
}

// Images of numbers, by the config's rules.
function images(image) {
  const src = originals.get(image) || image.getAttribute("src") || "";
  for (const [pattern, target, becomes, color, shown] of C.images) {
    if (!new RegExp(pattern, "i").test(src)) continue;
    found.add(target);
    const number = swaps[target];
    if (number ? !allowed(image) : !originals.has(image)) return;
    const known = targets.find((each) => each.number == target);
    const text = number && laid(shown, (shown[0] == "+" ? known.cc : known.trunk && shown.replace(/\D/g, "").startsWith(known.trunk + nsn(target, known)) ? known.trunk : "") + nsn(number, known));
    const put = !number ? src : becomes ? becomes.replace("{number}", number).replace("{digits}", number.slice(1)) : drawn(image, text, color);
    if (image.getAttribute("src") == put) return;
    originals.set(image, src);
    image.onerror = () => { image.onerror = null; image.src = src; };
    image.src = put;
    return;
  }
}

function drawn(image, text, color) {
  const w = image.width || 200, h = image.height || 32;
  return "data:image/svg+xml," + encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}"><text x="0" y="50%" dominant-baseline="central" font-family="sans-serif" font-size="${Math.min(h * 0.8, w / text.length * 1.7)}" fill="${color}">${text}</text></svg>`);
}

// --- Frameworks that take over what the server rendered ---------------------------------------------
// React compares its own text with the page's before it takes over: what lies in such a root is left
// alone until that is done, part by part (Suspense), or until the page has been there for two seconds without it.
const ROOTS = settings.roots ?? "#root,#app,#__next,#__nuxt,#___gatsby,[data-reactroot],[data-server-rendered]";
const opened = new WeakSet(), waiting = new Set();
let patience = Infinity;
const marked = (node) => node && /__react(?!Container)|_reactRoot|__vue/.test(Object.keys(node));

// A part of a React root that React has not come to yet.
function pending(element) {
  const root = performance.now() < patience && !marked(element) && element.closest(ROOTS);
  return root && /__reactContainer/.test(Object.keys(root));
}

function held(element) {
  if (!ROOTS || opened.has(element)) return false;
  const root = element.matches(ROOTS);
  if (!root && !pending(element)) return false;
  if (root && !element.childElementCount && D.readyState != "loading") { opened.add(element); return false; } // rendered here
  if (!waiting.size) requestAnimationFrame(release);
  waiting.add(element);
  return true;
}

function release() {
  for (const root of waiting) {
    if (D.readyState == "loading" || !(marked(root) || marked(root.lastElementChild) || root.__vue_app__ || performance.now() > patience)) continue;
    waiting.delete(root);
    opened.add(root);
    change(root, true);
  }
  if (waiting.size) requestAnimationFrame(release);
}

addEventListener("load", () => { patience = performance.now() + 2000; });

// --- Late content --------------------------------------------------------------------------------
const WATCHED = { childList: true, subtree: true, characterData: true, attributes: true };
const observer = new MutationObserver((records) => {
  const roots = new Set();
  for (const { target, type, attributeName: name } of records) {
    if (name && !/^(href|src)$/.test(name) && !NAMES.test(name)) continue;
    let node = type == "characterData" ? target.parentNode : target;
    while (node && node.parentNode && INLINE.test(node.nodeName)) node = node.parentNode;
    if (node && node.isConnected && !within(node)) roots.add(node);
  }
  for (const root of roots) change(root, true);
});

// Whether something above this node is to be left alone.
function within(node) {
  for (let each = node.nodeType == 1 ? node : node.parentElement; each; each = each.parentElement) {
    if (left(each) || held(each)) return true;
  }
  return false;
}

function change(root, late) {
  const before = found.size;
  walk(root);
  observer.takeRecords(); // our own
  if (late && found.size > before && asked) ask(asked.url, asked.referrer, true);
}

// --- Asking the server ---------------------------------------------------------------------------
// One question at a time: a second one while a new visitor's first is on its way would make two of them.
let visitor = null, asked = null, next = null, busy = false, beat = 0, failures = 0;

async function ask(url, referrer, alive) {
  asked = { url, referrer };
  if (busy) {
    next = [url, referrer, alive && (!next || next[2])];
    return;
  }
  busy = true;
  clearTimeout(beat);
  let wait = 60;
  try {
    const body = JSON.stringify({ visitor, consent: refused ? false : consent, page: url, referrer, targets: [...found].slice(0, 200), alive: Boolean(alive), ...(C.ads && mayKeep() && { cookies: D.cookie.match(/\b_(ga|fb[cp])=[^;]+/g) || [] }) });
    const response = await fetch(api, { method: "POST", body, credentials: "include", keepalive: true });
    if (!response.ok) throw response;
    const answer = await response.json();
    failures = 0;
    visitor = answer.visitor;
    swaps = answer.swaps;
    if (mayKeep()) remember(answer);
    prepare();
    change(D.documentElement);
    wait = answer.lease && answer.lease.heartbeat;
  } catch {
    wait *= 2 ** Math.min(failures++, 4); // the server is down, or refuses: everything stays as it is
  }
  busy = false;
  const then = next;
  next = null;
  if (then) ask(...then);
  else if (wait) beat = setTimeout(alive_, wait * 1000);
}

// A sign of life, while the page is in sight; else as soon as it is again.
function alive_() {
  if (D.visibilityState == "visible") ask(asked.url, asked.referrer, true);
  else D.addEventListener("visibilitychange", alive_, { once: true });
}

const here = () => location.href.split("#")[0].slice(0, 4096);

function moved() {
  const url = here();
  if (!asked || url == asked.url) return;
  ask(url, asked.url);
}

for (const name of ["pushState", "replaceState"]) {
  const original = history[name];
  history[name] = function (...args) {
    const result = original.apply(this, args);
    setTimeout(moved);
    return result;
  };
}
addEventListener("popstate", () => setTimeout(moved));

// --- Links to the website's other domains ----------------------------------------------------------
function decorate(event) {
  const link = event.target.closest && event.target.closest("a[href]");
  if (!link || !visitor || !mayKeep() || link.host == location.host || !C.sites.includes(link.hostname)) return;
  const url = new URL(link.href);
  url.searchParams.set(KEY, `${visitor}.${Math.floor(Date.now() / 1000).toString(36)}`);
  link.href = url;
}
if (C.sites.length > 1) for (const name of ["mousedown", "click", "auxclick"]) addEventListener(name, decorate, true);

// --- Forms and chat, where they are wanted ---------------------------------------------------------
function more() {
  const s = D.createElement("script");
  s.src = new URL("../chat.js", api);
  s.dataset.more = JSON.stringify(C.more);
  D.head.append(s);
}
if (C.more) addEventListener("load", () => setTimeout(more, 500));

// --- Start ---------------------------------------------------------------------------------------
const begin = () => asked || ask(here(), D.referrer);

W.dialtrace = {
  get visitor() { return mayKeep() ? visitor : null; },
  consent(yes) {
    const before = mayKeep();
    consent = yes;
    if (!mayKeep()) forget(); // the next question tells the server whom to forget
    if (asked) ask(asked.url, asked.referrer, before && mayKeep()); // a page view that counted counts once
  },
};

const given = handedOver();
if (mayKeep()) {
  visitor = given || readId();
  try {
    const kept = JSON.parse(L.getItem(KEY));
    if (kept.until > Date.now()) swaps = kept.swaps || {};
  } catch {}
}
prepare();
walk(D.documentElement);
observer.observe(D.documentElement, WATCHED);
if (D.readyState == "loading") D.addEventListener("DOMContentLoaded", begin);
else begin();
})(/*CONFIG*/);
