"""The oracle's own test: every damage done to a good segment must be found.

Run by `python3 -m unittest discover -s tests/tools`.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent.parent / "fixtures"
sys.path.insert(0, str(FIXTURES))
import tsedit  # noqa: E402  (takes the segment apart to damage it)

VIDEO, AUDIO, PMT = 0x100, 0x101, 0x1000


def good_segment():
    """The main fixture without the SDT that ffmpeg puts before the PAT."""
    return tsedit.split((FIXTURES / "h264_aac.ts").read_bytes())[1:]


class Damage(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.good = good_segment()
        self.units = tsedit.pes(self.good, {VIDEO, AUDIO})

    def check(self, *segments, flags=()):
        """(exit code, problems) of segments given as packet lists or bytes."""
        names = []
        for number, segment in enumerate(segments):
            name = self.folder / f"{number}.ts"
            name.write_bytes(segment if isinstance(segment, bytes) else b"".join(segment))
            names.append(name)
        ran = subprocess.run([sys.executable, HERE / "tscheck.py", *flags, *names],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(ran.stderr, "")
        lines = [json.loads(line) for line in ran.stdout.splitlines()]
        return ran.returncode, [line["problem"] for line in lines if "problem" in line]

    def assert_good(self, *segments, flags=()):
        self.assertEqual(self.check(*segments, flags=flags), (0, []))

    def assert_found(self, what, *segments, flags=(), only=True):
        code, problems = self.check(*segments, flags=flags)
        self.assertEqual(code, 1)
        matching = [problem for problem in problems if what in problem]
        self.assertTrue(matching, problems)
        if only:
            self.assertEqual(matching, problems)

    def without(self, *places):
        return [packet for at, packet in enumerate(self.good) if at not in places]

    def first(self, pid, after=0):
        return next(at for at in range(after, len(self.good)) if tsedit.pid(self.good[at]) == pid)

    def middle_packet(self, pid):
        """Index of a whole-payload packet within a PES, far from both ends."""
        unit = next(u for u in self.units[50:] if u.pid == pid and len(u.at) > 3)
        return unit.at[1]

    def test_a_good_segment_passes(self):
        self.assert_good(self.good)

    def test_a_packet_may_be_sent_twice_but_not_thrice(self):
        at = self.middle_packet(AUDIO)
        twice = self.good[:at + 1] + self.good[at:]
        self.assert_good(twice)
        self.assert_found("continuity counter", self.good[:at + 1] + [self.good[at]] * 2 + self.good[at + 1:],
                          only=False)

    def test_a_lost_packet_is_found(self):
        self.assert_found("continuity counter", self.without(self.middle_packet(VIDEO)))

    def test_a_lost_packet_with_mended_counters_is_found_by_the_pes_length(self):
        self.assert_found("declares", tsedit.renumber(self.without(self.middle_packet(AUDIO))))

    def test_a_missing_pat_or_pmt_is_found(self):
        self.assert_found("first packet", self.without(0), only=False)
        self.assert_found("second packet", self.without(1), only=False)
        no_tables = [p for p in self.good if tsedit.pid(p) not in (0, PMT)]
        self.assert_found("no PMT", no_tables, only=False)

    def test_a_damaged_table_is_found(self):
        for pid in (0, PMT, 0x11):
            at = self.first(pid, after=2)
            broken = bytearray(self.good[at])
            broken[20] ^= 1
            self.assert_found("wrong CRC", self.good[:at] + [bytes(broken)] + self.good[at + 1:])

    def test_an_unannounced_pid_is_found(self):
        at = self.middle_packet(VIDEO)
        self.assert_found("not announced",
                          self.good[:at] + [tsedit.with_pid(self.good[at], 0x123)] + self.good[at:])

    def test_cut_packets_and_lost_sync_are_found(self):
        data = b"".join(self.good)
        self.assert_found("whole packets", data[:-100], only=False)
        self.assert_found("no sync byte", data[:188 * 100] + b"\0" + data[188 * 100 + 1:], only=False)
        self.assert_found("whole packets", b"", only=False)

    def test_a_torn_pes_is_found_at_both_ends_and_allowed_on_demand(self):
        unit = next(u for u in self.units if u.pid == AUDIO)
        torn_start = self.without(unit.at[0])
        last = [u for u in self.units if u.pid == AUDIO][-1]
        torn_end = self.without(last.at[-1])
        self.assert_found("before the first PES start", torn_start)
        self.assert_found("declares", torn_end)
        self.assert_good(torn_start, flags=["--allow-torn"])
        self.assert_good(torn_end, flags=["--allow-torn"])

    def test_a_broken_start_code_is_found(self):
        at = next(u for u in self.units[50:] if u.pid == AUDIO).at[0]
        packet = self.good[at]
        start = 188 - len(tsedit.payload(packet))
        broken = packet[:start] + b"\0\0\2" + packet[start + 3:]
        self.assert_found("start code", self.good[:at] + [broken] + self.good[at + 1:])

    def test_a_beginning_without_a_key_frame_is_found(self):
        first = next(u for u in self.units if u.pid == VIDEO)
        headless = tsedit.renumber(self.without(*first.at))
        self.assert_found("key frame", headless)
        self.assert_good(headless, flags=["--no-key"])
        self.assert_found("key frame", tsedit.split((FIXTURES / "no_key.ts").read_bytes())[1:])

    def test_an_h265_key_frame_is_known(self):
        self.assert_good(tsedit.split((FIXTURES / "h265_aac.ts").read_bytes())[1:])

    def test_times_that_run_back_are_found_but_not_the_wrap(self):
        units = [u for u in self.units if u.pid == AUDIO and len(u.at) > 3]
        one, two = units[3], units[4]
        swapped = self.without(*one.at, *two.at)
        place = one.at[0]
        swapped[place:place] = [self.good[at] for at in two.at + one.at]
        self.assert_found("DTS", tsedit.renumber(swapped), only=True)
        self.assert_good(tsedit.split((FIXTURES / "pts_wrap.ts").read_bytes())[1:])

    def test_a_missing_pcr_is_found(self):
        blind = [p[:5] + bytes([p[5] & 0xEF]) + p[6:] if tsedit.pcr(p) is not None else p for p in self.good]
        self.assert_found("no PCR", blind)

    def test_joined_segments_go_on_where_the_last_ended(self):
        tables = self.good[:2]
        cut = next(u for u in self.units[100:] if u.pid == VIDEO and u.is_key(0x1B)).at[0]
        tail = {at for u in self.units for at in u.at if u.at[0] < cut <= at}
        head = self.good[:cut] + [self.good[at] for at in sorted(tail)]
        rest = tables + [p for at, p in enumerate(self.good) if at >= cut and at not in tail]
        whole = tsedit.renumber(head + rest)
        one, two = whole[:len(head)], whole[len(head):]
        self.assert_good(one, two, flags=["--joined"])
        lost = two[:2] + [p for p in two[3:]]
        self.assert_found("continuity counter", one, lost, flags=["--joined"], only=False)
        apart = tsedit.renumber(two)
        self.assert_good(one, apart)
        self.assert_found("continuity counter", one, apart, flags=["--joined"])
        self.assert_found("DTS", one, one, flags=["--joined"], only=False)
        again = tsedit.renumber(one + one)
        pair = again[:len(one)], again[len(one):]
        self.assert_found("DTS", *pair, flags=["--joined"])
        self.assert_good(*pair, flags=["--joined", "--clock-may-jump"])


class Hashes(unittest.TestCase):
    def hashes(self, *args):
        ran = subprocess.run([sys.executable, HERE / "eshash.py", *map(str, args)],
                             capture_output=True, text=True, timeout=60, check=True)
        return {line["pid"]: line for line in map(json.loads, ran.stdout.splitlines())}

    def test_the_packet_size_does_not_matter(self):
        self.assertEqual(self.hashes(FIXTURES / "m2ts_192.ts"), self.hashes(FIXTURES / "rs_204.ts"))

    def test_segments_hash_like_the_whole_and_a_changed_byte_shows(self):
        packets = good_segment()
        with tempfile.TemporaryDirectory() as folder:
            half, other, changed = (pathlib.Path(folder) / name for name in ("1.ts", "2.ts", "3.ts"))
            half.write_bytes(b"".join(packets[:900]))
            other.write_bytes(b"".join(packets[900:]))
            whole = self.hashes(FIXTURES / "h264_aac.ts")
            self.assertEqual(self.hashes(half, other), whole)
            at = next(u for u in tsedit.pes(packets, {VIDEO}) if u.at[0] > 900).at[0]
            broken = packets[at][:-1] + bytes([packets[at][-1] ^ 1])
            changed.write_bytes(b"".join(packets[900:at] + [broken] + packets[at + 1:]))
            differing = [pid for pid, line in self.hashes(half, changed).items() if line != whole[pid]]
            self.assertEqual(differing, [VIDEO])

    def test_garbage_is_passed_over(self):
        found = self.hashes(FIXTURES / "garbage.ts")
        self.assertGreater(found[VIDEO]["pes"], 280)
        self.assertEqual(set(found), {VIDEO, AUDIO})

    def test_from_first_key_leaves_out_what_comes_before(self):
        everything = self.hashes(FIXTURES / "h264_aac.ts")
        from_key = self.hashes("--from-first-key", FIXTURES / "h264_aac.ts")
        self.assertEqual(everything, from_key)
        second_key = self.hashes("--from-pts", 309600, FIXTURES / "h264_aac.ts")
        self.assertEqual(everything[VIDEO]["pes"] - second_key[VIDEO]["pes"], 50)


if __name__ == "__main__":
    unittest.main()
