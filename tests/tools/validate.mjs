#!/usr/bin/env node
// Judge playlists with hls-parser in strict mode: validate.mjs PLAYLIST...
//
// One JSON line per playlist; exit code 1 if any is refused. It passes a bad date and an EXTINF
// without its comma, which validate_m3u8.py finds; that in turn passes a target duration that
// is too small. So use both.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const MODULES = path.resolve(
  process.env.TAPELINE_NODE_MODULES ?? path.join(HERE, "../../.ci/cache/node_modules"),
);
const HLS = createRequire(path.join(MODULES, "from-here.js"))("hls-parser");

HLS.setOptions({ strictMode: true });
const files = process.argv.slice(2);
if (files.length === 0) {
  console.error("usage: validate.mjs PLAYLIST...");
  process.exit(2);
}
for (const file of files) {
  const report = { file, by: "hls-parser" };
  try {
    const playlist = HLS.parse(await readFile(file, "utf8"));
    report.segments = playlist.segments?.length ?? null;
    report.ok = true;
  } catch (error) {
    report.ok = false;
    report.problem = error.message;
    process.exitCode = 1;
  }
  console.log(JSON.stringify(report));
}
