"""Amazon Bedrock: Nova Reel's three tasks, an invocation's status, and the video in S3, against boto3's own calls.

botocore recomputes each recorded signature, which must equal the sent one. ListAsyncInvokes is not among the cases, because ours never
calls it. The last checks use moto's server as S3, and run boto3 against our own fakes, which must accept its requests.
"""

import base64
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib
from pathlib import Path
from struct import pack
from unittest import mock
from urllib.parse import parse_qs

from remote_wire.case import Case
from remote_wire.recorder import Answer

PACKAGES = ["boto3==1.44.8", "moto[s3,server]==5.2.5"]
PROVIDER = "bedrock"
REGION, BUCKET, MODEL = "us-east-1", "wire-bucket", "amazon.nova-reel-v1:1"
BEARER = "AWS_BEARER_TOKEN_BEDROCK"
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ARN = f"arn:aws:bedrock:{REGION}:123456789012:async-invoke/abcdefghij12"
FOLDER = "clips/abcdefghij12"
TOKEN = "5d3f4a2e-1111-4222-8333-944455556666"
IGNORED = {
    "amz-sdk-invocation-id": "a random id per call",
    "amz-sdk-request": "counts the SDK's own tries; ours has no retries of its own, and declares that",
    "x-amz-date": "the time; its form is checked with the signature",
}
LOOSE = {
    "X-Amz-Credential": "contains the day; the rest is checked with the signature",
    "X-Amz-Date": "the time",
    "X-Amz-Signature": "follows from the rest; recomputed by botocore and checked",
}
START_SECONDS = 60


def environment(base):
    return {
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": base,
        "AWS_ENDPOINT_URL_S3": base,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def answer(request):
    if request.method == "POST" and request.path == "/async-invoke":
        return Answer({"invocationArn": ARN})
    if request.path.startswith("/async-invoke/"):
        return Answer(invocation())
    if request.path == f"/{BUCKET}/{FOLDER}/output.mp4":
        return Answer(VIDEO, headers={"content-type": "video/mp4"})
    return Answer({"message": "unknown"}, 404, {"x-amzn-ErrorType": "UnknownOperationException"})


def invocation():
    return {
        "invocationArn": ARN,
        "modelArn": f"arn:aws:bedrock:{REGION}::foundation-model/{MODEL}",
        "status": "Completed",
        "submitTime": "2026-11-29T07:15:00Z",
        "endTime": "2026-11-29T07:16:30Z",
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/{FOLDER}"}},
    }


def png(width, height):
    """An image of one colour, as PNG bytes."""
    rows = (b"\0" + b"\x30\x60\x90" * width) * height
    chunk = lambda kind, data: pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))
    head = pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


VIDEO = b"\0\0\0\x18ftypisom\0\0\x02\0isommp41" + bytes(range(256)) * 4000
IMAGE = base64.b64encode(png(1280, 720)).decode()
PROMPT = 'A fox runs through snow, "fast", at 5 \u00b0C \u2013 \u96ea\nand stops.'
CONFIG = {"fps": 24, "dimension": "1280x720"}


def client(service, **more):
    import boto3

    # boto3's default session would keep the first keys that it finds.
    return boto3.session.Session().client(service, **more)


TEXT = {"taskType": "TEXT_VIDEO", "textToVideoParams": {"text": PROMPT}, "videoGenerationConfig": {**CONFIG, "durationSeconds": 6}}
WITH_IMAGE = {
    "taskType": "TEXT_VIDEO",
    "textToVideoParams": {"text": PROMPT, "images": [{"format": "png", "source": {"bytes": IMAGE}}]},
    "videoGenerationConfig": {**CONFIG, "durationSeconds": 6, "seed": 2147483646},
}
AUTOMATED = {
    "taskType": "MULTI_SHOT_AUTOMATED",
    "multiShotAutomatedParams": {"text": PROMPT * 60},
    "videoGenerationConfig": {**CONFIG, "durationSeconds": 120, "seed": 0},
}
MANUAL = {
    "taskType": "MULTI_SHOT_MANUAL",
    "multiShotManualParams": {"shots": [{"text": "One."}, {"text": PROMPT, "image": {"format": "png", "source": {"bytes": IMAGE}}}]},
    "videoGenerationConfig": {**CONFIG, "seed": 42},
}


