// Numbers, durations and times as people read them.

import { site } from "./site.js";

const NANP = new Set(["US", "CA"]);
// Country codes of two digits (ITU E.164); those that start otherwise have three, +1 and +7 one.
const TWO_DIGITS =
  /^(20|27|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58])/;

/** "+12125550100" → "(212) 555-0100" at home, "+1 212-555-0100" abroad; "" → "Number withheld". */
export function phone(e164) {
  if (!e164) return "Number withheld";
  if (!/^\+\d{6,15}$/.test(e164)) return e164;
  const digits = e164.slice(1);
  if (digits[0] === "1" && digits.length === 11) {
    const [area, exchange, line] = [digits.slice(1, 4), digits.slice(4, 7), digits.slice(7)];
    return NANP.has(site.country) ? `(${area}) ${exchange}-${line}` : `+1 ${area}-${exchange}-${line}`;
  }
  const code = /^[17]/.test(digits) ? 1 : TWO_DIGITS.test(digits) ? 2 : 3;
  return `+${digits.slice(0, code)} ${grouped(digits.slice(code))}`;
}

function grouped(digits) {
  const groups = [];
  let at = 0;
  while (digits.length - at > 4) {
    groups.push(digits.slice(at, at + 3));
    at += 3;
  }
  return [...groups, digits.slice(at)].join(" ");
}

/** Whatever was dialled: an agent's id becomes a name, a number is grouped. */
export function target(value) {
  return site.agents.find((each) => each.id === value)?.name ?? phone(value);
}

/** 83 → "1:23", 3700 → "1:01:40". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const rest = String(whole % 60).padStart(2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

/** 83 → "1 min 23 s", for tooltips and screen readers. */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 3600), "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ].filter(([count], place) => count || (place === 2 && whole < 60));
  return parts.map(([count, unit]) => `${count} ${unit}`).join(" ");
}

const zone = { timeZone: site.timezone };
const timeOfDay = new Intl.DateTimeFormat("en-US", { ...zone, hour: "numeric", minute: "2-digit" });
const whole = new Intl.DateTimeFormat("en-US", {
  ...zone,
  weekday: "short",
  year: "numeric",
  month: "short",
  day: "numeric",
  hour: "numeric",
  minute: "2-digit",
  second: "2-digit",
  timeZoneName: "short",
});
const dayKey = new Intl.DateTimeFormat("en-CA", { ...zone, year: "numeric", month: "2-digit", day: "2-digit" });
const dayName = new Intl.DateTimeFormat("en-US", { ...zone, weekday: "long", month: "long", day: "numeric" });
const dayOfYear = new Intl.DateTimeFormat("en-US", { ...zone, year: "numeric", month: "long", day: "numeric" });

export const at = (iso) => timeOfDay.format(new Date(iso));
/** With weekday, date and the server's zone: what a tooltip says. */
export const absolute = (iso) => whole.format(new Date(iso));
/** "2026-11-24" in the server's zone. */
export const day = (iso) => dayKey.format(new Date(iso));

export function dayTitle(iso, now) {
  const key = day(iso);
  if (key === day(now)) return "Today";
  if (key === day(new Date(now).getTime() - 86_400_000)) return "Yesterday";
  const sameYear = key.slice(0, 4) === day(now).slice(0, 4);
  return (sameYear ? dayName : dayOfYear).format(new Date(iso));
}

const relativeTime = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });

const count = (value, unit) => relativeTime.format(Math.ceil(value), unit).replace(".", "");

/** "3 min ago"; under a minute "just now". */
export function ago(iso, now) {
  const seconds = (new Date(iso) - now) / 1000;
  if (seconds > -60) return "just now";
  if (seconds > -3600) return count(seconds / 60, "minute");
  if (seconds > -86_400) return count(seconds / 3600, "hour");
  return count(seconds / 86_400, "day");
}

/** The instant at which that day ("2026-11-24") begins in the server's zone, as ISO in UTC. */
export function dayStart(date) {
  const utc = new Date(`${date}T00:00:00Z`).getTime();
  const shift = (instant) => {
    const parts = new Intl.DateTimeFormat("en-CA", {
      ...zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    }).formatToParts(instant);
    const of = Object.fromEntries(parts.map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(of.year, of.month - 1, of.day, of.hour, of.minute, of.second) - instant;
  };
  // Twice, because the zone's offset at midnight may differ from the one at midnight UTC.
  const guess = utc - shift(utc);
  return new Date(utc - shift(guess)).toISOString();
}

/** The day after that one. */
export function nextDay(date) {
  return new Date(new Date(`${date}T00:00:00Z`).getTime() + 86_400_000).toISOString().slice(0, 10);
}

export const STATUS = {
  ringing: "Ringing",
  in_progress: "In progress",
  answered: "Answered",
  voicemail: "Voicemail",
  missed: "Missed",
  abandoned: "Abandoned",
  completed: "Completed",
  rejected: "Rejected",
  failed: "Failed",
  interrupted: "Interrupted",
};

export const OUTCOME = { sale: "Sale", no_sale: "No sale", lead: "Lead", spam: "Spam" };

export const isLive = (call) => call.status === "ringing" || call.status === "in_progress";
