"""Replicate, against its own client: a prediction by version and by an official model's name, its status, cancel, and a caption."""

from remote_wire.case import KEY, Case
from remote_wire.recorder import Answer
from remote_wire.veo_developer import IMAGE, PROMPT, file, ours

PACKAGES = ["replicate==1.0.7"]
PROVIDER = "replicate"
VERSION = "3f0457e4619daac51203dedb472816fd4af51f3149fa7a9e0b5ffcf1b8172438"
INTERROGATOR = "8151e1c9f47e696fa316146a2e35812ccf79cfc9eba05b11c7f450155102af70"
ID = "gm3qorzdhgbfurvjtvhg6dckhu"
IGNORED = {"accept": "answers are always JSON"}
URL = "https://example.com/fox.png?a=1&b=2"


def environment(base):
    return {"REPLICATE_BASE_URL": base, "REPLICATE_API_TOKEN": KEY}


def answer(request):
    caption = request.method == "POST" and request.header("prefer") is not None
    base = f"http://{request.header('host')}"
    prediction = {
        "id": ID,
        "model": "owner/name",
        "version": VERSION,
        "input": {},
        "output": "a red fox" if caption else None,
        "logs": "",
        "error": None,
        "status": "processing" if caption else "starting",
        "created_at": "2026-11-29T08:00:00.123Z",
        "urls": {"get": f"{base}/v1/predictions/{ID}", "cancel": f"{base}/v1/predictions/{ID}/cancel"},
    }
    known = ["/v1/predictions", "/v1/models/minimax/video-01/predictions", f"/v1/predictions/{ID}", f"/v1/predictions/{ID}/cancel"]
    return Answer(prediction, 201 if request.body else 200) if request.path in known else Answer({"detail": "unknown"}, 404)


def client(base):
    import replicate

    return replicate.Client(api_token=KEY, base_url=base)


def cases(base):
    image = {"format": "png", "bytes": file(IMAGE)["bytes"], "source_url": URL}
    data_url = "data:image/png;base64," + file(IMAGE)["bytes"]
    options = {"image_key": "input_image", "frames_per_second": 6, "cond_aug": 0.02, "sizing_strategy": "crop_to_16_9"}
    settings = {name: options[name] for name in ("frames_per_second", "cond_aug", "sizing_strategy")}
    start = lambda model, **request: [ours(**request)[0] | {"model": model}]
    # Ours does not wait: a video takes longer than Replicate's maximum wait.
    create = lambda **given: lambda: client(base).predictions.create(wait=False, **given)
    question = {"image": URL, "clip_model_name": "ViT-L-14/openai", "mode": "best"}
    create_and_wait = lambda: client(base).predictions.create(version=INTERROGATOR, input=question, wait=True)
    return [
        Case(
            "by a version, the image by its address",
            start(f"stability-ai/stable-video-diffusion:{VERSION}", image=image, seed=7, options=options),
            create(version=VERSION, input={"input_image": URL, "seed": 7, **settings}),
        ),
        Case(
            "by a version alone, the image as a data URL",
            start(VERSION, image=file(IMAGE), options=options),
            create(version=VERSION, input={"input_image": data_url, **settings}),
        ),
        Case(
            "by an official model's name",
            start("minimax/video-01", prompt=PROMPT, options={"prompt_optimizer": False}),
            create(model="minimax/video-01", input={"prompt": PROMPT, "prompt_optimizer": False}),
        ),
        Case("a prediction's status", [{"call": "poll", "id": ID}], lambda: client(base).predictions.get(ID)),
        Case("cancel", [{"call": "cancel", "id": ID}], lambda: client(base).predictions.cancel(ID)),
        # `replicate.run` creates the same prediction, and also requests the version's schema, which ours does not need.
        Case("a caption, waited for", [{"call": "caption", "image": image}], create_and_wait),
    ]
