// The server's JSON, with its problem documents (RFC 9457) as errors that can be shown.

/** What the server said is wrong, in words; `field` names the input at fault, if one is. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The server answered ${status}.`);
    this.status = status;
    this.field = document.field ?? null;
  }
}

let skew_ms = 0;

/** The server's time of day, so that a running call's length does not depend on this machine's clock. */
export const serverNow = () => Date.now() + skew_ms;

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "The server cannot be reached. Check that it is running, then try again." });
  }
  const date = Date.parse(response.headers.get("date"));
  // The header is cut to the second; differences below two are that, not a wrong clock.
  if (date) skew_ms = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  if (response.status === 401) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
    throw new Problem(401, { detail: "You have been signed out." });
  }
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response;
}

export async function get(path, options) {
  return (await ask(path, options)).json();
}

export async function text(path, options) {
  return (await ask(path, options)).text();
}

export const patch = (path, changes) => send("PATCH", path, changes);
export const post = (path, wanted) => send("POST", path, wanted);

async function send(method, path, body) {
  const response = await ask(path, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return response.json();
}

/** Bytes `first` to `last` of a file, and how long all of it is. */
export async function range(path, first, last, signal) {
  const response = await ask(path, { headers: { range: `bytes=${first}-${last}` }, signal });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const total = Number(response.headers.get("content-range")?.split("/")[1] ?? bytes.length);
  return { bytes, total };
}