def start(model_input, uri=f"s3://{BUCKET}/clips", token=TOKEN):
    """A function that makes boto3's call for this input."""
    output = {"s3OutputDataConfig": {"s3Uri": uri}}
    return lambda: client("bedrock-runtime").start_async_invoke(
        modelId=MODEL, modelInput=model_input, outputDataConfig=output, clientRequestToken=token
    )


def ours(**request):
    return [{"call": "start", "token": TOKEN, "request": {"prompt": "", **request}}]


def cases(base):
    file = {"format": "png", "bytes": IMAGE}
    shots = [{"text": "One."}, {"text": PROMPT, "image": file}]
    temporary = {"AWS_SESSION_TOKEN": "a-session-token/+="}
    return [
        Case("TEXT_VIDEO", ours(prompt=PROMPT), start(TEXT)),
        Case("TEXT_VIDEO with an image and the largest seed", ours(prompt=PROMPT, image=file, seed=2147483646), start(WITH_IMAGE)),
        Case("MULTI_SHOT_AUTOMATED", ours(prompt=PROMPT * 60, seconds=120, seed=0), start(AUTOMATED)),
        Case("MULTI_SHOT_MANUAL with an image", ours(shots=shots, seed=42), start(MANUAL)),
        Case("GetAsyncInvoke", [{"call": "poll", "id": ARN}], get),
        Case("GetAsyncInvoke and a presigned URL of S3, fetched", [{"call": "link", "id": ARN}], get_and_link, fetch),
        Case("TEXT_VIDEO with temporary keys", ours(prompt=PROMPT), start(TEXT), variables=temporary),
        Case("a presigned URL with temporary keys", [{"call": "link", "id": ARN}], get_and_link, fetch, temporary),
    ]


def get():
    return client("bedrock-runtime").get_async_invoke(invocationArn=ARN)


