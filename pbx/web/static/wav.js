// A two-channel WAV read in pieces: never the whole file in memory, so an hour of audio costs no
// more than a minute. Two channels of 16-bit PCM (caller left, agent right) is what is recorded.

import { range } from "./api.js";

const HEADER_BYTES = 4096;
const PIECE_BYTES = 1 << 20;
const PCM = 1;
const EXTENSIBLE = 0xfffe;

/** Where the samples are and how they are laid out; throws if it is no 16-bit PCM WAV. */
export function layout(bytes, total) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || word(0) !== "RIFF" || word(8) !== "WAVE") throw new Error("This is no WAV file.");
  let format = null;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    if (word(at) === "fmt ") {
      format = {
        tag: view.getUint16(at + 8, true),
        channels: view.getUint16(at + 10, true),
        rate: view.getUint32(at + 12, true),
        bits: view.getUint16(at + 22, true),
      };
    }
    if (word(at) === "data") {
      if (!format || ![PCM, EXTENSIBLE].includes(format.tag) || format.bits !== 16) {
        throw new Error("Only 16-bit PCM can be drawn.");
      }
      const start = at + 8;
      const frame = format.channels * 2;
      const frames = Math.floor(Math.min(size, total - start) / frame);
      return { ...format, start, frame, frames, duration: frames / format.rate };
    }
    at += 8 + size + (size % 2);
  }
  throw new Error("The WAV file has no samples.");
}

/**
 * The loudness of each of `columns` moments, for both channels, from 0 to 1.
 * `progress(peaks, layout)` is called as pieces arrive.
 */
export async function readPeaks(url, columns, { signal, progress }) {
  const head = await range(url, 0, HEADER_BYTES - 1, signal);
  if (String.fromCharCode(...head.bytes.subarray(0, 4)) !== "RIFF") return readConverted(url, columns, { signal, progress });
  const wav = layout(head.bytes, head.total);
  const peaks = { left: new Float32Array(columns), right: new Float32Array(columns) };
  if (wav.frames === 0) return progress(peaks, wav);
  const step = PIECE_BYTES - (PIECE_BYTES % wav.frame);
  const end = wav.start + wav.frames * wav.frame;
  for (let at = wav.start; at < end; at += step) {
    const last = Math.min(end, at + step) - 1;
    const { bytes } = await range(url, at, last, signal);
    measure(peaks, bytes, (at - wav.start) / wav.frame, wav);
    progress(peaks, wav);
  }
}

/** A recording that was converted to FLAC or Opus: the browser decodes it whole. */
async function readConverted(url, columns, { signal, progress }) {
  const answer = await fetch(url, { signal });
  const sound = await new OfflineAudioContext(2, 1, 8000).decodeAudioData(await answer.arrayBuffer());
  const peaks = { left: new Float32Array(columns), right: new Float32Array(columns) };
  const sides = [sound.getChannelData(0), sound.getChannelData(sound.numberOfChannels > 1 ? 1 : 0)];
  for (let at = 0; at < sound.length; at++) {
    const column = Math.floor((at * columns) / sound.length);
    peaks.left[column] = Math.max(peaks.left[column], Math.abs(sides[0][at]));
    peaks.right[column] = Math.max(peaks.right[column], Math.abs(sides[1][at]));
  }
  progress(peaks, { duration: sound.duration });
}

/** Fold one piece, whose first frame is number `first`, into the peaks. */
export function measure(peaks, bytes, first, { channels, frames }) {
  const columns = peaks.left.length;
  const samples = new Int16Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / 2));
  const count = Math.floor(samples.length / channels);
  const right = channels > 1 ? 1 : 0;
  let frame = 0;
  while (frame < count) {
    const column = Math.min(columns - 1, Math.floor(((first + frame) * columns) / frames));
    const until = Math.min(count, Math.max(frame + 1, Math.ceil(((column + 1) * frames) / columns) - first));
    let [loudLeft, loudRight] = [0, 0];
    for (; frame < until; frame++) {
      loudLeft = Math.max(loudLeft, Math.abs(samples[frame * channels]));
      loudRight = Math.max(loudRight, Math.abs(samples[frame * channels + right]));
    }
    peaks.left[column] = Math.max(peaks.left[column], loudLeft / 32768);
    peaks.right[column] = Math.max(peaks.right[column], loudRight / 32768);
  }
}
