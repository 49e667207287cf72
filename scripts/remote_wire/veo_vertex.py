"""Veo on Vertex AI, against google-genai with an access token instead of a service account: the start and an operation's status."""

from remote_wire import veo_developer
from remote_wire.case import KEY, Case
from remote_wire.recorder import Answer
from remote_wire.veo_developer import IMAGE, LAST, PROMPT, file, ours

PACKAGES = veo_developer.PACKAGES
PROVIDER = "veo-vertex"
MODEL = "projects/wire-project/locations/us-central1/publishers/google/models/veo-3.1-generate-001"
OPERATION = f"{MODEL}/operations/wire1"
STORAGE = "gs://wire-bucket/clips/"
IGNORED = veo_developer.IGNORED | {
    "x-goog-user-project": "names the quota project for a person's token; a service account's token contains it",
}


def answer(request):
    if request.method == "POST" and request.path == f"/v1beta1/{MODEL}:predictLongRunning":
        return Answer({"name": OPERATION})
    if request.method == "POST" and request.path == f"/v1beta1/{MODEL}:fetchPredictOperation":
        videos = [{"gcsUri": f"{STORAGE}1/sample_0.mp4", "mimeType": "video/mp4"}]
        return Answer({"name": OPERATION, "done": True, "response": {"videos": videos}})
    return Answer({"error": {"code": 404, "message": "unknown", "status": "NOT_FOUND"}}, 404)


def client(base):
    from google import genai
    from google.oauth2.credentials import Credentials

    credentials = Credentials(token=KEY)
    options = {"base_url": base}
    return genai.Client(vertexai=True, project="wire-project", location="us-central1", credentials=credentials, http_options=options)


def cases(base):
    from google.genai import types

    google = client(base)

    def start(prompt=None, image=None, **config):
        picture = image and types.Image(image_bytes=image, mime_type="image/png")
        config = types.GenerateVideosConfig(number_of_videos=1, output_gcs_uri=STORAGE, **config)
        return lambda: google.models.generate_videos(model="veo-3.1-generate-001", prompt=prompt, image=picture, config=config)

    last = types.Image(image_bytes=LAST, mime_type="image/png")
    options = {"generateAudio": False, "compressionQuality": "LOSSLESS", "resizeMode": "PAD"}
    return [
        Case("a text", ours(prompt=PROMPT), start(PROMPT)),
        Case(
            "a text, two images, a seed and Vertex AI's own options",
            ours(prompt=PROMPT, image=file(IMAGE), last_image=file(LAST), seconds=4, seed=4294967295, fps=24, options=options),
            start(
                PROMPT,
                IMAGE,
                last_frame=last,
                duration_seconds=4,
                seed=4294967295,
                fps=24,
                generate_audio=False,
                compression_quality="LOSSLESS",
                resize_mode="PAD",
            ),
        ),
        Case(
            "an operation's status",
            [{"call": "poll", "id": OPERATION}],
            lambda: google.operations.get(types.GenerateVideosOperation(name=OPERATION)),
        ),
    ]