def get_and_link():
    from botocore.config import Config

    get()
    s3 = client("s3", config=Config(signature_version="s3v4"))
    fetch(s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": f"{FOLDER}/output.mp4"}, ExpiresIn=3600))


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        if answer.read() != VIDEO:
            raise ValueError("the video differs")


def judge(request, is_ours):
    """Recomputes the signature with botocore's signer."""
    from botocore.auth import S3SigV4QueryAuth, SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    keys, url = Credentials(ACCESS, SECRET), f"http://{request.header('host')}{request.path}"
    query = {name: values[0] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
    if "X-Amz-Signature" in query:
        signer = S3SigV4QueryAuth(keys, "s3", REGION)
        names, stamp, sent = query["X-Amz-SignedHeaders"].split(";"), query["X-Amz-Date"], query.pop("X-Amz-Signature")
        if query["X-Amz-Credential"] != f"{ACCESS}/{stamp[:8]}/{REGION}/s3/aws4_request":
            return f"X-Amz-Credential is {query['X-Amz-Credential']}"
        url += "?" + re.sub(r"&?X-Amz-Signature=[0-9a-f]+", "", request.query)
    else:
        signer = SigV4Auth(keys, "bedrock", REGION)
        form = r"AWS4-HMAC-SHA256 Credential=(\S+), ?SignedHeaders=(\S+), ?Signature=([0-9a-f]{64})"
        found = re.fullmatch(form, request.header("authorization") or "")
        stamp = request.header("x-amz-date") or ""
        if not found or not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
            return f"authorization is {request.header('authorization')!r}, x-amz-date {stamp!r}"
        names, sent = found[2].split(";"), found[3]
    signed = AWSRequest(method=request.method, url=url, data=request.body, headers={name: request.header(name) for name in names})
    signed.context["timestamp"] = stamp
    computed = signer.signature(signer.string_to_sign(signed, signer.canonical_request(signed)), signed)
    return None if computed == sent else f"the signature is {sent}, and botocore computes {computed}"


def more(wire):
    yield "neither client sends a bearer token over plain http", open_bearer(wire)
    yield from with_moto(wire)
    yield from with_our_fakes(wire)


def open_bearer(wire):
    """Checks that both clients refuse; returns the reason if not."""
    with mock.patch.dict(os.environ, {BEARER: "a-bearer-token"}):
        try:
            get()
            return "theirs sends it"
        except Exception as error:
            theirs = str(error)
    try:
        return f"ours sends it: {wire.call({'call': 'poll', 'id': ARN}, variables=wire.variables | {BEARER: 'a-bearer-token'})}"
    except RuntimeError as error:
        refused = "plain-http endpoint" in str(error) and "a-bearer-token" not in str(error) + theirs
        return None if refused and not wire.recorder.take() else f"ours: {error}; theirs: {theirs}"


def with_our_fakes(wire):
    """boto3 against our fakes: a video from the start to the file, and refusals."""
    server = subprocess.Popen([wire.fakes], stdout=subprocess.PIPE, text=True)
    try:
        variables = {}
        while "AWS_ENDPOINT_URL_S3" not in variables:
            name, _, value = server.stdout.readline().strip().partition("=")
            variables[name] = value
        with mock.patch.dict(os.environ, variables | {"AWS_DEFAULT_REGION": variables["AWS_REGION"]}):
            yield "boto3 generates each kind of video with our fakes", made_with(variables["S3_BUCKET_NAME"])
            yield "boto3 understands our fakes' refusals", refused_with(variables["S3_BUCKET_NAME"])
    finally:
        server.kill()
        server.wait()


def made_with(bucket):
    """Generates every kind of video with boto3; returns the first failure, or None."""
    from botocore.config import Config

    inputs = {"TEXT_VIDEO": TEXT, "an image": WITH_IMAGE, "MULTI_SHOT_AUTOMATED": AUTOMATED, "MULTI_SHOT_MANUAL": MANUAL}
    for index, (name, model_input) in enumerate(inputs.items()):
        arn = start(model_input, f"s3://{bucket}/boto", f"token-{index}")()["invocationArn"]
        for _ in range(5):
            answer = client("bedrock-runtime").get_async_invoke(invocationArn=arn)
        if answer["status"] != "Completed":
            return f"{name}: {answer}"
        place = answer["outputDataConfig"]["s3OutputDataConfig"]["s3Uri"].removeprefix(f"s3://{bucket}/") + "/output.mp4"
        s3 = client("s3", config=Config(signature_version="s3v4"))
        video = s3.get_object(Bucket=bucket, Key=place)["Body"].read()
        url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": place}, ExpiresIn=3600)
        with urllib.request.urlopen(url, timeout=30) as answer:
            if not video or answer.read() != video:
                return f"{name}: the link's video differs"
    return None


def refused_with(bucket):
    """Checks that boto3 recognizes every error; returns the first failure, or None."""
    from botocore.exceptions import ClientError

    long = {**TEXT, "textToVideoParams": {"text": "x" * 513}}
    wrong_key = lambda: client("bedrock-runtime", aws_access_key_id=ACCESS, aws_secret_access_key="another")
    wanted = [
        ("513 characters", start(long, f"s3://{bucket}/boto"), "ValidationException", 400),
        ("another bucket", start(TEXT, "s3://another-bucket"), "ValidationException", 400),
        ("another key", lambda: wrong_key().get_async_invoke(invocationArn=ARN), "InvalidSignatureException", 403),
        ("an unknown ARN", get, "ValidationException", 400),
    ]
    for name, call, code, status in wanted:
        try:
            return f"{name}: {call()}"
        except ClientError as error:
            found = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            if found != (code, status):
                return f"{name}: {error.response}"
    return None


def with_moto(wire):
    """Tests our download and our link with moto's S3."""
    command = [Path(sys.executable).with_name("moto_server"), "-H", "127.0.0.1", "-p", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        moto = wait_for(server)
        s3 = client("s3", endpoint_url=moto)
        s3.create_bucket(Bucket=BUCKET)
        s3.put_object(Bucket=BUCKET, Key=f"{FOLDER}/output.mp4", Body=VIDEO, ContentType="video/mp4")
        variables = wire.variables | {"AWS_ENDPOINT_URL_S3": moto}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "video.mp4")
            result = wire.call({"call": "download", "id": ARN, "file": str(file)}, variables=variables)[0]
            same = result.get("length") == len(VIDEO) and file.read_bytes() == VIDEO
            yield "a video is downloaded from moto's S3", None if same else str(result)
        result = wire.call({"call": "link", "id": ARN}, variables=variables)[0]
        try:
            fetch(result["url"])
            yield "a link works at moto's S3 without a header", None
        except Exception as error:
            yield "a link works at moto's S3 without a header", f"{error} {result}"
    finally:
        server.terminate()
        server.wait()


def wait_for(server):
    """moto's address, from its output."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and (line := server.stdout.readline()):
        if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", line):
            return found[1]
    raise RuntimeError("moto's server did not start")
