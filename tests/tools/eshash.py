#!/usr/bin/env python3
"""Hash the elementary streams of MPEG-TS: eshash.py [options] FILE...

The files are read as one stream, in order, so a recording's segments can be
compared with the input they were cut from. Per PID of the PMTs it prints a JSON
line: {"pid", "stream_type", "pes", "es_sha256", "pes_sha256"}. `es_sha256` is
over the payloads without PES headers, `pes_sha256` over the whole PES packets,
so the latter differs if timestamps were rewritten and the former does not.

Every PES start to the end of the files counts, or with `--from-first-key` and
`--from-pts`, the video from that PES on and the other PIDs from their first PES
start after the packet in which it begins. Bytes before a PID's first PES start
are left out; a packet sent twice counts once.

Packets may be 188, 192 or 204 bytes long. As ffmpeg does, it takes every packet
that begins with a sync byte, so one cut short by garbage counts with garbage in
it; `--drop-cut` drops a packet that no sync byte follows. After lost sync it
goes on where three packets in a row have theirs.
"""

import argparse
import hashlib
import json
import sys

from tscheck import SECTION_TYPES, VIDEO, Sections, crc32, is_key, parse_pat, parse_pmt, pes_times


def packet_size(data):
    """The size that most sync bytes of the beginning agree on."""
    head = data[:204 * 200]
    hits = {size: max(sum(head[at] == 0x47 for at in range(first, len(head), size)) * size
                      for first in range(size))
            for size in (188, 192, 204)}
    return max(hits, key=hits.get)


def in_sync(data, at, size):
    return all(data[at + n * size] == 0x47 for n in range(3) if at + n * size < len(data))


def packets(data, drop_cut):
    size = packet_size(data)
    at, synced = 0, False
    while at + 188 <= len(data):
        if data[at] != 0x47 or not synced and not in_sync(data, at, size):
            at, synced = at + 1, False
            continue
        cut = at + size < len(data) and data[at + size] != 0x47
        if cut and drop_cut:
            at, synced = at + 1, False
            continue
        synced = True
        yield data[at:at + 188]
        at += size


def units(found):
    """({PID: stream_type}, [(pid, number of its first packet, PES or section bytes)])."""
    tables, pmt_pids, kinds, open_units, out, last = {}, set(), {}, {}, [], {}
    for number, packet in enumerate(found):
        pid = (packet[1] & 0x1F) << 8 | packet[2]
        if pid == 0x1FFF or not packet[3] & 0x10:
            continue
        start = bool(packet[1] & 0x40)
        payload = packet[5 + packet[4]:] if packet[3] & 0x20 else packet[4:]
        if last.get(pid) == (packet[3] & 15, payload):
            continue
        last[pid] = (packet[3] & 15, payload)
        if pid == 0 or pid in pmt_pids:
            for section in tables.setdefault(pid, Sections()).push(start, payload) if payload else ():
                if crc32(section):
                    continue
                if pid == 0:
                    pmt_pids = set(parse_pat(section).values())
                elif section[0] == 2:
                    kinds.update(parse_pmt(section)[1])
        elif start:
            open_units[pid] = [payload]
            out.append((pid, number, open_units[pid]))
        elif pid in open_units:
            open_units[pid].append(payload)
    return kinds, [(pid, number, b"".join(parts)) for pid, number, parts in out]


def elementary(kind, unit):
    """The payload of a PES; a section or what has no PES header counts whole."""
    if kind in SECTION_TYPES or unit[:3] != b"\0\0\1" or len(unit) < 9:
        return unit
    return unit[9 + unit[8]:] if unit[6] >> 6 == 2 else unit[6:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from-first-key", action="store_true", help="start at the first video key frame")
    parser.add_argument("--from-pts", type=int, help="start at the video PES with this raw PTS")
    parser.add_argument("--drop-cut", action="store_true", help="drop packets not followed by a sync byte")
    parser.add_argument("--list", action="store_true", help="also a line per PES: pid, pts, dts, bytes, es hash")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    found = []
    for name in args.files:
        with open(name, "rb") as file:
            found += packets(file.read(), args.drop_cut)
    kinds, all_units = units(found)
    begin = -1
    if args.from_first_key or args.from_pts is not None:
        for pid, number, unit in all_units:
            wanted = args.from_pts is None or pes_times(unit)[0] == args.from_pts
            if kinds.get(pid) in VIDEO and wanted and (
                    args.from_pts is not None or is_key(kinds[pid], elementary(kinds[pid], unit))):
                begin = number
                break
        else:
            sys.exit("no such video PES")
    sums = {pid: [0, hashlib.sha256(), hashlib.sha256()] for pid in kinds}
    for pid, number, unit in all_units:
        if pid not in kinds or number < begin:
            continue
        stream = elementary(kinds[pid], unit)
        sums[pid][0] += 1
        sums[pid][1].update(stream)
        sums[pid][2].update(unit)
        if args.list:
            pts, dts = pes_times(unit)
            print(json.dumps({"pid": pid, "pts": pts, "dts": dts, "bytes": len(stream),
                              "es": hashlib.sha256(stream).hexdigest()[:16]}))
    for pid, (count, stream, whole) in sorted(sums.items()):
        print(json.dumps({"pid": pid, "stream_type": kinds[pid], "pes": count,
                          "es_sha256": stream.hexdigest(), "pes_sha256": whole.hexdigest()}))


if __name__ == "__main__":
    main()
