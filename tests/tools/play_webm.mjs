#!/usr/bin/env node
// Play WebM segments in a real browser: each alone, and all of them joined through Media Source Extensions.
//
//   play_webm.mjs TYPE LENGTHS SEGMENT...
//
// TYPE is that of the source buffer (video/webm; codecs="vp8, opus"); LENGTHS are the segments' lengths in seconds, by commas:
// what each is placed at is the sum of those before. Prints one JSON line: {alone: [{ended, duration, width, height}], joined:
// {ended, duration, buffered}, errors}. Exit code 1 unless all of it ended without an error.

import path from "node:path";

import { inBrowser } from "./browser.mjs";

/** Runs in the page. */
async function playAll({ type, lengths, urls }) {
  const errors = [];
  const toEnd = (video) => new Promise((done) => {
    const finish = (ended) => done({
      ended, duration: video.duration, width: video.videoWidth, height: video.videoHeight,
      buffered: Array.from({ length: video.buffered.length },
        (_, n) => [video.buffered.start(n), video.buffered.end(n)]),
    });
    video.addEventListener("ended", () => finish(true));
    video.addEventListener("error", () => {
      errors.push(video.error?.message);
      finish(false);
    });
    setTimeout(() => finish(false), 20_000);
    video.muted = true;
    video.playbackRate = 8;
    video.play().catch((error) => errors.push(error.message));
  });
  const alone = [];
  for (const url of urls) {
    const video = document.createElement("video");
    video.src = url;
    alone.push(await toEnd(video));
  }
  const source = new MediaSource();
  const video = document.createElement("video");
  video.src = URL.createObjectURL(source);
  await new Promise((open) => source.addEventListener("sourceopen", open, { once: true }));
  const buffer = source.addSourceBuffer(type);
  buffer.addEventListener("error", () => errors.push("the source buffer refuses a segment"));
  let at = 0;
  for (const [number, url] of urls.entries()) {
    const bytes = await (await fetch(url)).arrayBuffer();
    buffer.timestampOffset = at;
    const appended = new Promise((end) => buffer.addEventListener("updateend", end, { once: true }));
    buffer.appendBuffer(bytes);
    await appended;
    at += lengths[number];
  }
  source.endOfStream();
  return { alone, joined: await toEnd(video), errors };
}

async function main() {
  const [type, lengths, ...segments] = process.argv.slice(2);
  if (segments.length === 0) {
    console.error("usage: play_webm.mjs TYPE LENGTHS SEGMENT...");
    return 2;
  }
  const report = await inBrowser(path.dirname(path.resolve(segments[0])), playAll, (origin) => ({
    type, lengths: lengths.split(",").map(Number),
    urls: segments.map((segment) => `${origin}/${encodeURIComponent(path.basename(segment))}`),
  }));
  console.log(JSON.stringify(report));
  return report.errors.length === 0 && [...report.alone, report.joined].every(({ ended }) => ended) ? 0 : 1;
}

process.exitCode = await main();
