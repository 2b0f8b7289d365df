#!/usr/bin/env python3
"""Judge MPEG-TS segments: tscheck.py [--joined] [--clock-may-jump] [--allow-torn] [--no-key] FILE...

An oracle for tests, written from ISO/IEC 13818-1 and kept apart from the
recorder's own parser. Per file it prints one JSON line per problem
({"file", "packet", "pid", "problem"}) and one summary line; the exit code is 1
if any file has a problem. A segment is good when:

 1. it is whole 188-byte packets, the first the PAT, the second the PMT;
 2. continuity counters are gapless per PID (a packet may be sent twice);
 3. every PID is announced: PAT, PMT, SDT, the PMT's streams and PCR PID;
 4. every PSI section has its right CRC;
 5. no PES is torn: each PID begins with a PES start, a declared length is met
    exactly, also by the last PES (`--allow-torn` lets the ends be torn);
 6. each video begins with a key access unit (not with `--no-key`);
 7. DTS rise per PID (modulo 2^33), and PTS are not before DTS;
 8. the PCR PID carries PCRs.

With `--joined` the files are one stream: 2 and 7 hold over the joins too, but
for 7 with `--clock-may-jump`. Not judged, only told in the summary: the largest
PCR gap and the smallest lead of a DTS over the PCR, both in milliseconds.
"""

import argparse
import json
import sys

WRAP = 1 << 33
H264, H265, MPEG2 = {0x1B}, {0x24}, {0x01, 0x02}
VIDEO = H264 | H265 | MPEG2
SECTION_TYPES = {0x05, 0x0A, 0x0B, 0x0C, 0x0D, 0x86}


def crc32(data, crc=0xFFFFFFFF):
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x104C11DB7) if crc & 0x80000000 else crc << 1
    return crc


def nals(data):
    """NAL units (or MPEG-2 start code bodies) of an Annex B access unit."""
    at = data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        yield data[at + 3:following if following >= 0 else len(data)]
        at = following


def exact_recovery_point(sei):
    """H.264 D.1.8: a recovery point SEI with recovery_frame_cnt 0."""
    body, at = sei[1:].replace(b"\0\0\3", b"\0\0"), 0
    while at + 2 < len(body):
        fields = []
        for _ in ("type", "size"):
            value = 0
            while at < len(body) and body[at] == 0xFF:
                value, at = value + 255, at + 1
            if at >= len(body):
                return False
            fields.append(value + body[at])
            at += 1
        if fields[0] == 6:
            return at < len(body) and bool(body[at] & 0x80)  # ue(v) 0 is the single bit 1
        at += fields[1]
    return False


def is_key(stream_type, data):
    """Whether the first access unit is one to start decoding at; None for what is not video."""
    if stream_type not in VIDEO:
        return None
    recovery = sequence = False
    for nal in nals(data):
        if not nal:
            continue
        if stream_type in H264:
            kind = nal[0] & 0x1F
            recovery |= kind == 6 and exact_recovery_point(nal)
            if 1 <= kind <= 5:
                return kind == 5 or recovery
        elif stream_type in H265:
            kind = nal[0] >> 1 & 0x3F
            if kind < 32:
                return 16 <= kind <= 23
        else:
            sequence |= nal[0] == 0xB3
            if nal[0] == 0 and len(nal) > 2:
                return sequence and nal[2] >> 3 & 7 == 1
    return False


def stamp(data):
    return (data[0] >> 1 & 7) << 30 | data[1] << 22 | data[2] >> 1 << 15 | data[3] << 7 | data[4] >> 1


def pes_times(data):
    """(PTS, DTS) of a PES, None where absent; DTS is the PTS if only that is there."""
    if len(data) < 9 or data[6] >> 6 != 2:
        return None, None
    pts = stamp(data[9:14]) if data[7] & 0x80 and len(data) >= 14 else None
    return pts, stamp(data[14:19]) if data[7] & 0x40 and len(data) >= 19 else pts


