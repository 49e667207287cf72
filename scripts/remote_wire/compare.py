"""Compares two requests as sent on the wire."""

import json
import re
from urllib.parse import unquote

# Headers that differ between HTTP libraries, and that no provider signs or reads.
EVERYWHERE = {
    "accept-encoding": "each library decides whether an answer may be compressed",
    "connection": "each library decides whether to keep a connection",
    "content-length": "follows from the body, which is compared; checked against it",
    "content-type without a body": "some clients send one, without a meaning",
    "host": "both must name the recording server; checked",
    "transfer-encoding": "each library chunks a body its own way; the whole is compared",
    "user-agent": "names the client program",
}


def differences(ours, theirs, ignored, loose):
    """The differences between two requests, one per line; empty if there are none."""
    found = []
    for what, mine, other in [("method", ours.method, theirs.method), ("path", ours.path, theirs.path)]:
        if mine != other:
            found.append(f"{what}: ours {mine!r}, theirs {other!r}")
    mine, other = query(ours, loose), query(theirs, loose)
    for name in sorted(mine.keys() | other.keys()):
        if mine.get(name) != other.get(name):
            found.append(f"query {name}: ours {mine.get(name)!r}, theirs {other.get(name)!r}")
    ignored = EVERYWHERE | ignored
    mine, other = headers(ours, ignored), headers(theirs, ignored)
    for name in sorted(mine.keys() | other.keys()):
        if mine.get(name) != other.get(name):
            found.append(f"header {name}: ours {mine.get(name)!r}, theirs {other.get(name)!r}")
    mine, other = body(ours), body(theirs)
    if mine != other:
        found.append(f"body: ours {shown(mine)}, theirs {shown(other)}")
    return found


def query(request, loose):
    """The query's values by name, not decoded; values that may differ are replaced by "any"."""
    pairs = {}
    for pair in filter(None, request.query.split("&")):
        name, _, value = pair.partition("=")
        pairs.setdefault(name, []).append("any" if unquote(name) in loose else value)
    return pairs


def headers(request, ignored):
    """Values by name, without those that may differ. A signature is reduced to its key, its scope and its signed headers."""
    forms, values = {"authorization": signature_parts, "content-type": without_boundary}, {}
    for name, value in request.headers:
        if name not in ignored and (name != "content-type" or request.body):
            values.setdefault(name, []).append(forms.get(name, str)(value))
    return values


def signature_parts(value):
    if not value.startswith("AWS4-HMAC-SHA256 "):
        return value
    part = dict(part.strip().split("=", 1) for part in value.split(" ", 1)[1].split(","))
    # The scope contains the day, and midnight may fall between the two requests.
    scope = re.sub(r"/\d{8}/", "/DAY/", part["Credential"])
    return f"AWS4-HMAC-SHA256 {scope} over {part['SignedHeaders']}"


def without_boundary(value):
    return re.sub(r"boundary=[^;]+", "boundary=ANY", value)


def body(request):
    """The body in a form independent of a library's formatting: JSON as its values, a form as its parts sorted by name."""
    kind = (request.header("content-type") or "").lower()
    if not request.body:
        return b""
    if "json" in kind:
        return json.loads(request.body)
    if kind.startswith("multipart/"):
        return parts(request.body, re.search(r'boundary="?([^";]+)', request.header("content-type"))[1])
    return request.body


def parts(form, boundary):
    """(headers, content) of each part, sorted; the case and the spacing of a part's headers are ignored."""
    found = []
    for part in form.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        lines = sorted(re.sub(r"\s*([;:])\s*", r"\1", line).strip() for line in head.decode().split("\r\n"))
        head = tuple((name.lower(), value) for name, _, value in (line.partition(":") for line in lines))
        found.append((head, content))
    return sorted(found)


def is_same_bytes(ours, theirs):
    return ours.body == theirs.body


def well_formed(request, base):
    """Checks the parts of a request that are not compared; returns the fault, or None."""
    if request.header("host") != base.removeprefix("http://"):
        return f"the host is {request.header('host')!r}"
    length = request.header("content-length")
    return f"content-length is {length}, the body has {len(request.body)} bytes" if length not in (None, str(len(request.body))) else None


def shown(value):
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:400]} .. {text[-150:]} ({len(text)} characters)"
