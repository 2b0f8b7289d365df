"""The recorders of benches/faults, as processes, and the places where they store.

Each recorder gives a command line for a source and a target, a front for uploads, and what it said last. Nothing is
judged here.
"""

import contextlib
import importlib.util
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

from fault_media import SECONDS
from fault_server import Folder, Front, Upstream

REPO = pathlib.Path(__file__).resolve().parent.parent
PATIENCE = 100  # seconds for a recorder to end after its input has: tapeline gives a store 60


class Missing(Exception):
    """Something that has to be installed or built first."""


class Directory:
    """What is stored, in a folder."""

    def __init__(self, path):
        self.path = pathlib.Path(path)

    def playlists(self):
        return sorted(path.name for path in self.path.glob("*.m3u8"))

    def read(self, uri):
        file = self.path / urllib.parse.unquote(uri)
        return file.read_bytes() if file.is_file() else None


class Bucket:
    """What is stored of one recording, in the S3 server itself: no fault is between."""

    def __init__(self, s3, root, sid):
        self.s3, self.root, self.sid = s3, root, sid

    def playlists(self):
        return [name for name in (f"{self.sid}_main.m3u8",) if self.read(name) is not None]

    def read(self, uri):
        return self.s3.get(f"/rec/{self.root}/{uri}")


class S3:
    """The S3 server of .ci/s3. `start` uses one that runs already; `close` ends it only if it did not."""

    def __init__(self):
        self.ours, self.environment = False, {}

    def start(self):
        if not (REPO / ".ci/cache/venv/bin/weed").exists():
            raise Missing("there is no S3 server: .ci/install s3")
        with socket.socket() as probe:
            self.ours = probe.connect_ex(("127.0.0.1", 8333 + int(os.environ.get("TAPELINE_S3_SHIFT", "0")))) != 0
        started = subprocess.run([REPO / ".ci/s3", "start"], capture_output=True, text=True, check=False)
        if started.returncode != 0:
            self.ours = False
            raise Missing(f"the S3 server does not start: {started.stderr.strip()}")
        self.environment = dict(re.findall(r"^export (\w+)=(.*)$", started.stdout, re.M))
        self.url = urllib.parse.urlsplit(self.environment["AWS_ENDPOINT_URL"])
        spec = importlib.util.spec_from_file_location("bucket", REPO / ".ci/bucket.py")
        self.bucket = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.bucket)

    def get(self, path):
        with contextlib.suppress(OSError):
            return self.bucket.send(self.url.geturl(), "GET", path, self.environment["AWS_ACCESS_KEY_ID"],
                                    self.environment["AWS_SECRET_ACCESS_KEY"])

    def close(self):
        if self.ours:
            subprocess.run([REPO / ".ci/s3", "stop"], check=False)


class Worker:
    """A recorder's process, with the source that it reads. Always ended, by its own pid."""

    def __init__(self, command, source, log, environment):
        self.source, self.log, self.ended_at = source, pathlib.Path(log), None
        self.asked = None  # the frames sent before it was asked to end, or killed
        with open(log, "wb") as out:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=out,
                                            stderr=out, env=environment, start_new_session=True)
        self.watch = threading.Thread(target=self._watch, daemon=True)
        self.watch.start()

    def begin(self):
        while not self.source.begun.wait(0.1):
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args[0]} ended before it took any input:\n{self.log.read_text()}")

    def send(self, signals):
        """The second 2 ms after the first was taken: of two that wait, a process gets one."""
        self.asked = self.source.sent()
        for i, name in enumerate(signals):
            number = getattr(signal, f"SIG{name}")
            if i > 0:
                while self._waits(number):
                    time.sleep(0.0002)
                time.sleep(0.002)
            self.process.send_signal(number)

    def _waits(self, number):
        with contextlib.suppress(OSError), open(f"/proc/{self.process.pid}/status") as status:
            return any(int(line.split()[1], 16) >> number - 1 & 1 for line in status if line.startswith("ShdPnd:"))
        return False

    def _watch(self):
        self.process.wait()
        self.ended_at = time.monotonic()

    def wait(self):
        """Its exit code; None where it had to be killed."""
        self.watch.join(SECONDS + PATIENCE)
        alive = self.watch.is_alive()
        self.close()
        self.watch.join()
        return None if alive else self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.source.close()


class Ffmpeg:
    """What users deploy; at level warning, so that it can say all that it knows."""

    name = "ffmpeg"

    def __init__(self, flags):
        self.flags, self.environment = flags, None

    def command(self, source, target, again):  # a supervisor says the same again
        put = ["-method", "PUT"] if target.startswith("http") else []
        return ["ffmpeg", "-nostdin", "-v", "level+warning", "-i", source.url, "-c", "copy", "-f", "hls",
                "-hls_time", "2", "-hls_list_size", "0", *put, *self.flags, f"{target}/index.m3u8"]

    def front(self, folder):
        front = Front(Folder(folder))
        return front, f"http://127.0.0.1:{front.port}", Directory(folder)

    def said(self, log):
        """The last error, else how many warnings there are."""
        errors = re.findall(r"^.*\[(?:error|fatal)\] (.*)$", log, re.M)
        warnings = len(re.findall(r"\[warning\]", log))
        if errors:
            return errors[-1]
        return f"{warnings} warnings" if warnings else "nothing"


class Tapeline:
    """A folder has its spool inside; for S3 the spool is in the same place, beside nothing."""

    name = "tapeline"
    flags = ()

    def __init__(self, binary, s3, root, sid):
        self.binary, self.s3, self.root, self.sid = binary, s3, root, sid
        self.environment, self.server = {**os.environ, **(s3.environment if s3 else {})}, []

    def command(self, source, target, again):
        return [self.binary, "record", source.url, "--to", target, "--sid", self.sid, "--segment", "2s",
                *self.server, *(["--resume"] if again else [])]

    def front(self, folder):
        front = Front(Upstream(self.s3.url.hostname, self.s3.url.port))
        self.server = ["--endpoint", f"http://127.0.0.1:{front.port}", "--spool", self.spool(folder)]
        return front, f"s3://rec/{self.root}", Bucket(self.s3, self.root, self.sid)

    def spool(self, folder):
        return pathlib.Path(folder) / ".tapeline/spool"

    def salvage(self, folder):
        """What the verb said, or None where this build has none."""
        known = subprocess.run([self.binary, "salvage", "--help"], capture_output=True, check=False)
        if known.returncode != 0:
            return None
        done = subprocess.run([self.binary, "salvage", "--spool", self.spool(folder), *self.server[:2]],
                              env=self.environment, capture_output=True, text=True, check=False)
        return {"exit": done.returncode, "said": (done.stdout + done.stderr).strip()}

    def said(self, log):
        lines = [line for line in log.splitlines() if not line.startswith("stored ")]
        return lines[-1] if lines else "nothing"
