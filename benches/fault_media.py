"""The media of benches/faults: made, sent in real time, and found again in what was stored.

A video frame is known by the MD5 of its payload, which stream copy leaves as it is; all frames of all inputs
differ. Frames are numbered from 0; those of two inputs with one number are of one moment. Times in seconds.
"""

import contextlib
import json
import pathlib
import socket
import subprocess
import threading
import time

RATE, SECONDS, KEY_EACH = 25, 24, 2
PACKET = 188
FFMPEG = ["ffmpeg", "-nostdin", "-v", "error", "-y"]


def probe(path):
    """Video packets of a file in order; empty where it is none."""
    found = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_packets", "-show_data_hash", "md5",
         "-show_entries", "packet=pos,flags,data_hash", "-of", "json", path],
        capture_output=True, text=True, check=False).stdout
    return json.loads(found or "{}").get("packets", [])


def hashes(path):
    return [packet["data_hash"] for packet in probe(path) if "data_hash" in packet]


def decodes(path):
    """Whether it decodes alone without a word."""
    tried = subprocess.run([*FFMPEG, "-xerror", "-i", path, "-map", "0:v:0", "-f", "null", "-"],
                           capture_output=True, check=False)
    return tried.returncode == 0 and not tried.stderr


class Media:
    """One input, made on the spot. `look` is a filter that tells its pictures from another's."""

    def __init__(self, path, look):
        self.path = pathlib.Path(path)
        subprocess.run(
            [*FFMPEG, "-f", "lavfi", "-i", f"testsrc2=size=640x360:rate={RATE}:duration={SECONDS},{look}",
             "-f", "lavfi", "-i", f"sine=sample_rate=48000:duration={SECONDS}",
             "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", str(RATE * KEY_EACH),
             "-keyint_min", str(RATE * KEY_EACH), "-sc_threshold", "0", "-b:v", "6M", "-minrate", "6M",
             "-maxrate", "6M", "-bufsize", "3M", "-x264-params", "nal-hrd=cbr", "-c:a", "aac", "-b:a", "64k",
             "-f", "mpegts", self.path], check=True)
        self.data = self.path.read_bytes()
        packets = probe(self.path)
        self.number = {packet["data_hash"]: i for i, packet in enumerate(packets)}
        self.begin = [int(packet["pos"]) for packet in packets] + [len(self.data)]
        if len(self.number) != RATE * SECONDS:
            raise ValueError(f"{len(packets)} frames, {len(self.number)} of them different: not {RATE * SECONDS}")

    def entry(self, frame):
        """Where a receiver that joins at this frame begins: at the tables before it."""
        at = self.begin[frame]
        while at > 0 and self.data[at + 1] & 0x1F or self.data[at + 2]:  # until PID 0
            at -= PACKET
        return at

    def numbers(self, found):
        return {self.number[each] for each in found if each in self.number}


class Source:
    """A sender that waits for one receiver at `url`, who comes in the second `joined`, and from the next key frame
    on sends a frame each 1/25 s."""

    def __init__(self, media, joined=0):
        self.media, self.joined, self.frames = media, joined, 0
        self.first = -(-joined // KEY_EACH) * KEY_EACH * RATE
        self.begun, self.over = threading.Event(), threading.Event()
        self.zero = None       # when the receiver came
        self.behind = (0.0, 0)  # the most seconds of media due that the receiver had not read, and when
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"tcp://127.0.0.1:{self.port}"
        threading.Thread(target=self._serve, daemon=True).start()

    def now(self):
        return time.monotonic() - self.zero

    def sent(self):
        """Numbers of the frames that were sent whole."""
        return set(range(self.first, self.first + self.frames))

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self):
        try:
            connection, _ = self.listener.accept()
        except OSError:
            return
        self.zero = time.monotonic()
        self.begun.set()
        with connection, contextlib.suppress(OSError):
            self._send(connection)
        self.over.set()

    def _send(self, connection):
        media, at = self.media, self.media.entry(self.first)
        rate = len(media.data) / SECONDS
        for frame in range(self.first, RATE * SECONDS):
            due = (frame + 1) / RATE - self.joined
            time.sleep(max(0.0, due - self.now()))
            # Not how late this is: a busy machine wakes the sender late too.
            begun, waits = self.now(), unread(self.port) / rate
            end = media.begin[frame + 1]
            connection.sendall(media.data[at:end])
            self.behind = max(self.behind, (waits + self.now() - begun, begun))
            self.frames, at = self.frames + 1, end


def unread(port):
    """Bytes of the sender at `port` that the kernel holds: kernels take megabytes before a sender feels anything."""
    total, port = 0, f":{port:04X}"
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines():
        _, local, remote, _, queues, *_ = line.split()
        if local.endswith(port):
            total += int(queues.split(":")[0], 16)
        elif remote.endswith(port):
            total += int(queues.split(":")[1], 16)
    return total


def entries(playlist):
    """(URI, EXTINF) of what a player would fetch; what is marked as a gap is none."""
    gap, length, found = False, 0.0, []
    for line in map(str.strip, playlist.splitlines()):
        if line == "#EXT-X-GAP":
            gap = True
        elif line.startswith("#EXTINF:"):
            length = float(line[8:].split(",")[0])
        elif line and not line.startswith("#"):
            if not gap:
                found.append((line, length))
            gap = False
    return found


def play(store, scratch):
    """What playing all playlists of a store gives: the frames' hashes in order, and counts of what it cannot give."""
    found, counts = [], {"playlists": {}, "listed": 0, "missing": 0, "undecodable": 0, "length_off_s": 0.0}
    for name in store.playlists():
        text = (store.read(name) or b"").decode(errors="replace")
        counts["playlists"][name] = {"bytes": len(text), "ended": "#EXT-X-ENDLIST" in text}
        for uri, length in entries(text):
            counts["listed"] += 1
            body = store.read(uri)
            if body is None:
                counts["missing"] += 1
                continue
            segment = pathlib.Path(scratch) / "segment.ts"
            segment.write_bytes(body)
            if not decodes(segment):
                counts["undecodable"] += 1
                continue
            frames = hashes(segment)
            counts["length_off_s"] = max(counts["length_off_s"], round(abs(len(frames) / RATE - length), 2))
            found += frames
    return found, counts


def in_files(paths):
    """Hashes of the frames in segments, whether a list names them or not."""
    return {each for path in paths for each in hashes(path)}
