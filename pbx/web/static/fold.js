// A row of the list, brought up to date by the same events that the server's store writes down,
// so that a call in progress needs no further request.

const CHANGES = {
  "call.answered": (call, { at }) => ({
    answered_at: call.answered_at ?? at,
    status: call.status === "ringing" ? "in_progress" : call.status,
  }),
  "step.entered": (call, { step }) => ({ path: [...(call.path ?? []), step] }),
  "call.connected": (_, { agent }) => ({ agent }),
  "recording.started": (call) => ({ recording: call.recording ?? true }),
  "call.tagged": (call, { tag }) => ({ tags: [...new Set([...(call.tags ?? []), tag])] }),
  "call.edited": (_, { changes }) => changes,
  "call.ended": (call, { at, status }) => ({
    status,
    ended_at: at,
    duration: (new Date(at) - new Date(call.started_at)) / 1000,
  }),
};

/** The call after that event; the same object if the event changes nothing that a row shows. */
export function fold(call, event) {
  const change = CHANGES[event.kind];
  return change ? { ...call, ...change(call, event) } : call;
}

/** A new call's row, from its first event. */
export function begun(event) {
  return {
    id: event.call_id,
    direction: event.direction,
    from: event.from,
    to: event.to,
    source: event.source,
    status: "ringing",
    started_at: event.at,
    answered_at: null,
    ended_at: null,
    duration: null,
    agent: null,
    path: [],
    tags: [],
    recording: null,
  };
}
