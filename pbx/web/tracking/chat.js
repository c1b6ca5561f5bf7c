// Dialtrace's forms and chat, loaded by the tracking code where they are wanted.
// A form goes here as well as where the page sends it: what was typed, but never a secret; the server
// looks again. The chat is a button in the corner, and behind it a conversation. It lives in a shadow root,
// so that neither the page's style nor its scripts and this one meet. What anybody writes is put in as text.
// The server is asked by POST; an agent's lines come by WebSocket, and where that is blocked, by asking again.
(() => {
"use strict";
const me = document.currentScript;
const { forms, chat: say } = JSON.parse(me.dataset.more);
const visitor = () => window.dialtrace?.visitor ?? null; // as it is now: consent may come and go

// The same rules as the server's (pbx/channels/forms.py), over all that names a field.
const SECRET = /passw|pass.?(phrase|code|wd)|\bpass\b|\bpwd|kennwort|secret|token|csrf|\botp\b|\bpin\b|\bcards?\b|(credit|debit|bank).?card|card.?(n[ou]|nr|holder|code|exp|cv)|kredit|\bcc.?(n[ou]|exp|cs|cv)|\bcc-|\bcvc|\bcvv|\bcvn|\bcsc\b|security.?code|expir|iban\b|account.?n[ou]|routing|\bssn\b|social.?security|tax.?id|one-time-code/i;
const TRAPS = /^(honeypot|bot-field|_gotcha|_honey)$/;
const CARD = /\d(?:[\s\-._/\u2010-\u2015]{0,3}\d){12,}/g;
const words = (e) => [e.name, e.id, e.autocomplete, e.placeholder, e.ariaLabel, ...[...(e.labels ?? [])].map((label) => label.textContent)]
  .filter(Boolean).map((word) => word.replace(/([a-z])(?=[A-Z])/g, "$1 ").replace(/[_[\].:]+/g, " ")).join(" | ");

function luhn(digits) {
  let total = 0;
  [...digits].reverse().forEach((digit, place) => { const value = digit * (place % 2 ? 2 : 1); total += value > 9 ? value - 9 : value; });
  return total % 10 === 0;
}
const withoutCards = (value) => value.replace(CARD, (found, at) => {
  const digits = found.replace(/\D/g, "");
  return digits.length <= 19 && digits[0] !== "0" && value[at - 1] !== "+" && luhn(digits) ? "[card number left out]" : found;
});

let before = "";
function capture(form) {
  const trap = form.dataset.trap, fields = [];
  let trapped = "", secrets = 0;
  if (form.dataset.dialtrace === "off" || form.getAttribute("role") === "search") return;
  for (const e of form.elements) {
    if (!e.name || !e.value || e.type === "search") continue;
    if (e.name === trap || TRAPS.test(e.name)) { trapped = e.value.slice(0, 5000); continue; }
    if (/^(checkbox|radio)$/.test(e.type) && !e.checked) continue;
    if (e.type === "password") { secrets++; continue; }
    if (/^(hidden|file|submit|button|image|reset)$/.test(e.type) || SECRET.test(words(e))) continue;
    const value = e.type === "select-multiple" ? [...e.selectedOptions].map((each) => each.value).join(", ") : e.value;
    fields.push({ name: e.name.slice(0, 200), value: withoutCards(value.slice(0, 5000)), type: e.type, autocomplete: e.autocomplete || "" });
  }
  if (!fields.length || (secrets && fields.length < 3)) return; // a login
  const body = JSON.stringify({
    page: location.href.slice(0, 2000), visitor: visitor(), fields,
    form: (form.getAttribute("name") || form.id || "").slice(0, 200), trap: trapped,
  });
  if (body === before) return; // sent off twice
  before = body;
  fetch(new URL("api/forms", me.src), { method: "POST", body, keepalive: true, credentials: "omit" }).catch(() => {});
}
// Caught on its way down, so that a page that sends its forms by script, and stops the event, is heard too.
if (forms) {
  addEventListener("submit", (event) => event.target.elements && capture(event.target), true);
  const submit = HTMLFormElement.prototype.submit;
  HTMLFormElement.prototype.submit = function () { capture(this); return submit.call(this); };
}
if (!say) return;

const KEY = "pbx_chat", POLL_MS = 5000, AWAY_MS = 60_000;
const api = new URL("api/chats", me.src);
const kept = { get: () => { try { return sessionStorage.getItem(KEY); } catch { return null; } },
  set: (id) => { try { sessionStorage.setItem(KEY, id); } catch {} } };
let chat = kept.get(), last = "", socket = null, timer = null, answered = false;

const host = document.createElement("div");
const root = host.attachShadow({ mode: "closed" });
root.innerHTML = `<style>
:host { all: initial; }
* { box-sizing: border-box; font: 15px/1.45 system-ui, sans-serif; }
button { border: 0; border-radius: 999px; background: #0b5f66; color: #fff; padding: .65em 1.1em; cursor: pointer; }
button:focus-visible, textarea:focus-visible { outline: 3px solid #59a9b0; outline-offset: 2px; }
.corner { position: fixed; right: 16px; bottom: 16px; z-index: 2147483000; }
.panel { position: fixed; right: 16px; bottom: 76px; z-index: 2147483000; width: min(360px, calc(100vw - 32px));
  max-height: min(520px, calc(100vh - 100px)); display: flex; flex-direction: column; background: #fff; color: #12211f;
  border: 1px solid #b9c5c2; border-radius: 12px; box-shadow: 0 8px 30px rgb(0 0 0 / 20%); overflow: hidden; }
.panel[hidden] { display: none; }
ol { flex: 1; overflow-y: auto; list-style: none; margin: 0; padding: 14px; display: flex; flex-direction: column; gap: 8px; }
li { max-width: 85%; padding: .5em .8em; border-radius: 12px; white-space: pre-wrap; overflow-wrap: anywhere; }
.agent { background: #e1f0f1; align-self: flex-start; } .visitor { background: #fbefe4; align-self: flex-end; }
form { display: flex; gap: 8px; padding: 10px; border-top: 1px solid #dbe2e0; }
textarea { flex: 1; resize: none; border: 1px solid #b9c5c2; border-radius: 8px; padding: .5em; background: #fff; color: #12211f; }
.fault { color: #b3261e; padding: 0 14px 8px; margin: 0; }
@media (prefers-color-scheme: dark) {
  .panel { background: #14201e; color: #e6efed; border-color: #40524e; } textarea { background: #0e1716; color: #e6efed; }
  .agent { background: #16363a; } .visitor { background: #43290f; } form { border-color: #2a3a37; } .fault { color: #ff8a80; }
}
</style>
<section class="panel" role="dialog" aria-label="Chat" hidden><ol aria-live="polite"></ol><p class="fault" role="alert" hidden></p>
<form><textarea rows="2" maxlength="5000" aria-label="Your message" required></textarea><button>Send</button></form></section>
<div class="corner"><button type="button" aria-expanded="false">Chat</button></div>`;
const panel = root.querySelector(".panel"), list = root.querySelector("ol"), form = root.querySelector("form");
const text = root.querySelector("textarea"), opener = root.querySelector(".corner button"), fault = root.querySelector(".fault");

function show(author, words) {
  const item = document.createElement("li");
  item.className = author;
  item.textContent = words;
  list.append(item);
  list.scrollTop = list.scrollHeight;
}

function take(line) {
  if (line.id === last || list.querySelector(`[data-id="${line.id}"]`)) return;
  show(line.author, line.text);
  list.lastElementChild.dataset.id = line.id;
  last = line.id;
  if (line.author === "agent") answered = true;
}

async function post(words) {
  const body = JSON.stringify({ chat, visitor: visitor(), page: location.href.slice(0, 2000), text: words, after: last });
  const response = await fetch(api, { method: "POST", body, credentials: "omit" });
  if (!response.ok) throw new Error(response.status === 429 ? "Not so fast, please." : "That could not be sent. Please try again.");
  const answer = await response.json();
  if (answer.chat !== chat) { chat = answer.chat; kept.set(chat); }
  answer.lines.forEach(take);
}

// Until the socket is open, and where it never opens, the server is asked again and again.
function listen() {
  clearTimeout(timer);
  if (!chat || socket?.readyState === 1) return;
  timer = setTimeout(again, POLL_MS);
  if (socket) return;
  const url = new URL(`chats/socket?chat=${chat}`, api);
  url.protocol = url.protocol.replace("http", "ws");
  try { socket = new WebSocket(url); } catch { return; } // the page forbids it
  socket.onopen = again; // what came since the last question
  socket.onmessage = (event) => take(JSON.parse(event.data));
  socket.onclose = () => { socket = null; clearTimeout(timer); timer = setTimeout(again, POLL_MS); };
}

async function again() {
  if (panel.hidden) return;
  try { await post(""); } catch {}
  listen();
}

async function send(event) {
  event.preventDefault();
  const words = text.value.trim();
  if (!words) return;
  fault.hidden = true;
  try {
    await post(words);
    text.value = "";
    listen();
    if (!answered) setTimeout(() => answered || show("agent", say.away), AWAY_MS);
  } catch (error) {
    fault.textContent = error.message;
    fault.hidden = false;
  }
}

opener.addEventListener("click", () => {
  panel.hidden = !panel.hidden;
  opener.setAttribute("aria-expanded", String(!panel.hidden));
  opener.textContent = panel.hidden ? "Chat" : "Close";
  if (panel.hidden) return;
  if (!list.childElementCount) show("agent", say.greeting);
  if (chat) again();
  text.focus();
});
form.addEventListener("submit", send);
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); form.requestSubmit(); }
});
panel.addEventListener("keydown", (event) => { if (event.key === "Escape") opener.click(); });
document.body.append(host);
})();
