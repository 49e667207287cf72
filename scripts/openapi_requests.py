"""Hooks of scripts/check-openapi for schemathesis' generated requests: valid ones become small and refer to existing things.

An image of 2048 pixels in 150 steps shows no more about an answer's shape than one of 64 in four. Generated ids and files never exist,
so half of them are replaced by existing ones. Invalid values stay.
"""

import atexit
import base64
import collections
import zlib
from struct import pack

import requests
import schemathesis

# Side in pixels, steps, frames, scenes, frames of a transition.
SIDE, STEPS, FRAMES, SCENES, JOIN = 64, 4, 6, 3, 2
# The longest video of valid requests, in seconds.
SECONDS = {"duration": 1, "duration_per_scene": 0.2}
PICTURES = ("image", "init_image", "image_id", "mask", "input_reference", "input_image")
# Lists of pictures.
LISTS = ("init_images", "controlnet_input_images")
# An upscaler of scripts/check-openapi's server.
UPSCALER = "compact_x2"
# Number of jobs per route that may run.
MADE = 2

answers = collections.defaultdict(collections.Counter)
known = {"task": [], "generation": [], "file": [], "video": [], "upload": [], "text": [], "movie": [], "made": []}
count = 0


def png():
    chunk = lambda kind, data: pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes(v for x in range(SIDE) for v in (4 * x, 4 * y, 99)) for y in range(SIDE))
    head = pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE = png()


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def smaller(body):
    """Reduces the work of a request; changes only valid values."""
    for key, value in list(body.items()):
        if isinstance(value, dict):
            smaller(value)
        elif key == "scenes" and isinstance(value, list) and 2 <= len(value) <= 64:
            body[key] = value[:SCENES]
            for scene in body[key]:
                if isinstance(scene, dict):
                    smaller(scene)
        elif key in PICTURES and isinstance(value, str) and count % 4:
            body[key] = base64.b64encode(PICTURE).decode()
        elif key in LISTS and isinstance(value, list) and count % 4:
            body[key] = [base64.b64encode(PICTURE).decode()]
        elif key in ("upscaler", "upscaler_1", "hr_upscaler") and isinstance(value, str) and count % 2:
            body[key] = UPSCALER
        elif key == "size" and isinstance(value, str) and count % 4:
            body[key] = f"{SIDE}x{SIDE}"
        elif key == "seconds" and isinstance(value, str) and value.isdigit():
            body[key] = "1"
        elif not is_number(value):
            continue
        elif key in ("n", "count", "batch_size", "n_iter", "num_images") and 1 < value <= 16:
            body[key] = 1
        elif key in ("num_inference_steps", "steps", "hr_steps", "hr_second_pass_steps") and STEPS < value <= 150:
            body[key] = STEPS
        elif key in ("width", "height", "hr_resize_x", "hr_resize_y") and SIDE < value <= 4096 and value % 8 == 0:
            body[key] = SIDE
        elif key == "num_frames" and FRAMES < value <= 64:
            body[key] = FRAMES
        elif key == "transition_frames" and JOIN < value <= 240:
            body[key] = JOIN
        elif key in SECONDS and SECONDS[key] < value <= 600:
            body[key] = SECONDS[key]
        elif key == "fps" and 24 < value <= 120:
            body[key] = 24


# Values for missing fields whose defaults are large.
SMALL = {
    "/generate": {"num_inference_steps": STEPS, "width": SIDE, "height": SIDE},
    "/generate-video": {},
    "/animate": {},
    "/api/v1/images/generate": {"steps": STEPS, "width": SIDE, "height": SIDE},
    "/api/v1/images/generate-i2i": {"steps": STEPS, "width": SIDE, "height": SIDE},
    "/api/v1/videos/generate": {"duration": 1, "fps": 24, "resolution": f"{SIDE}x{SIDE}"},
    "/api/v1/i2v": {},
    "/v1/images/generations": {"num_inference_steps": STEPS, "size": f"{SIDE}x{SIDE}"},
    "/v1/images/edits": {"num_inference_steps": STEPS, "size": f"{SIDE}x{SIDE}"},
    "/v1/images/variations": {"num_inference_steps": STEPS, "size": f"{SIDE}x{SIDE}"},
    "/v1/images/upscale": {},
    "/v1/videos": {"num_inference_steps": STEPS, "size": f"{SIDE}x{SIDE}", "seconds": "1", "fps": 8},
    "/v1/videos/{id}/remix": {},
    "/sdapi/v1/txt2img": {"steps": STEPS, "width": SIDE, "height": SIDE},
    "/sdapi/v1/img2img": {"steps": STEPS, "width": SIDE, "height": SIDE},
    "/sdapi/v1/extra-single-image": {},
    "/sdapi/v1/extra-batch-images": {},
    "/sdapi/v1/png-info": {},
    "/controlnet/detect": {},
}
SMALL_SCENES = {"num_inference_steps": STEPS, "width": SIDE, "height": SIDE, "duration_per_scene": 0.2, "transition_frames": JOIN}
SMALL_MOTION = {"num_inference_steps": STEPS, "num_frames": FRAMES}


