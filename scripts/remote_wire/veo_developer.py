"""Veo through Google's Gemini developer API, against google-genai: text and image, an operation's status, and the file.

google-genai 2.34 is the last version that supports it: since 3.0, its `generate_videos` refuses the developer API.
"""

import base64
import os

from remote_wire.bedrock import VIDEO, png
from remote_wire.case import KEY, Case
from remote_wire.recorder import Answer

PACKAGES = ["google-genai==2.34.0"]
PROVIDER = "veo-developer"
MODEL = "veo-3.1-generate-preview"
OPERATION = f"models/{MODEL}/operations/wire1"
IGNORED = {
    "accept": "the client accepts anything; ours requests a file as a video, and Google sends it as one",
    "x-goog-api-client": "names the client program",
}
IMAGE, LAST = png(64, 36), png(32, 18)
PROMPT = 'A fox runs through snow, "fast", at 5 \u00b0C \u2013 \u96ea\nand stops.'


def environment(base):
    return {"GOOGLE_GENAI_USE_VERTEXAI": "false"}


def answer(request):
    base = f"http://{request.header('host')}"
    if request.method == "POST" and request.path == f"/v1beta/models/{MODEL}:predictLongRunning":
        return Answer({"name": OPERATION})
    if request.method == "GET" and request.path == f"/v1beta/{OPERATION}":
        sample = {"video": {"uri": f"{base}/v1beta/files/wire1:download?alt=media"}}
        return Answer({"name": OPERATION, "done": True, "response": {"generateVideoResponse": {"generatedSamples": [sample]}}})
    if request.path == "/v1beta/files/wire1:download" and request.query == "alt=media":
        return Answer(VIDEO, headers={"content-type": "video/mp4"})
    return Answer({"error": {"code": 404, "message": "unknown", "status": "NOT_FOUND"}}, 404)


def file(data):
    return {"format": "png", "bytes": base64.b64encode(data).decode()}


def ours(**request):
    return [{"call": "start", "token": "unused", "request": {"prompt": "", **request}}]


def client(base):
    """The result must be kept in a variable: otherwise the client closes its connections before its first request."""
    from google import genai

    return genai.Client(api_key=KEY, http_options={"base_url": base})


def cases(base):
    from google.genai import types

    google = client(base)

    def start(prompt=None, image=None, **config):
        picture = image and types.Image(image_bytes=image, mime_type="image/png")
        # One video, because each costs money; ours always sends this.
        config = types.GenerateVideosConfig(number_of_videos=1, **config)
        return lambda: google.models.generate_videos(model=MODEL, prompt=prompt, image=picture, config=config)

    last = types.Image(image_bytes=LAST, mime_type="image/png")
    portrait = {"duration_seconds": 8, "aspect_ratio": "9:16", "resolution": "720p"}
    return [
        Case("a text", ours(prompt=PROMPT), start(PROMPT)),
        Case("an image alone", ours(image=file(IMAGE)), start(image=IMAGE)),
        Case(
            "a text, two images, a length, a shape and a negative prompt",
            ours(prompt=PROMPT, image=file(IMAGE), last_image=file(LAST), seconds=7, size=[720, 1280], negative_prompt="rain"),
            start(PROMPT, IMAGE, last_frame=last, negative_prompt="rain", **portrait),
        ),
        Case(
            "Google's own options",
            ours(prompt=PROMPT, options={"personGeneration": "allow_all", "enhancePrompt": True, "resolution": "4k"}),
            start(PROMPT, person_generation="allow_all", enhance_prompt=True, resolution="4k"),
        ),
        Case("an operation's status", [{"call": "poll", "id": OPERATION}], lambda: poll(google)),
        Case("the file", [{"call": "download", "id": OPERATION, "file": os.devnull}], lambda: fetch(google)),
    ]


def poll(google):
    from google.genai import types

    return google.operations.get(types.GenerateVideosOperation(name=OPERATION))


def fetch(google):
    poll(google)
    # By its name: the client recognizes names in https addresses only.
    if google.files.download(file="files/wire1") != VIDEO:
        raise ValueError("the video differs")
