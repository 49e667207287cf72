"""Veo through a relay with OpenAI's video API, against openai: the form, a video's status, and its content."""

import os

from remote_wire.bedrock import VIDEO
from remote_wire.case import KEY, Case
from remote_wire.recorder import Answer
from remote_wire.veo_developer import IMAGE, PROMPT, file, ours

PACKAGES = ["openai==3.57.0"]
PROVIDER = "veo-relay"
ID = "video_wire1"
IGNORED = {
    "accept": "the accepted types; relays send JSON and videos regardless",
    "x-stainless-arch": "names the machine",
    "x-stainless-async": "names the client program",
    "x-stainless-lang": "names the client program",
    "x-stainless-os": "names the machine",
    "x-stainless-package-version": "names the client program",
    "x-stainless-read-timeout": "the client's own timeout",
    "x-stainless-retry-count": "counts the client's own retries; ours has none, because relays support no idempotency key",
    "x-stainless-runtime": "names the client program",
    "x-stainless-runtime-version": "names the client program",
}


def answer(request):
    video = {"id": ID, "object": "video", "model": "veo_3_1", "status": "queued", "progress": 0, "created_at": 1, "seconds": "8"}
    if request.method == "POST" and request.path == "/v1/videos":
        return Answer(video)
    if request.method == "GET" and request.path == f"/v1/videos/{ID}":
        return Answer(video | {"status": "completed", "progress": 100})
    if request.method == "GET" and request.path == f"/v1/videos/{ID}/content":
        return Answer(VIDEO, headers={"content-type": "video/mp4"})
    return Answer({"error": {"message": "unknown", "type": "invalid_request_error"}}, 404)


def client(base):
    import openai

    return openai.OpenAI(api_key=KEY, base_url=f"{base}/v1", max_retries=0)


def cases(base):
    def start(size="1920x1080", more=None, **fields):
        # `watermark` is the Tasks API's own field, which ours sends too.
        fields = {"model": "veo_3_1", "prompt": PROMPT, "size": size, "extra_body": {"watermark": "false"} | (more or {})} | fields
        return lambda: client(base).videos.create(**fields)

    image = ("image.png", IMAGE, "image/png")
    return [
        Case("a text", ours(prompt=PROMPT), start()),
        Case(
            "an image, a length and a size",
            ours(prompt=PROMPT, image=file(IMAGE), seconds=8, size=[720, 1280]),
            start(size="720x1280", seconds="8", input_reference=image),
        ),
        Case(
            "fields of a relay's own",
            [ours(prompt=PROMPT, options={"enhance_prompt": True, "n": 24})[0] | {"model": "veo_3_1-fast"}],
            start(model="veo_3_1-fast", more={"enhance_prompt": True, "n": 24}),
        ),
        Case("a video's status, and its content's kind", [{"call": "poll", "id": ID}], lambda: (retrieve(base), content(base))),
        # Ours checks the kind of /content's answer (a video, JSON or a redirect) without reading a video, and then fetches it.
        Case(
            "the content",
            [{"call": "download", "id": ID, "file": os.devnull}],
            lambda: (retrieve(base), content(base), content(base)),
        ),
    ]


def retrieve(base):
    return client(base).videos.retrieve(ID)


def content(base):
    if client(base).videos.download_content(ID).read() != VIDEO:
        raise ValueError("the video differs")
