"""Hugging Face inference in the form of seed 001's API, against requests, which that form comes from.

huggingface_hub is no witness: its image_to_video takes no address of one's own and asks other services in their own forms.
"""

import json

from remote_wire.bedrock import VIDEO
from remote_wire.case import KEY, Case
from remote_wire.recorder import Answer
from remote_wire.veo_developer import IMAGE, PROMPT, file, ours

PACKAGES = ["requests==2.34.2"]
PROVIDER = "hugging-face"
PATH = "/models/stabilityai/stable-video-diffusion-img2vid-xt"
IGNORED = {}


def answer(request):
    if request.method == "POST" and request.path == PATH:
        return Answer(VIDEO, headers={"content-type": "video/mp4"})
    return Answer({"error": "unknown"}, 404)


def cases(base):
    # The original calls every image character.jpg and image/jpeg; ours says what it is.
    def post(parameters):
        import requests

        headers = {"Authorization": f"Bearer {KEY}", "Accept": "video/mp4"}
        files = {"inputs": ("character.png", IMAGE, "image/png")}
        form = {"parameters": json.dumps(parameters, separators=(",", ":"))}
        answer = requests.post(base + PATH, headers=headers, files=files, data=form, timeout=60)
        if answer.content != VIDEO:
            raise ValueError("the video is another")

    return [
        Case("three seconds", ours(prompt=PROMPT, image=file(IMAGE), seconds=3), lambda: post({"num_frames": 24})),
        Case("ten seconds, which are more frames than there are", ours(image=file(IMAGE), seconds=10), lambda: post({"num_frames": 25})),
        Case(
            "a seed and the model's own parameters",
            ours(image=file(IMAGE), seed=7, options={"motion_bucket_id": 90, "num_frames": 14}),
            lambda: post({"motion_bucket_id": 90, "num_frames": 14, "seed": 7}),
        ),
    ]
