// A real browser with a page in it, and a folder served on loopback (ranges, CORS).
//
// hls.js and playwright-core are looked for in $TAPELINE_NODE_MODULES (.ci/cache/node_modules),
// the browser in $CHROMIUM (/usr/bin/chromium).

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

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

/** Serves `folder`, and runs `work` in the page of a browser with `given(origin)`; gives what it gives. */
export async function inBrowser(folder, work, given) {
  const { chromium } = require("playwright-core");
  const server = await serve(folder);
  let browser;
  try {
    const origin = `http://127.0.0.1:${server.address().port}`;
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: BROWSER_FLAGS, timeout: 30_000,
    });
    const page = await browser.newPage();
    await page.goto(`${origin}/.page`);
    return await page.evaluate(work, given(origin));
  } finally {
    await browser?.close();
    server.closeAllConnections();
    server.close();
  }
}
