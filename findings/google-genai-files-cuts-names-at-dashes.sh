#!/usr/bin/env bash
# google-genai 3.6.1: `client.files` takes a file's https address, and cuts the name within it at the first dash. It then reads, downloads or
# deletes another file.
#
# A file's id is "lowercase alphanumeric or dashes", and "files/123-456" is the example of Google's own documentation (the field `name` of
# `types.File` has it too). Such a file's `uri` is ".../v1beta/files/123-456". `files.get`, `files.download` and `files.delete` take that
# address, but `t_file_name` finds the id with `[a-z0-9]+`, so that they ask for "files/123". If there is such a file, `delete` deletes it.
# By its name ("files/123-456") the same file is found. A Veo video is downloaded by its address (`files.download(file=video)`).
#
# Seen on 2026-11-29:
#   get       files/123-456 asks for /files/123-456, its uri for /files/123
#   download  files/123-456 asks for /files/123-456, its uri for /files/123
#   delete    files/123-456 asks for /files/123-456, its uri for /files/123
#   after deleting files/123-456 by its uri, there is ['files/123-456']
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet google-genai==3.6.1

"$folder/venv/bin/python" - <<'EOF'
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google import genai
from google.genai import types

GOOGLE = "https://generativelanguage.googleapis.com/v1beta/"
files, asked = {}, []


class Api(BaseHTTPRequestHandler):
    """The files of the Gemini API, as far as they are asked for here."""

    def do_GET(self):
        self.answer(lambda name: {"name": name, "uri": GOOGLE + name})

    def do_DELETE(self):
        self.answer(lambda name: files.pop(name, None) and {})

    def answer(self, act):
        name = self.path.split("?")[0].split("/", 2)[2].removesuffix(":download")
        asked.append("/" + name)
        status, body = (200, act(name)) if name in files else (404, {"error": {"code": 404, "message": "no such file", "status": "NOT_FOUND"}})
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = genai.Client(api_key="a-key", http_options={"base_url": f"http://127.0.0.1:{server.server_port}"})

uri = GOOGLE + "files/123-456"
assert "files/123-456" in types.File.model_fields["name"].description, "the example in the documentation is another"
calls = {
    "get": (lambda: client.files.get(name="files/123-456"), lambda: client.files.get(name=uri)),
    "download": (
        lambda: client.files.download(file="files/123-456"),
        lambda: client.files.download(file=types.Video(uri=uri + ":download?alt=media")),
    ),
    "delete": (lambda: client.files.delete(name="files/123-456"), lambda: client.files.delete(name=uri)),
}
for verb, (by_name, by_uri) in calls.items():
    files.update({"files/123": 1, "files/123-456": 1})
    asked.clear()
    by_name()
    files.update({"files/123": 1, "files/123-456": 1})
    by_uri()
    print(f"{verb:9} files/123-456 asks for {asked[0]}, its uri for {asked[1]}")
    assert asked == ["/files/123-456", "/files/123"], f"{verb} finds the name in the address now"
print(f"after deleting files/123-456 by its uri, there is {list(files)}")
assert list(files) == ["files/123-456"], "the file that was meant is deleted now"
EOF
