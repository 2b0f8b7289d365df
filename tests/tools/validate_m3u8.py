#!/usr/bin/env python3
"""Judge playlists with the m3u8 package's strict parser: validate_m3u8.py PLAYLIST...

One JSON line per playlist; exit code 1 if any is refused. To be run by a Python
that has the package m3u8 (`.ci/cache/venv/bin/python`). See validate.mjs for
what each of the two overlooks.
"""

import json
import sys

from m3u8.parser import parse


def judge(file):
    report = {"file": file, "by": "m3u8"}
    try:
        with open(file, encoding="utf-8") as playlist:
            # A client must ignore tags it does not know (RFC 8216, 6.3.1); this parser must be told which.
            found = parse(playlist.read(), strict=True,
                          custom_tags_parser=lambda line, *_: line.startswith("#EXT-X-TAPELINE-"))
        report.update(segments=len(found["segments"]), ok=True)
    except Exception as error:  # the parser raises its own, ValueError and more
        report.update(ok=False, problem=f"{type(error).__name__}: {error}")
    print(json.dumps(report))
    return report["ok"]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: validate_m3u8.py PLAYLIST...")
    sys.exit(0 if all([judge(file) for file in sys.argv[1:]]) else 1)
