#!/usr/bin/env bash
# replicate 1.0.7 (Python): `predictions.create(model=.., wait=..)` does not wait. The same call with `version=` does.
#
# `wait` is a documented parameter of `predictions.create`: True, or seconds, become the header "Prefer: wait" or "Prefer: wait=5", with which
# Replicate holds the answer until the output is there. `create` takes `wait` (and `file_encoding_strategy`) out of its parameters and then
# passes only the rest on where the prediction is of a `model` or a `deployment`. No header is sent, so the prediction comes back at once as
# "starting"; a file that was to go as base64 is uploaded to /v1/files instead. The async form does the same.
#
# Seen on 2026-11-29:
#   version    wait=5 -> prefer: wait=5; base64 file -> no upload
#   model      wait=5 -> prefer: None; base64 file -> upload
#   deployment wait=5 -> prefer: None; base64 file -> upload
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet replicate==1.0.7

"$folder/venv/bin/python" - <<'EOF'
import asyncio
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import replicate

asked = []
PREDICTION = {
    "id": "gm3qorzdhgbfurvjtvhg6dckhu",
    "model": "owner/name",
    "version": "f" * 64,
    "status": "starting",
    "input": {},
    "output": None,
    "logs": "",
    "error": None,
    "created_at": "2026-11-29T08:00:00.123Z",
    "urls": {},
}
FILE = {
    "id": "file-1",
    "name": "fox.png",
    "content_type": "image/png",
    "size": 4,
    "etag": "e",
    "checksums": {"sha256": "0"},
    "metadata": {},
    "created_at": "2026-11-29T08:00:00.123Z",
    "expires_at": "2026-11-30T08:00:00.123Z",
    "urls": {"get": "https://api.replicate.com/v1/files/file-1"},
}


class Api(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        asked.append((self.path, self.headers.get("prefer")))
        body = json.dumps(FILE if self.path == "/v1/files" else PREDICTION).encode()
        self.send_response(201)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = replicate.Client(api_token="a-token", base_url=f"http://127.0.0.1:{server.server_port}")

expected = {"version": ("wait=5", False), "model": (None, True), "deployment": (None, True)}
for what, value in {"version": "f" * 64, "model": "owner/name", "deployment": "owner/name"}.items():
    for is_async in (False, True):
        asked.clear()
        given = {what: value, "input": {"image": io.BytesIO(b"\x89PNG")}, "wait": 5, "file_encoding_strategy": "base64"}
        if is_async:
            asyncio.run(client.predictions.async_create(**given))
        else:
            client.predictions.create(**given)
        uploads, prefer = [path for path, _ in asked].count("/v1/files"), asked[-1][1]
        if not is_async:
            print(f"{what:10} wait=5 -> prefer: {prefer}; base64 file -> {'upload' if uploads else 'no upload'}")
        assert (prefer, bool(uploads)) == expected[what], (what, is_async, asked)
EOF
