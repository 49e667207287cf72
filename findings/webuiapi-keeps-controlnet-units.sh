#!/usr/bin/env bash
# webuiapi 0.9.17: a ControlNet unit of one txt2img call is sent again by every later call of the process, of any client object.
#
# The parameter `alwayson_scripts` has a dictionary as its default, and the call writes its units into it. So a picture that was asked for without
# ControlNets follows the outlines of an earlier one, until a later call has units of its own, or passes `alwayson_scripts={}`.
#
# Seen on 2026-11-30, the names in alwayson_scripts of three calls, of which only the second has a unit, and the last is another client object's:
#   [] ['ControlNet'] ['ControlNet']
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet webuiapi==0.9.17 pillow==13.0.0 requests==2.34.2
cat > "$folder/calls.py" <<'PYTHON'
import base64
import io
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import webuiapi
from PIL import Image

sent = []
file = io.BytesIO()
Image.new("RGB", (8, 8)).save(file, "PNG")
answer = json.dumps({"images": [base64.b64encode(file.getvalue()).decode()], "parameters": {}, "info": "{}"}).encode()


class Server(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(b"{}")

    def do_POST(self):
        sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.answer(answer)

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = lambda: webuiapi.WebUIApi(host="127.0.0.1", port=server.server_port)
api, unit = client(), webuiapi.ControlNetUnit(image=Image.new("RGB", (8, 8)), module="canny", model="canny")
api.txt2img(prompt="a")
api.txt2img(prompt="b", controlnet_units=[unit])
client().txt2img(prompt="c")
print(*(list(call["alwayson_scripts"]) for call in sent))
PYTHON
said=$("$folder/venv/bin/python" "$folder/calls.py")
printf '%s\n' "$said"
[ "$said" = "[] ['ControlNet'] ['ControlNet']" ] || { echo "units are sent otherwise now"; exit 1; }