def parse_pat(section):
    """{program_number: PMT PID}."""
    loop = section[8:-4]
    return {loop[i] << 8 | loop[i + 1]: (loop[i + 2] & 0x1F) << 8 | loop[i + 3]
            for i in range(0, len(loop) - 3, 4) if loop[i] << 8 | loop[i + 1]}


def parse_pmt(section):
    """(PCR PID, {PID: stream_type})."""
    at, streams = 12 + ((section[10] & 15) << 8 | section[11]), {}
    while at + 5 <= len(section) - 4:
        streams[(section[at + 1] & 0x1F) << 8 | section[at + 2]] = section[at]
        at += 5 + ((section[at + 3] & 15) << 8 | section[at + 4])
    return (section[8] & 0x1F) << 8 | section[9], streams


class Sections:
    """Collects the sections of one PID."""

    def __init__(self):
        self.open = None

    def push(self, unit_start, data):
        """Sections that end in this packet."""
        if unit_start:
            before, data = data[1:1 + data[0]], data[1 + data[0]:]
            yield from self._take(before)
            self.open = b""
        yield from self._take(data)

    def _take(self, data):
        if self.open is None:
            return
        self.open += data
        while len(self.open) >= 3 and self.open[0] != 0xFF:
            size = 3 + ((self.open[1] & 15) << 8 | self.open[2])
            if len(self.open) < size:
                return
            whole, self.open = self.open[:size], self.open[size:]
            yield whole
        if self.open and self.open[0] == 0xFF:
            self.open = None


