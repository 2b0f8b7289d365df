#!/usr/bin/env node
// Play an HLS playlist to its end in a real browser with hls.js, and report what happened.
//
//   play.mjs PLAYLIST [--rate N] [--timeout SECONDS] [--seek SECONDS,SECONDS...]
//
// Serves the playlist's folder on loopback (ranges, CORS), opens Debian's chromium without a
// window and prints one JSON line: {ended, duration, currentTime, fragments, buffered, seeked, errors}.
// Exit code 1 unless it played to the end without errors, except the `bufferSeekOverHole` at
// the start that hls.js reports when audio and video begin a few milliseconds apart.
// With --seek it first goes to each of these positions and plays on from there for a moment; `seeked` lists those
// that it got to.
// A player forgives a lot (no PAT, no PCR): the caller should compare duration, buffered and
// fragments with what was recorded.

import { readFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs } from "node:util";

import { inBrowser } from "./browser.mjs";

/** Runs in the page. */
function playToEnd({ url, rate, timeout, seeks }) {
  const video = document.querySelector("video");
  const hls = new window.Hls({ maxBufferLength: 600, enableWorker: false });
  const fragments = new Set();
  const errors = [];
  const seeked = [];
  const goTo = (position) => new Promise((there) => {
    video.currentTime = position;
    const look = () => !video.seeking && video.currentTime >= position + 0.2 ? there() : setTimeout(look, 20);
    look();
  });
  const goToAll = async () => {
    for (const position of seeks) {
      await goTo(position);
      seeked.push(position);
    }
  };
  return new Promise((done) => {
    const finish = (why) => done({
      ended: video.ended, why, duration: video.duration, currentTime: video.currentTime,
      fragments: fragments.size,
      buffered: Array.from({ length: video.buffered.length },
        (_, n) => [video.buffered.start(n), video.buffered.end(n)]),
      seeked, errors,
    });
    hls.on(window.Hls.Events.FRAG_BUFFERED, (_, { frag }) => {
      if (frag.type === "main" && frag.sn !== "initSegment") fragments.add(`${frag.cc}/${frag.sn}`);
    });
    hls.on(window.Hls.Events.ERROR, (_, error) => {
      errors.push({ type: error.type, details: error.details, fatal: error.fatal, at: video.currentTime,
                    reason: error.reason ?? error.error?.message ?? null });
      if (error.fatal) finish("fatal error");
    });
    hls.on(window.Hls.Events.MANIFEST_PARSED, () => {
      video.playbackRate = rate;
      video.play().then(goToAll).catch((error) => finish(`play: ${error.message}`));
    });
    video.addEventListener("ended", () => finish("ended"));
    video.addEventListener("error", () => finish(`video: ${video.error?.message}`));
    setTimeout(() => finish("timeout"), timeout * 1000);
    hls.loadSource(url);
    hls.attachMedia(video);
  });
}

const tolerated = (error) => !error.fatal && error.details === "bufferSeekOverHole" && error.at < 1;

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { rate: { type: "string", default: "8" }, timeout: { type: "string", default: "60" },
               seek: { type: "string", default: "" } },
  });
  if (positionals.length !== 1) {
    console.error("usage: play.mjs PLAYLIST [--rate N] [--timeout SECONDS]");
    return 2;
  }
  const playlist = path.resolve(positionals[0]);
  await readFile(playlist);
  const report = await inBrowser(path.dirname(playlist), playToEnd, (origin) => ({
    url: `${origin}/${encodeURIComponent(path.basename(playlist))}`,
    rate: Number(values.rate), timeout: Number(values.timeout),
    seeks: values.seek.split(",").filter(Boolean).map(Number),
  }));
  console.log(JSON.stringify(report));
  return report.ended && report.errors.every(tolerated) ? 0 : 1;
}

process.exitCode = await main();
