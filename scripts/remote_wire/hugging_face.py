"""Hugging Face inference as in the characters API, against requests, which that API's form comes from.

huggingface_hub cannot serve as the reference: its image_to_video accepts no custom address and calls other providers in their own forms.
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
    # The original names every image character.jpg and image/jpeg; ours declares the true type.
    def post(parameters):
        import requests

        headers = {"Authorization": f"Bearer {KEY}", "Accept": "video/mp4"}
        files = {"inputs": ("character.png", IMAGE, "image/png")}
        form = {"parameters": json.dumps(parameters, separators=(",", ":"))}
        answer = requests.post(base + PATH, headers=headers, files=files, data=form, timeout=60)
        if answer.content != VIDEO:
            raise ValueError("the video differs")

    return [
        Case("three seconds", ours(prompt=PROMPT, image=file(IMAGE), seconds=3), lambda: post({"num_frames": 24})),
        Case("ten seconds, which exceed the maximum of frames", ours(image=file(IMAGE), seconds=10), lambda: post({"num_frames": 25})),
        Case(
            "a seed and the model's own parameters",
            ours(image=file(IMAGE), seed=7, options={"motion_bucket_id": 90, "num_frames": 14}),
            lambda: post({"motion_bucket_id": 90, "num_frames": 14, "seed": 7}),
        ),
    ]
