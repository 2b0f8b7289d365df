"""Tests of benches/faults: that its front makes each fault, and that its account finds each loss."""

import collections
import http.client
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import unittest

REPO = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "benches"))
from fault_media import entries, hashes, play  # noqa: E402
from fault_server import Folder, Front, Upstream  # noqa: E402


def ask(port, method, name, body=None, **options):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, f"/live/{name}", body, **options)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


class FrontTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)
        self.front = Front(Folder(self.folder))
        self.addCleanup(self.front.close)

    def test_open_stores_and_gives_back_whole_and_chunked_bodies(self):
        self.assertEqual(ask(self.front.port, "PUT", "a.ts", b"whole")[0], 201)
        self.assertEqual(ask(self.front.port, "PUT", "b.ts", iter([b"chun", b"ked"]), encode_chunked=True)[0], 201)
        self.assertEqual(ask(self.front.port, "GET", "a.ts"), (200, b"whole"))
        self.assertEqual(ask(self.front.port, "GET", "b.ts"), (200, b"chunked"))
        self.assertEqual(ask(self.front.port, "GET", "c.ts")[0], 404)

    def test_unavailable_answers_503_and_stores_nothing(self):
        self.front.set("unavailable")
        self.assertEqual(ask(self.front.port, "PUT", "a.ts", b"whole")[0], 503)
        self.front.set("open")
        self.assertEqual(ask(self.front.port, "GET", "a.ts")[0], 404)

    def test_stalled_answers_when_it_is_over(self):
        self.front.set("stalled")
        answers = []
        client = threading.Thread(target=lambda: answers.append(ask(self.front.port, "PUT", "a.ts", b"whole")))
        client.start()
        with self.front.changed:
            self.assertTrue(self.front.changed.wait_for(lambda: self.front.waiting == 1, 30))
        self.assertEqual((answers, list(self.folder.iterdir())), ([], []))
        self.front.set("open")
        client.join(30)
        self.assertEqual(answers, [(201, b"")])

    def test_refused_resets_what_is_open_and_refuses_what_is_new_until_it_listens_on_the_same_port(self):
        port = self.front.port
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        kept.request("PUT", "/live/a.ts", b"whole")
        kept.getresponse().read()
        self.front.set("refused")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        self.assertEqual(self.after(kept), b"")
        self.front.set("open")
        self.assertEqual(ask(port, "GET", "a.ts"), (200, b"whole"))

    @staticmethod
    def after(connection):
        try:
            return connection.sock.recv(1)
        except ConnectionResetError:
            return b""
        finally:
            connection.close()

    def test_a_body_that_ends_early_is_not_stored(self):
        with socket.create_connection(("127.0.0.1", self.front.port)) as client:
            client.sendall(b"PUT /live/a.ts HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nwhole\r\n")
        self.assertTrue(self.front.drain(30))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_of_two_puts_the_later_connection_stays(self):
        folder = Folder(self.folder)
        folder.answer("PUT", "/a", [], b"second", 2)
        folder.answer("PUT", "/a", [], b"first", 1)
        self.assertEqual((self.folder / "a").read_bytes(), b"second")

    def test_upstream_keeps_the_host_that_a_signature_covers(self):
        seen = []

        class Backend:
            def answer(self, method, target, headers, body, _turn):
                seen.append((method, target, [value for name, value in headers if name == "Host"], body))
                return 200, [("ETag", '"x"')], b"answer"

        behind = Front(Backend())
        self.addCleanup(behind.close)
        before = Front(Upstream("127.0.0.1", behind.port))
        self.addCleanup(before.close)
        self.assertEqual(ask(before.port, "PUT", "a%20b?x=1", b"body", headers={"Host": "s3"}), (200, b"answer"))
        self.assertEqual(seen, [("PUT", "/live/a%20b?x=1", ["s3"], b"body")])


class Store(dict):
    def playlists(self):
        return [name for name in self if name.endswith(".m3u8")]

    def read(self, name):
        return self.get(name)


class AccountTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.scratch.cleanup)
        folder = pathlib.Path(cls.scratch.name)
        cls.input = REPO / "fixtures/h264_aac.ts"
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", cls.input, "-c", "copy", "-f", "hls", "-hls_time",
                        "4", "-hls_list_size", "0", folder / "index.m3u8"], check=True)
        cls.stored = {path.name: path.read_bytes() for path in folder.iterdir()}

    def lost(self, **changes):
        stored = {**self.stored, **{name.replace("_", "."): body for name, body in changes.items()}}
        found, counts = play(Store(stored), self.scratch.name)
        sent = hashes(self.input)
        return (collections.Counter(sent) - collections.Counter(found)).total() / len(sent), counts

    def test_what_is_stored_and_listed_is_found(self):
        self.assertEqual(self.lost()[0], 0)

    def test_a_missing_segment_is_lost(self):
        lost, counts = self.lost(index1_ts=None)
        self.assertAlmostEqual(lost, 1 / 6)
        self.assertEqual(counts["missing"], 1)

    def test_a_segment_that_does_not_decode_is_lost(self):
        body = bytearray(self.stored["index1.ts"])
        for packet in range(20 * 188, len(body) - 188, 188):
            body[packet + 40:packet + 180] = bytes(140)
        lost, counts = self.lost(index1_ts=bytes(body))
        self.assertAlmostEqual(lost, 1 / 6)
        self.assertEqual(counts["undecodable"], 1)

    def test_an_empty_list_loses_all(self):
        self.assertEqual(self.lost(index_m3u8=b"")[0], 1)

    def test_what_is_marked_as_a_gap_is_not_fetched(self):
        text = "#EXTM3U\n#EXTINF:4.0,\na.ts\n#EXT-X-GAP\n#EXTINF:2.0,\nb.ts\n#EXTINF:3.0,\nc.ts\n"
        self.assertEqual(entries(text), [("a.ts", 4.0), ("c.ts", 3.0)])


if __name__ == "__main__":
    unittest.main()