class Checker:
    """Judges one file; `counters` and `dts` come from the file before if joined."""

    def __init__(self, name, args, counters, dts):
        self.name, self.args, self.counters, self.dts = name, args, counters, dts
        self.problems, self.packet = 0, 0
        self.pmt_pids, self.streams, self.pcr_pids = set(), {}, set()
        self.tables, self.open, self.pes_count = {}, {}, {}
        self.pcrs, self.pcr_gap, self.pcr_base, self.lead = {}, 0, None, None
        self.bad_pids = set()  # already reported: one line per PID is enough

    def bad(self, problem, pid=None):
        self.problems += 1
        print(json.dumps({"file": self.name, "packet": self.packet, "pid": pid, "problem": problem}))

    def run(self, data):
        if not data or len(data) % 188:
            self.bad(f"{len(data)} bytes are not whole packets")
        for self.packet in range(len(data) // 188):
            packet = data[self.packet * 188:self.packet * 188 + 188]
            if packet[0] != 0x47:
                self.bad("no sync byte")
            else:
                self.push(packet)
        for pid, pes in list(self.open.items()):
            self.end_pes(pid, pes, at_end=True)
        for pcr_pid in self.pcr_pids - set(self.pcrs) - {0x1FFF}:
            self.bad("no PCR", pcr_pid)
        if not self.streams:
            self.bad("no PMT")
        print(json.dumps({
            "file": self.name, "problems": self.problems, "packets": len(data) // 188,
            "pes": {f"{pid:#x}": count for pid, count in sorted(self.pes_count.items())},
            "max_pcr_gap_ms": self.pcr_gap // 90,
            "min_dts_lead_ms": None if self.lead is None else self.lead // 90}))

    def push(self, packet):
        pid, start = (packet[1] & 0x1F) << 8 | packet[2], bool(packet[1] & 0x40)
        if self.packet == 0 and not (pid == 0 and start):
            self.bad("first packet is not the PAT", pid)
        if self.packet == 1 and not (pid in self.pmt_pids and start):
            self.bad("second packet is not the PMT", pid)
        if packet[1] & 0x80:
            self.bad("transport error indicator", pid)
        if pid == 0x1FFF:
            return
        field = packet[5:5 + packet[4]] if packet[3] & 0x20 else b""
        payload = packet[4 + (packet[3] >> 5 & 1) * (1 + packet[4]):] if packet[3] & 0x10 else b""
        if self.repeated(pid, packet, payload, bool(field) and bool(field[0] & 0x80)):
            return
        if field and field[0] & 0x10 and len(field) >= 7:
            self.pcr(pid, int.from_bytes(field[1:5], "big") << 1 | field[5] >> 7, bool(field[0] & 0x80))
        if pid in self.pmt_pids or pid in (0, 0x11):
            for section in self.tables.setdefault(pid, Sections()).push(start, payload) if payload else ():
                self.section(pid, section)
        elif pid not in self.streams and pid not in self.pcr_pids:
            if pid not in self.bad_pids:
                self.bad("PID is not announced", pid)
            self.bad_pids.add(pid)
        elif payload and not packet[3] & 0xC0 and self.streams.get(pid) not in SECTION_TYPES:
            self.pes(pid, start, payload)

    def repeated(self, pid, packet, payload, discontinuity):
        """Judge the counter; true for the second copy of a packet."""
        counter, (last, body, copies) = packet[3] & 15, self.counters.get(pid, (None, b"", 0))
        if last is not None and payload and counter == last and payload == body and copies == 0:
            self.counters[pid] = (last, body, 1)
            return True
        expected = None if last is None else (last + 1) % 16 if payload else last
        if expected not in (None, counter) and not discontinuity:
            self.bad(f"continuity counter {counter}, expected {expected}", pid)
        self.counters[pid] = (counter, payload or body, copies if not payload else 0)
        return False

    def pcr(self, pid, base, discontinuity):
        if pid in self.pcr_pids:
            if pid in self.pcrs and not discontinuity:
                self.pcr_gap = max(self.pcr_gap, (base - self.pcrs[pid]) % WRAP)
            self.pcrs[pid] = self.pcr_base = base

    def section(self, pid, section):
        if crc32(section):
            return self.bad("wrong CRC", pid)
        if section[0] == 0 and pid == 0:
            self.pmt_pids = set(parse_pat(section).values())
        elif section[0] == 2 and pid in self.pmt_pids:
            pcr_pid, streams = parse_pmt(section)
            self.pcr_pids.add(pcr_pid)
            self.streams.update(streams)

    def pes(self, pid, start, payload):
        if start:
            if pid in self.open:
                self.end_pes(pid, self.open.pop(pid))
            self.open[pid] = [payload]
            dts = pes_times(payload)[1]
            if dts is not None and self.pcr_base is not None:
                lead = (dts - self.pcr_base + WRAP // 2) % WRAP - WRAP // 2
                self.lead = lead if self.lead is None else min(self.lead, lead)
        elif pid in self.open:
            self.open[pid].append(payload)
        elif pid not in self.bad_pids and not self.args.allow_torn:
            self.bad_pids.add(pid)
            self.bad("payload before the first PES start", pid)

    def end_pes(self, pid, parts, at_end=False):
        pes = b"".join(parts)
        number = self.pes_count[pid] = self.pes_count.get(pid, 0) + 1
        if pes[:3] != b"\0\0\1" or len(pes) < 9:
            return self.bad("PES start code is missing", pid)
        declared = pes[4] << 8 | pes[5]
        if declared and declared + 6 != len(pes) and not (at_end and self.args.allow_torn):
            self.bad(f"PES of {len(pes)} bytes declares {declared + 6}", pid)
        kind = self.streams.get(pid)
        if number == 1 and not self.args.no_key and is_key(kind, pes[9 + pes[8]:]) is False:
            self.bad("does not begin with a key frame", pid)
        pts, dts = pes_times(pes)
        if dts is None:
            return None
        if (pts - dts) % WRAP >= WRAP // 2:
            self.bad("PTS before DTS", pid)
        last = self.dts.get(pid)
        if last is not None and not 0 < (dts - last) % WRAP < WRAP // 2:
            self.bad(f"DTS {dts} after {last}", pid)
        self.dts[pid] = dts
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for flag in ("--joined", "--clock-may-jump", "--allow-torn", "--no-key"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    problems, counters, dts = 0, {}, {}
    for name in args.files:
        if not args.joined:
            counters = {}
        if not args.joined or args.clock_may_jump:
            dts = {}
        checker = Checker(name, args, counters, dts)
        with open(name, "rb") as file:
            checker.run(file.read())
        problems += checker.problems
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
