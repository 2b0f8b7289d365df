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
//
// hls.js and playwright-core are looked for in $TAPELINE_NODE_MODULES (.ci/cache/node_modules),
// the browser in $CHROMIUM (/usr/bin/chromium).

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MODULES = path.resolve(
  process.env.TAPELINE_NODE_MODULES ?? path.join(HERE, "../../.ci/cache/node_modules"),
);
const require = createRequire(path.join(MODULES, "from-here.js"));

const TYPES = { ".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".mp4": "video/mp4",
                ".m4s": "video/iso.segment", ".webm": "video/webm" };
const BROWSER_FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];

/** First and last byte asked for, or null for the whole file. */
function range(header, size) {
  const asked = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!asked || (!asked[1] && !asked[2])) return null;
  if (!asked[1]) return [Math.max(0, size - Number(asked[2])), size - 1];
  return [Number(asked[1]), asked[2] ? Math.min(Number(asked[2]), size - 1) : size - 1];
}

async function answer(folder, request, reply) {
  const asked = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
  const headers = { "access-control-allow-origin": "*", "accept-ranges": "bytes", "cache-control": "no-store" };
  if (asked === "/.page") {
    reply.writeHead(200, { ...headers, "content-type": "text/html" });
    return reply.end('<!doctype html><script src="/.hls.js"></script><video muted></video>');
  }
  const file = asked === "/.hls.js" ? path.join(MODULES, "hls.js/dist/hls.min.js") : path.join(folder, asked);
  const found = await stat(file).catch(() => null);
  if (!found?.isFile()) {
    reply.writeHead(404, headers);
    return reply.end();
  }
  const part = range(request.headers.range, found.size);
  if (part && part[0] > part[1]) {
    reply.writeHead(416, { ...headers, "content-range": `bytes */${found.size}` });
    return reply.end();
  }
  const [first, last] = part ?? [0, found.size - 1];
  if (part) headers["content-range"] = `bytes ${first}-${last}/${found.size}`;
  reply.writeHead(part ? 206 : 200, {
    ...headers, "content-type": TYPES[path.extname(file)] ?? "text/javascript", "content-length": last - first + 1,
  });
  if (request.method === "HEAD" || last < first) return reply.end();
  return createReadStream(file, { start: first, end: last }).pipe(reply);
}

async function serve(folder) {
  const server = http.createServer((request, reply) =>
    answer(folder, request, reply).catch(() => reply.destroy()));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return server;
}

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
  const { chromium } = require("playwright-core");
  const server = await serve(path.dirname(playlist));
  let browser;
  try {
    const origin = `http://127.0.0.1:${server.address().port}`;
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: BROWSER_FLAGS, timeout: 30_000,
    });
    const page = await browser.newPage();
    await page.goto(`${origin}/.page`);
    const report = await page.evaluate(playToEnd, {
      url: `${origin}/${encodeURIComponent(path.basename(playlist))}`,
      rate: Number(values.rate), timeout: Number(values.timeout),
      seeks: values.seek.split(",").filter(Boolean).map(Number),
    });
    console.log(JSON.stringify(report));
    return report.ended && report.errors.every(tolerated) ? 0 : 1;
  } finally {
    await browser?.close();
    server.closeAllConnections();
    server.close();
  }
}

process.exitCode = await main();
