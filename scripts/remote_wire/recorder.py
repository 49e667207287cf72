"""A server that records requests byte for byte, with answers from a provider's file."""

import json
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Request:
    """One request as it arrived: the path has the bytes of the request line, and headers keep their order; names are in lower case."""

    method: str
    path: str
    query: str
    headers: list
    body: bytes

    def header(self, name):
        return next((value for known, value in self.headers if known == name), None)


@dataclass
class Answer:
    """The answer to a request; a body that is not bytes is sent as JSON."""

    body: object = b""
    status: int = 200
    headers: dict = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # A client that has read an answer's head need not read the rest.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Recorder:
    """Listens on a free port of this machine until it is closed. `answer` may be changed at any time."""

    def __init__(self, answer):
        self.answer, self._requests, self._lock = answer, [], threading.Lock()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 60

            def __getattr__(self, name):
                if name.startswith("do_"):
                    return self._serve
                raise AttributeError(name)

            def _serve(self):
                # Python normalizes self.path; the request line is the original.
                target = self.raw_requestline.decode("latin-1").split(" ")[1]
                path, _, query = target.partition("?")
                headers = [(name.lower(), value) for name, value in self.headers.items()]
                request = Request(self.command, path, query, headers, self._body())
                with recorder._lock:
                    recorder._requests.append(request)
                answer = recorder.answer(request)
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                given = {} if isinstance(answer.body, bytes) else {"content-type": "application/json"}
                self.send_response(answer.status)
                for name, value in (given | answer.headers | {"content-length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def _body(self):
                if (self.headers.get("transfer-encoding") or "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length") or 0))
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                while self.rfile.readline().strip():
                    pass
                return body

            def log_message(self, *_):
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self):
        """The requests since the last call."""
        with self._lock:
            requests, self._requests = self._requests, []
        return requests

    def close(self):
        self._server.shutdown()
        self._server.server_close()
