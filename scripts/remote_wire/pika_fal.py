"""Pika through fal's queue, against fal-client: submit, status, result, cancel. Pika's web form has no client of its own to compare with.

fal-client always sends https to fal's hosts; here its constant with the queue's address is replaced by the recording server's.
"""

from remote_wire.case import KEY, Case
from remote_wire.recorder import Answer
from remote_wire.veo_developer import IMAGE, PROMPT, file, ours

PACKAGES = ["fal-client==1.0.3"]
PROVIDER = "pika-fal"
IMAGE_MODEL, TEXT_MODEL = "fal-ai/pika/v2.2/image-to-video", "fal-ai/pika/v2.2/text-to-video"
ID = "764cabcf-b745-4b3e-ae38-1200304cf45b"
REQUEST = f"/fal-ai/pika/requests/{ID}"
IGNORED = {"accept": "answers are always JSON"}
URL = "https://example.com/fox.png?a=1&b=2"


def environment(base):
    return {"FAL_KEY": KEY}


def answer(request):
    base = f"http://{request.header('host')}"
    addresses = {"request_id": ID, "response_url": base + REQUEST}
    addresses |= {"status_url": f"{base}{REQUEST}/status", "cancel_url": f"{base}{REQUEST}/cancel"}
    known = {
        ("POST", f"/{IMAGE_MODEL}"): Answer(addresses | {"status": "IN_QUEUE", "queue_position": 0}),
        ("POST", f"/{TEXT_MODEL}"): Answer(addresses | {"status": "IN_QUEUE", "queue_position": 0}),
        ("GET", f"{REQUEST}/status"): Answer(addresses | {"status": "COMPLETED", "logs": None, "metrics": {}}),
        ("GET", REQUEST): Answer({"video": {"url": f"{base}/files/output.mp4"}}),
        ("PUT", f"{REQUEST}/cancel"): Answer({"status": "CANCELLATION_REQUESTED"}, 202),
    }
    return known.get((request.method, request.path), Answer({"detail": "Path not found"}, 404))


def client(base):
    import fal_client
    import fal_client.client

    fal_client.client.QUEUE_URL_FORMAT = f"{base}/"
    return fal_client.SyncClient(key=KEY)


def cases(base):
    import json

    image = {"format": "png", "bytes": file(IMAGE)["bytes"], "source_url": URL}
    data_url = "data:image/png;base64," + file(IMAGE)["bytes"]
    given = {"prompt": PROMPT, "image_url": URL, "duration": 10, "seed": 7, "negative_prompt": "blur"}
    wide = {"prompt": PROMPT, "aspect_ratio": "9:16", "resolution": "1080p"}
    # Our id consists of the URLs in the start's answer.
    addresses = {"status": f"{base}{REQUEST}/status", "response": f"{base}{REQUEST}", "cancel": f"{base}{REQUEST}/cancel"}
    job = json.dumps(addresses)
    submit = lambda model, arguments: lambda: client(base).submit(model, arguments)
    return [
        Case(
            "an image by its address",
            ours(prompt=PROMPT, image=image, seconds=10, seed=7, negative_prompt="blur"),
            submit(IMAGE_MODEL, given),
        ),
        Case(
            "an image as a data URL",
            ours(prompt=PROMPT, image=file(IMAGE)),
            submit(IMAGE_MODEL, {"prompt": PROMPT, "image_url": data_url}),
        ),
        Case("a text and a size", ours(prompt=PROMPT, size=[1080, 1920]), submit(TEXT_MODEL, wide)),
        Case("a request's status, and its result", [{"call": "poll", "id": job}], lambda: client(base).result(IMAGE_MODEL, ID)),
        Case("cancel", [{"call": "cancel", "id": job}], lambda: client(base).cancel(IMAGE_MODEL, ID)),
    ]