# The paths that refer to something, and the kinds of their names.
NAMED = {
    "/api/v1/tasks/{id}": "task",
    "/api/v1/tasks/{id}/events": "task",
    "/api/v1/videos/{id}": "task",
    "/generation/{id}": "generation",
    "/files/{job}/{name}": "file",
    "/videos/{name}": "video",
    "/uploads/{name}": "upload",
    "/v1/videos/{id}": "movie",
    "/v1/videos/{id}/content": "movie",
    "/v1/videos/{id}/remix": "movie",
}


def base_of(case):
    return case.operation.base_url.rstrip("/")


def key_of(case):
    """The header with the server's key, if the run has one (schemathesis' -H)."""
    return {name: value for name, value in (case.headers or {}).items() if name.lower() == "authorization"}


def cancel(case, job):
    path = "v1/videos" if case.operation.path.startswith("/v1/videos") else "api/v1/tasks"
    requests.delete(f"{base_of(case)}/{path}/{job}", headers=key_of(case), timeout=60)


@schemathesis.hook
def before_call(context, case, kwargs):
    global count
    count += 1
    path = case.operation.path
    if not known["upload"]:
        form = {"character": ("a.png", PICTURE, "image/png")}
        remember(requests.post(f"{base_of(case)}/upload-character", files=form, headers=key_of(case), timeout=60).json())
    if isinstance(case.body, dict) and path in SMALL:
        smaller(case.body)
        small = SMALL[path]
        if path == "/generate-video" and "scenes" in case.body:
            small = SMALL_SCENES
        if path == "/animate":
            small = {"motion": dict(SMALL_MOTION)} if "motion" in case.body else SMALL_MOTION
        if path == "/v1/images/upscale" and isinstance(case.body.get("model"), str) and count % 2:
            case.body["model"] = UPSCALER
        if path == "/sdapi/v1/extra-batch-images" and isinstance(case.body.get("imageList"), list) and count % 4:
            case.body["imageList"] = [{"data": base64.b64encode(PICTURE).decode(), "name": "a.png"}]
        for key, value in small.items():
            case.body.setdefault(key, value)
        if isinstance(case.body.get("characterImageUrl"), str) and count % 4:
            case.body["characterImageUrl"] = f"/uploads/{known['upload'][0]['name']}"
    names = known[NAMED[path]] if path in NAMED else []
    if names and case.path_parameters and count % 2:
        case.path_parameters.update(names[count // 2 % len(names)])
        if path.endswith("/events"):
            # An event stream lasts as long as its task.
            cancel(case, case.path_parameters["id"])
    if path == "/video-status" and case.query and known["text"] and count % 2:
        case.query["job_id"] = known["text"][0]["id"]


@schemathesis.hook
def after_call(context, case, response):
    answers[f"{case.method.upper()} {case.operation.path}"][response.status_code] += 1
    if response.status_code not in (200, 202) or "application/json" not in response.headers.get("content-type", [""])[0]:
        return
    answer = response.json()
    remember(answer)
    job = answer.get("task_id") or answer.get("id") or answer.get("job_id") if isinstance(answer, dict) else None
    job = job or response.headers.get("x-task-id", [None])[0]
    if case.method.upper() == "POST" and isinstance(job, str):
        # Only a few run, otherwise a request that waits for its image would wait for all of them.
        if isinstance(case.body, dict) and "text" in case.body:
            keep("text", {"id": job})
        if known["made"].count(case.operation.path) >= MADE:
            cancel(case, job)
        known["made"].append(case.operation.path)


def remember(answer):
    """Records the names of existing things."""
    if isinstance(answer, list):
        for item in answer:
            remember(item)
        return
    if not isinstance(answer, dict):
        return
    if isinstance(answer.get("task_id"), str):
        keep("task", {"id": answer["task_id"]})
    if answer.get("object") == "video":
        keep("movie", {"id": answer["id"]})
    elif isinstance(answer.get("id"), str):
        keep("generation", {"id": answer["id"]})
    for value in answer.values():
        if isinstance(value, (dict, list)):
            remember(value)
        elif isinstance(value, str) and "/" in value:
            parts = value.split("?")[0].rstrip("/").split("/")
            if len(parts) >= 3 and parts[-3] == "files":
                keep("file", {"job": parts[-2], "name": parts[-1]})
            elif parts[-2:-1] == ["videos"]:
                keep("video", {"name": parts[-1]})
            elif parts[-2:-1] == ["uploads"]:
                keep("upload", {"name": parts[-1]})


def keep(kind, parameters):
    if parameters not in known[kind]:
        known[kind].append(parameters)
        del known[kind][:-20]


@atexit.register
def print_statuses():
    """Prints how often each route answered with each status."""
    for route, statuses in sorted((route, statuses) for route, statuses in answers.items() if set(statuses) != {405}):
        print(f"{route:36}", "  ".join(f"{status}: {times}" for status, times in sorted(statuses.items())))
