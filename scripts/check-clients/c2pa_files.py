"""Reads the signed files of a server and of the command with C2PA's own reader. Arguments: the server's URL, the program, a scratch folder."""

import base64
import io
import json
import pathlib
import subprocess
import sys
import urllib.request

import c2pa
from PIL import Image

URL, PROGRAM, SCRATCH = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif", "mp4": "video/mp4", "webm": "video/webm"}
# What stands before the pixels; where nothing does, they are at the end.
MEDIA = {"png": b"IDAT", "jpeg": None, "webp": b"VP8", "gif": None, "mp4": b"mdat", "webm": None}
CREATED = [("c2pa.created", "trainedAlgorithmicMedia")]
EDITED = [("c2pa.opened", None), ("c2pa.edited", "compositeWithTrainedAlgorithmicMedia")]
PROMPT = "a red circle on a blue background"

faults = []


def check(name, holds, found):
    print(f"{'ok  ' if holds else 'FAIL'} {name}: {found}")
    if not holds:
        faults.append(name)


def post(path, body):
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def read(kind, data, sidecar=None):
    """The reader's state, its failures but the unknown signer's, and the active manifest."""
    with c2pa.Reader(TYPES[kind], io.BytesIO(data), sidecar) as reader:
        report = json.loads(reader.json())
    failures = report.get("validation_results", {}).get("activeManifest", {}).get("failure", [])
    codes = [failure["code"] for failure in failures if failure["code"] != "signingCredential.untrusted"]
    return report["validation_state"], codes, report["manifests"][report["active_manifest"]]


def assertion(manifest, label):
    return next(found["data"] for found in manifest["assertions"] if found["label"].startswith(label))


def check_file(name, kind, data, actions, models, seed, sidecar=None):
    state, codes, manifest = read(kind, data, sidecar)
    check(f"{name} is valid", state == "Valid" and not codes, (state, codes))
    generator = manifest["claim_generator_info"][0]
    check(f"{name} names the claim generator", generator["name"] == "Framewright", generator)
    check(f"{name} names a self-made certificate", "self-made" in manifest["signature_info"]["issuer"], manifest["signature_info"])
    said = [(action["action"], (action.get("digitalSourceType") or "/").rsplit("/")[-1] or None) for action in assertion(manifest, "c2pa.actions")["actions"]]
    check(f"{name} has its actions", said == actions, said)
    generation = assertion(manifest, "org.framewright.generation")
    right = generation["models"] == models and generation.get("seed") == seed and len(generation["settings_sha256"]) == 64
    check(f"{name} names models, seed and settings", right, generation)
    relationships = [ingredient["relationship"] for ingredient in manifest.get("ingredients", [])]
    check(f"{name} has a parent where it was changed", relationships == (["parentOf"] if actions == EDITED else []), relationships)
    check(f"{name} has no thumbnail", "thumbnail" not in manifest, manifest.get("thumbnail"))
    # A byte of the picture or the video itself: the length of a signature is not known before, so manifests end in some room, which nothing guards.
    mark = MEDIA[kind]
    place = data.rindex(mark) + len(mark) + 16 if mark else len(data) - 20
    flipped = bytearray(data)
    flipped[place] ^= 1
    state, codes, _ = read(kind, bytes(flipped), sidecar)
    check(f"{name} with byte {place} flipped is found", state == "Invalid" and bool(codes), (state, codes))


def run(*arguments):
    subprocess.run([PROGRAM, *arguments], cwd=SCRATCH, check=True, capture_output=True)


print("c2pa-python", c2pa.sdk_version())
request = {"prompt": PROMPT, "num_inference_steps": 4, "seed": 7, "response_format": "b64_json"}
for kind in ("png", "jpeg", "webp"):
    answer = post("/v1/images/generations", {**request, "output_format": kind})
    data = base64.b64decode(answer["data"][0]["b64_json"])
    check_file(f"{kind} of the server", kind, data, CREATED, ["nano-sd (embedded)"], 7)
    image = Image.open(io.BytesIO(data))
    text = image.info["parameters"] if kind == "png" else image.getexif().get_ifd(0x8769)[0x9286][8:].decode("utf-16-be")
    check(f"{kind} still has its parameters", text.startswith(PROMPT) and "Seed: 7" in text, text[:60])
    if kind == "png":
        given = data

edit = {**request, "image": "data:image/png;base64," + base64.b64encode(given).decode(), "output_format": "jpeg"}
answer = post("/v1/images/edits", edit)
check_file("an edit", "jpeg", base64.b64decode(answer["data"][0]["b64_json"]), EDITED, ["nano-sd (embedded)"], 7)

scenes = ("--scene", PROMPT, "--scene", "a green star", "--steps", "2", "--duration", "0.5", "--seed", "1")
for name, kind in (("a.mp4", "mp4"), ("a.webm", "webm"), ("a.gif", "gif"), ("a.webp", "webp"), ("b.png", "png")):
    run("video", *scenes, "--out", name)
    sidecar = (SCRATCH / name).with_suffix(".c2pa")
    beside = sidecar.read_bytes() if kind == "webm" else None
    check(f"{name} has its manifest where it belongs", sidecar.exists() == (kind == "webm"), sorted(path.name for path in SCRATCH.glob("a.*")))
    check_file(name, kind, (SCRATCH / name).read_bytes(), CREATED, ["nano-sd (embedded)"], 1, beside)
    sidecar.unlink(missing_ok=True)

upscaler = pathlib.Path(__file__).parents[2] / "crates/diffusion-core/tests/golden/upscalers/compact_x2.pth"
Image.open(io.BytesIO(given)).save(SCRATCH / "given.png")
run("upscale", "given.png", "large.jpg", "--upscaler", str(upscaler))
check_file("an enlargement", "jpeg", (SCRATCH / "large.jpg").read_bytes(), EDITED, ["compact_x2"], None)

sys.exit(1 if faults else 0)
