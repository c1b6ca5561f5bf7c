// The server-sent events of /api/live. The browser reconnects by itself after a short break; when
// it gives up (a proxy's error page, a restart), a new connection is tried ever more slowly.

const KINDS = [
  "call.started",
  "call.answered",
  "step.entered",
  "step.turn",
  "call.ringing",
  "leg.answered",
  "leg.ended",
  "call.connected",
  "call.disconnected",
  "queue.joined",
  "queue.left",
  "recording.started",
  "recording.ended",
  "voicemail.left",
  "call.tagged",
  "call.ended",
  "transcript.state",
  "call.edited",
  "agent.state",
  "agent.presence",
  "message.received",
  "chat.missed",
  "message.sent",
  "message.failed",
];
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15_000;

/**
 * `heard(event)` for each event; `state("open" | "lost")` as the connection comes and goes.
 * `state("open", true)` says that events may have been missed since the last one.
 */
export class Live {
  constructor({ heard, state }) {
    this.heard = heard;
    this.state = state;
    this.wait_ms = FIRST_WAIT_MS;
    this.opened = false;
    this.timer = null;
    this.connect();
    window.addEventListener("pagehide", () => this.stream?.close());
    window.addEventListener("pageshow", (event) => event.persisted && this.retry());
    window.addEventListener("online", () => this.retry());
  }

  connect() {
    this.stream?.close();
    const stream = new EventSource("/api/live");
    this.stream = stream;
    stream.onopen = () => {
      this.wait_ms = FIRST_WAIT_MS;
      this.state("open", this.opened);
      this.opened = true;
    };
    stream.onerror = () => {
      this.state("lost");
      if (stream.readyState === EventSource.CLOSED) this.later();
    };
    for (const kind of KINDS) {
      stream.addEventListener(kind, (message) => this.heard({ ...JSON.parse(message.data), kind }));
    }
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), this.wait_ms);
    this.wait_ms = Math.min(LONGEST_WAIT_MS, this.wait_ms * 2);
  }

  /** Try again at once: a person asked, or the network came back. */
  retry() {
    clearTimeout(this.timer);
    if (this.stream.readyState !== EventSource.OPEN) this.connect();
  }
}
