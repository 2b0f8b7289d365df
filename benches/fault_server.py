"""An HTTP front whose faults are switched from outside: for benches/faults, on loopback only.

In: requests with a Content-Length or a chunked body. Out: the answer of a backend, which is a
folder with PUT, GET and DELETE (`Folder`) or a server that is asked in turn (`Upstream`), so that
whoever is compared meets one and the same fault, made by one and the same code.

    front = Front(Folder(path)); front.set("unavailable"); front.set("open"); front.close()

| state       | what a client meets                                                            |
|-------------|--------------------------------------------------------------------------------|
| open        | the backend                                                                    |
| unavailable | the body is taken and dropped, the answer is 503                               |
| stalled     | connections are accepted; no body is read and nothing answered till it is over |
| refused     | no socket listens, open connections are reset                                  |

An object is stored when its whole body is there, never in part. The Host header passes unchanged,
because signatures cover it. No TLS, no authentication of its own.
"""

import contextlib
import http.client
import http.server
import itertools
import pathlib
import socket
import socketserver
import struct
import threading
import urllib.parse

STATES = ("open", "unavailable", "stalled", "refused")
# Of the connection and not of the message: http.client makes its own for each hop.
OF_THE_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}
RESET = struct.pack("ii", 1, 0)


class Folder:
    """Objects as files; a name is what stands after the last `/`, there are no folders in it.

    Of two PUTs of one name that of the later connection stays: threads must not lose what a client wrote in order.
    """

    def __init__(self, path):
        self.path, self.written, self.lock = pathlib.Path(path), {}, threading.Lock()

    def answer(self, method, target, _headers, body, turn):
        name = pathlib.PurePosixPath(urllib.parse.unquote(urllib.parse.urlsplit(target).path)).name
        file = self.path / name
        if method == "PUT":
            with self.lock:
                if turn >= self.written.get(name, 0):
                    self.written[name] = turn
                    file.write_bytes(body)
            return 201, [], b""
        if not name or not file.is_file():
            return 404, [], b""
        if method == "DELETE":
            file.unlink(missing_ok=True)
            return 204, [], b""
        return 200, [], file.read_bytes()


class Upstream:
    """The server at `host:port`, asked on a connection of its own for each request."""

    def __init__(self, host, port):
        self.host, self.port = host, port

    def answer(self, method, target, headers, body, _turn):
        upstream = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            upstream.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                if name.lower() not in OF_THE_HOP:
                    upstream.putheader(name, value)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            reply = upstream.getresponse()
            kept = [(name, value) for name, value in reply.getheaders() if name.lower() not in OF_THE_HOP]
            length = reply.getheader("Content-Length") if method == "HEAD" else None
            return reply.status, kept + [("Content-Length", length)] * bool(length), reply.read()
        except (OSError, http.client.HTTPException) as error:
            return 502, [], str(error).encode()
        finally:
            upstream.close()


class Front:
    """Listens on a free port of loopback, `port`, until `close`."""

    def __init__(self, backend):
        self.backend, self.state, self.connections = backend, "open", set()
        self.refusals = 0  # answers 503
        self.waiting = 0   # requests that wait for the end of a stall
        self.turns = itertools.count(1)  # of connections, as they came
        self.changed = threading.Condition()
        self.server = self.port = self.newest = None
        self._listen(0)

    def set(self, state):
        assert state in STATES
        if state == "refused":
            self._unlisten()
        with self.changed:
            self.state = state
            self.changed.notify_all()
        if state == "refused":
            self._reset_all()
        elif self.server is None:
            self._listen(self.port)

    def close(self):
        self.set("refused")

    def drain(self, seconds):
        """Waits until what clients sent before they went away has been taken; whether it has."""
        # Connections are accepted in the order they came: once this one is, none waits before it.
        with socket.create_connection(("127.0.0.1", self.port)) as last, self.changed:
            if not self.changed.wait_for(lambda: self.newest == last.getsockname(), seconds):
                return False
        with self.changed:
            return self.changed.wait_for(lambda: not self.connections, seconds)

    def accepted(self, connection, address):
        with self.changed:
            self.connections.add(connection)
            self.newest = address
            self.changed.notify_all()

    def held(self):
        """Waits while stalled, and gives the state after that."""
        with self.changed:
            self.waiting += 1
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.state != "stalled")
            self.waiting -= 1
            return self.state

    def _listen(self, port):
        handler = type("Handler", (Handler,), {"front": self})
        self.server = Listener(("127.0.0.1", port), handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def _unlisten(self):
        server, self.server = self.server, None
        if server:
            server.shutdown()
            server.socket.close()

    def _reset_all(self):
        with self.changed:
            found = list(self.connections)
        for connection in found:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                # Wakes the thread that reads it; its close then sends the reset.
                connection.shutdown(socket.SHUT_RD)


class Listener(socketserver.ThreadingTCPServer):
    """Not HTTPServer, which asks the resolver for the name of the machine first."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def server_bind(self):
        # A server that stalls takes no more than its window. By default loopback would take megabytes.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        super().server_bind()

    def process_request(self, request, client_address):
        front = self.RequestHandlerClass.front
        front.accepted(request, client_address)
        super().process_request(request, (*client_address, next(front.turns)))

    def shutdown_request(self, request):
        request.close()  # nothing gentle before it, so that a reset is one

    def handle_error(self, request, client_address):
        pass


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    front = None

    def finish(self):
        with self.front.changed:
            self.front.connections.discard(self.connection)
            self.front.changed.notify_all()
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self):
        # A client that goes away is part of the play.
        with contextlib.suppress(OSError):
            super().handle()

    def log_message(self, *_):
        pass

    def pass_on(self):
        self.front.held()
        body = self.body()
        state = self.front.held()
        if body is None or state == "refused":
            self.close_connection = True
            return
        if state == "unavailable":
            with self.front.changed:
                self.front.refusals += 1
            self.reply(503, [], b"")
        else:
            self.reply(*self.front.backend.answer(self.command, self.path, self.headers.items(), body,
                                                  self.client_address[-1]))

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on

    def body(self):
        """The whole body, or None where the client went away before its end."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self.chunks()
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        return body if len(body) == length else None

    def chunks(self):
        body = bytearray()
        while True:
            line = self.rfile.readline(64).split(b";")[0].strip()
            if not line:
                return None
            size = int(line, 16)
            chunk = self.rfile.read(size)
            if len(chunk) < size or len(self.rfile.readline(64)) < 2:
                return None
            if size == 0:
                return bytes(body)
            body += chunk

    def reply(self, status, headers, body):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers) and status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

