"""The package openai of PyPI against this server's video routes: python openai_videos.py URL."""

import base64
import io
import sys
import time
import urllib.request
import warnings

import openai
from losing_proxy import LosingProxy, SlowProxy
from PIL import Image

URL = sys.argv[1].rstrip("/")
# Every method of client.videos is deprecated.
warnings.simplefilter("ignore", DeprecationWarning)
QUICK = {"fps": 8, "num_inference_steps": 2}
# Its remix repaints the picture by 0.4 of the steps, which must be one at least.
OF_PICTURE = {**QUICK, "num_inference_steps": 3}


def client(url=URL, **options):
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", **options)


videos = client().videos
made = []


def picture(size=(96, 64)):
    file = io.BytesIO()
    Image.new("RGB", size, (40, 90, 200)).save(file, "png")
    file.seek(0)
    file.name = "picture.png"
    return file


def create_and_poll():
    video = videos.create_and_poll(prompt="a boat on the sea", seconds="1", size="128x96", extra_body=QUICK)
    assert video.status == "completed", video
    assert (video.object, video.seconds, video.size, video.progress) == ("video", "1", "128x96", 100)
    assert video.prompt == "a boat on the sea" and video.completed_at >= video.created_at and video.error is None
    made.append(video)
    # The name that the package's documentation uses stands for the default model.
    video = videos.create_and_poll(prompt="a boat", model="sora-2", seconds="1", size="64x64", extra_body=QUICK)
    assert video.status == "completed" and video.model != "sora-2" and "sora-2" in video.remarks[0], video


def create_from_a_picture():
    video = videos.create_and_poll(prompt="a boat", seconds="1", input_reference=picture(), size="96x64", extra_body=QUICK)
    assert video.status == "completed" and video.size == "96x64", video
    url = "data:image/png;base64," + base64.b64encode(picture().getvalue()).decode()
    for reference in [url, {"image_url": url}]:
        video = videos.create_and_poll(
            prompt="a boat", seconds="1", size="96x64", extra_body={**OF_PICTURE, "input_reference": reference}
        )
        assert video.status == "completed", video
    made.append(video)


def download_content():
    for variant, start in [(None, b"ftyp"), ("video", b"ftyp"), ("thumbnail", b"WEBP"), ("spritesheet", b"\xff\xd8")]:
        options = {} if variant is None else {"variant": variant}
        file = videos.download_content(made[0].id, **options).read()
        assert start in file[:12], file[:12]
        if variant in ("thumbnail", "spritesheet"):
            image = Image.open(io.BytesIO(file))
            image.load()
            assert image.size == (128, 96) or variant == "spritesheet" and image.width > 128
        ranged = urllib.request.Request(f"{URL}/v1/videos/{made[0].id}/content" + (f"?variant={variant}" if variant else ""))
        ranged.add_header("Range", "bytes=4-11")
        with urllib.request.urlopen(ranged) as answer:
            assert answer.status == 206 and answer.read() == file[4:12]


def list_with_paging():
    more = [videos.create(prompt=f"boat {number}", seconds="1", size="64x64", extra_body=QUICK) for number in range(4)]
    wait(more)
    made.extend(more)
    listed = list(videos.list(limit=2))
    ids = [video.id for video in listed]
    assert len(ids) == len(set(ids)) and ids[:4] == [video.id for video in reversed(more)], ids
    oldest = list(videos.list(limit=3, order="asc"))
    assert [video.id for video in oldest] == ids[::-1]


def wait(videos_made):
    for video in videos_made:
        while videos.retrieve(video.id).status in ("queued", "in_progress"):
            time.sleep(0.2)


def remix():
    remixed = videos.remix(made[0].id, prompt="the same at night")
    assert remixed.remixed_from_video_id == made[0].id and remixed.status in ("queued", "in_progress")
    remixed = videos.poll(remixed.id)
    assert (remixed.status, remixed.prompt, remixed.size, remixed.seed) == ("completed", "the same at night", "128x96", made[0].seed)
    of_picture = videos.poll(videos.remix(made[1].id, prompt="a red boat").id)
    assert of_picture.status == "completed", of_picture


def delete():
    gone = videos.delete(made[0].id)
    assert (gone.id, gone.deleted, gone.object) == (made[0].id, True, "video.deleted")
    refused(openai.NotFoundError, lambda: videos.retrieve(made[0].id), made[0].id)
    running = videos.create(prompt="slow", seconds="8", size="512x512", extra_body={"num_inference_steps": 100})
    assert videos.delete(running.id).deleted
    refused(openai.NotFoundError, lambda: videos.retrieve(running.id))


def refused(kind, call, *texts):
    try:
        call()
    except kind as error:
        assert all(text in str(error) for text in texts), error
        return error
    raise AssertionError(f"no {kind.__name__}")


def errors():
    refused(openai.BadRequestError, lambda: videos.create(prompt="a", seconds="99"), "seconds", "20")
    refused(openai.BadRequestError, lambda: videos.create(prompt="a", size="big"), "size", "WIDTHxHEIGHT")
    refused(openai.BadRequestError, lambda: videos.create(prompt="a", input_reference=b"none"), "input_reference", "PNG, JPEG or WebP")
    refused(openai.NotFoundError, lambda: videos.create(prompt="a", model="sora"), "sora", "local")
    refused(openai.BadRequestError, lambda: videos.create_character(name="a", video=b"x"), "characters")
    refused(openai.NotFoundError, lambda: videos.get_character("a"), "characters")
    refused(openai.BadRequestError, lambda: videos.edit(prompt="a", video=b"x"), "edit")
    refused(openai.BadRequestError, lambda: videos.extend(prompt="a", seconds="4", video=b"x"), "extend")
    waiting = videos.create(prompt="slow", seconds="8", size="512x512", extra_body={"num_inference_steps": 100})
    refused(openai.BadRequestError, lambda: videos.download_content(waiting.id), "not ready")
    assert videos.delete(waiting.id).deleted


def count():
    return len(list(videos.list()))


def a_lost_answer_makes_one_video():
    before = count()
    video = client(LosingProxy(URL, 2).url).videos.create(prompt="lost", seconds="1", size="64x64", extra_body=QUICK)
    assert count() == before + 1
    assert videos.poll(video.id).status == "completed"
    with_picture = client(LosingProxy(URL).url).videos.create(
        prompt="lost", seconds="1", size="64x64", input_reference=picture(), extra_body=QUICK
    )
    assert count() == before + 2
    assert videos.poll(with_picture.id).status == "completed"
    remixed = client(LosingProxy(URL).url).videos.remix(video.id, prompt="found")
    assert count() == before + 3
    assert videos.poll(remixed.id).status == "completed"
    assert client(LosingProxy(URL).url).videos.delete(remixed.id).deleted
    assert count() == before + 2


def a_timeout_makes_one_video():
    before = count()
    slow = SlowProxy(URL, 1.5)
    video = client(slow.url, timeout=1, max_retries=5).videos.create(prompt="late", seconds="1", size="64x64", extra_body=QUICK)
    assert slow.lost >= 1 and count() == before + 1, (slow.lost, count() - before)
    assert videos.poll(video.id).status == "completed"


for check in [
    create_and_poll,
    create_from_a_picture,
    download_content,
    list_with_paging,
    remix,
    delete,
    errors,
    a_lost_answer_makes_one_video,
    a_timeout_makes_one_video,
]:
    check()
    print(f"openai {openai.__version__} (Python) {check.__name__}: ok", flush=True)
