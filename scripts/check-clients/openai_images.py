"""The package openai of PyPI against this server's image routes: python openai_images.py URL."""

import base64
import io
import sys
import urllib.request
import warnings

import openai
from losing_proxy import LosingProxy
from PIL import Image

URL = sys.argv[1].rstrip("/")
# create_variation is deprecated in the client.
warnings.simplefilter("ignore", DeprecationWarning)


def client(url=URL, **options):
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", **options)


def picture(file):
    image = Image.open(io.BytesIO(file))
    image.load()
    return image


def decoded(data):
    assert data.url is None
    return picture(base64.b64decode(data.b64_json))


def png(image):
    file = io.BytesIO()
    image.save(file, "png")
    file.seek(0)
    file.name = "picture.png"
    return file


def jobs():
    with urllib.request.urlopen(f"{URL}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("framewright_jobs_total"))


def generate_in_base64():
    answer = client().images.generate(prompt="a boat on the sea", n=2, size="128x96", extra_body={"seed": 4, "steps": 4})
    assert [decoded(data).size for data in answer.data] == [(128, 96)] * 2
    assert (answer.size, answer.output_format, answer.background) == ("128x96", "png", "opaque")
    assert [data.seed for data in answer.data] == [4, 5]
    assert "Steps: 4" in picture(base64.b64decode(answer.data[0].b64_json)).info["parameters"]


def generate_by_url():
    answer = client().images.generate(prompt="a boat", response_format="url", output_format="jpeg", output_compression=80)
    assert answer.data[0].b64_json is None
    with urllib.request.urlopen(answer.data[0].url) as file:
        assert file.headers["content-type"] == "image/jpeg"
        assert picture(file.read()).format == "JPEG"


def formats():
    for name, kind in [("png", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG")]:
        answer = client().images.generate(prompt="a boat", output_format=name, extra_body={"steps": 2})
        assert decoded(answer.data[0]).format == kind
        comment = decoded(answer.data[0]).getexif().get_ifd(0x8769).get(0x9286, b"")
        assert name == "png" or "Steps: 2" in comment[8:].decode("utf-16-be"), comment


def stream():
    events = list(
        client().images.generate(
            prompt="a boat", stream=True, partial_images=2, quality="low", size="256x256", extra_body={"steps": 150}
        )
    )
    assert [event.type for event in events[:-1]] == ["image_generation.partial_image"] * (len(events) - 1), events
    assert 1 <= len(events) - 1 <= 2 and events[0].partial_image_index == 0
    assert events[-1].type == "image_generation.completed"
    assert picture(base64.b64decode(events[-1].b64_json)).size == (256, 256)
    picture(base64.b64decode(events[0].b64_json))


def edit():
    image = Image.new("RGB", (128, 128), (40, 90, 200))
    mask = Image.new("RGBA", (128, 128), (0, 0, 0, 255))
    mask.paste((0, 0, 0, 0), (0, 0, 64, 128))
    whole = client().images.edit(image=png(image), prompt="a boat", extra_body={"steps": 4})
    assert decoded(whole.data[0]).size == (128, 128)
    masked = client().images.edit(image=[png(image)], mask=png(mask), prompt="a red circle", n=2, extra_body={"steps": 8, "seed": 3})
    kept = decoded(masked.data[0]).getpixel((110, 64))
    assert len(masked.data) == 2 and max(abs(a - b) for a, b in zip(kept, (40, 90, 200))) < 60, kept
    events = list(client().images.edit(image=png(image), prompt="a boat", stream=True, extra_body={"steps": 2}))
    assert events[-1].type == "image_edit.completed"


def variation():
    answer = client().images.create_variation(image=png(Image.new("RGB", (96, 64), (40, 90, 200))), n=2, size="256x256")
    assert [decoded(data).size for data in answer.data] == [(256, 256)] * 2


def models():
    listed = list(client().models.list())
    assert listed and all(model.object == "model" and model.created > 0 for model in listed)
    # A name that a program cannot change stands for the default model.
    answer = client().images.generate(prompt="a boat", model="gpt-image-1", extra_body={"steps": 2})
    assert decoded(answer.data[0]) and "gpt-image-1" in answer.remarks[0], answer.remarks
    name = listed[0].id
    assert client().models.retrieve(name).id == name
    assert decoded(client().images.generate(prompt="a boat", model=name, extra_body={"steps": 2}).data[0])


def errors():
    def refused(kind, call, *texts):
        try:
            call()
        except kind as error:
            assert all(text in str(error) for text in texts), error
            return error
        raise AssertionError(f"no {kind.__name__}")

    images = client().images
    error = refused(openai.BadRequestError, lambda: images.generate(prompt="a", size="huge"), "size", "WIDTHxHEIGHT")
    assert (error.param, error.code, error.type) == ("size", "invalid_value", "invalid_request_error")
    refused(openai.BadRequestError, lambda: images.generate(prompt="a", background="transparent"), "background", "transparent")
    refused(openai.BadRequestError, lambda: images.generate(prompt="a", output_format="gif"), "output_format", "'webp'")
    refused(openai.BadRequestError, lambda: images.generate(prompt="a", stream=True, n=11), "n", "10")
    refused(openai.BadRequestError, lambda: images.edit(prompt="a", image=b"no picture"), "image", "PNG, JPEG or WebP")
    two = [png(Image.new("RGB", (64, 64))) for _ in range(2)]
    refused(openai.BadRequestError, lambda: images.edit(prompt="a", image=two), "image", "one picture")
    assert refused(openai.NotFoundError, lambda: images.generate(prompt="a", model="flux"), "flux").code == "model_not_found"
    refused(openai.NotFoundError, lambda: client().models.retrieve("a/b"), "a/b")


def lost_answers_make_one_job():
    for losses, options in [(1, {}), (2, {"response_format": "url"}), (1, {"stream": True})]:
        before = jobs()
        answer = client(LosingProxy(URL, losses).url).images.generate(prompt="a boat", extra_body={"steps": 4}, **options)
        if options.get("stream"):
            assert list(answer)[-1].type == "image_generation.completed"
        else:
            assert len(answer.data) == 1
        assert jobs() == before + 1, (losses, options, jobs() - before)
    before = jobs()
    image = png(Image.new("RGB", (96, 64), (40, 90, 200)))
    assert decoded(client(LosingProxy(URL).url).images.edit(image=image, prompt="a boat", extra_body={"steps": 4}).data[0])
    assert jobs() == before + 1


def timeouts_make_one_job():
    before = jobs()
    slow = client(timeout=0.5, max_retries=40)
    answer = slow.images.generate(prompt="a boat", n=3, extra_body={"steps": 60})
    assert len(answer.data) == 3 and jobs() == before + 1, jobs() - before


for check in [
    generate_in_base64,
    generate_by_url,
    formats,
    stream,
    edit,
    variation,
    models,
    errors,
    lost_answers_make_one_job,
    timeouts_make_one_job,
]:
    check()
    print(f"openai {openai.__version__} (Python) {check.__name__}: ok", flush=True)
