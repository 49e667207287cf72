"""Open WebUI's own backend against this server: python open_webui.py OPEN_WEBUI_URL OUR_URL DATA_FOLDER.

It is configured through its admin API, as its page does it; the pictures must arrive in its store.
"""

import io
import json
import pathlib
import sys
import urllib.error
import urllib.request

from PIL import Image

WEBUI, URL, DATA = sys.argv[1].rstrip("/"), sys.argv[2].rstrip("/"), pathlib.Path(sys.argv[3])
TOKEN = None


def ask(path, body=None):
    headers = {"Content-Type": "application/json"}
    if TOKEN:
        headers["Authorization"] = f"Bearer {TOKEN}"
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(WEBUI + path, data, headers)) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{path}: {error.code} {error.read().decode()}") from error


def json_of(path, body=None):
    return json.loads(ask(path, body))


def stored(images, size):
    """The pictures of an answer, each of which must be in Open WebUI's store."""
    files = []
    for image in images:
        file = ask(image["url"])
        opened = Image.open(io.BytesIO(file))
        opened.load()
        assert opened.size == size, opened.size
        assert any(path.read_bytes() == file for path in (DATA / "uploads").iterdir()), "it is not in the store"
        files.append((image["id"], opened))
    assert files
    return files


def configured(**changes):
    config = json_of("/api/v1/images/config")
    config.update(
        {"ENABLE_IMAGE_GENERATION": True, "IMAGE_SIZE": "128x96", "IMAGE_STEPS": 4, "AUTOMATIC1111_BASE_URL": URL, **changes}
    )
    json_of("/api/v1/images/config/update", config)


TOKEN = json_of("/api/v1/auths/signup", {"name": "Admin", "email": "admin@example.com", "password": "a-Password-1"})["token"]
assert json_of("/api/v1/images/verify", {"engine": "automatic1111", "url": URL, "key": None}) is True
assert json_of("/api/v1/images/verify", {"engine": "automatic1111", "url": URL + "/", "key": "user:password"}) is True
print("ok   Open WebUI verifies the server")

configured(IMAGE_GENERATION_ENGINE="automatic1111", IMAGE_GENERATION_MODEL="")
models = json_of("/api/v1/images/models")
with urllib.request.urlopen(f"{URL}/models") as answer:
    ours = [model["name"] for model in json.load(answer)["models"]]
assert models and all(model["id"] == model["name"] for model in models) and len(models) <= len(ours), models
MODEL = models[0]["id"]
print("ok   Open WebUI lists the models")

# The admin's choice of a model is posted to our options.
with urllib.request.urlopen(f"{URL}/sdapi/v1/options") as answer:
    before = json.load(answer)["sd_model_checkpoint"]
configured(IMAGE_GENERATION_ENGINE="automatic1111", IMAGE_GENERATION_MODEL=MODEL)
with urllib.request.urlopen(f"{URL}/sdapi/v1/options") as answer:
    assert json.load(answer)["sd_model_checkpoint"] == MODEL == before
print("ok   Open WebUI switches the model")

made = json_of("/api/v1/images/generations", {"prompt": "a (boat:1.2) on the sea", "n": 2, "negative_prompt": "fog", "model": MODEL})
files = stored(made, (128, 96))
assert len(files) == 2 and "Steps: 4" in files[0][1].info["parameters"] and "Negative prompt: fog" in files[0][1].info["parameters"]
print("ok   Open WebUI generates with its engine automatic1111")

configured(
    IMAGE_GENERATION_ENGINE="automatic1111", IMAGE_GENERATION_MODEL=MODEL,
    AUTOMATIC1111_PARAMS={"sampler_name": "DPM++ 2M Karras", "enable_hr": True, "hr_scale": 1.5, "seed": 9},
)
made = json_of("/api/v1/images/generations", {"prompt": "a boat", "size": "64x64"})
(_, image), = stored(made, (96, 96))
assert "Sampler: DPM++ 2M, Schedule type: Karras" in image.info["parameters"] and "Hires upscale: 1.5" in image.info["parameters"]
print("ok   Open WebUI passes its parameters")

configured(
    IMAGE_GENERATION_ENGINE="openai", IMAGE_GENERATION_MODEL=MODEL, IMAGES_OPENAI_API_BASE_URL=f"{URL}/v1", IMAGES_OPENAI_API_KEY="none",
    IMAGES_OPENAI_API_PARAMS={"seed": 4, "steps": 4}, ENABLE_IMAGE_EDIT=True, IMAGE_EDIT_ENGINE="openai", IMAGE_EDIT_MODEL=MODEL,
    IMAGE_EDIT_SIZE="", IMAGES_EDIT_OPENAI_API_BASE_URL=f"{URL}/v1", IMAGES_EDIT_OPENAI_API_KEY="none",
)
made = json_of("/api/v1/images/generations", {"prompt": "a boat", "n": 2})
files = stored(made, (128, 96))
assert "Seed: 5" in files[1][1].info["parameters"]
print("ok   Open WebUI generates with its engine openai")

edited = json_of("/api/v1/images/edit", {"image": files[0][0], "prompt": "the sea at night"})
stored(edited, (128, 96))
edited = json_of("/api/v1/images/edit", {"image": [f"/api/v1/files/{files[1][0]}/content"], "prompt": "a red boat", "size": "96x96", "n": 2})
assert len(stored(edited, (96, 96))) == 2
print("ok   Open WebUI edits with its engine openai")
