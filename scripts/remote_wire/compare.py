"""Whether two requests are equal on the wire, and where they are not."""

import json
import re
from urllib.parse import unquote

# What every HTTP library words in its own way, and no provider signs or reads.
EVERYWHERE = {
    "accept-encoding": "whether an answer may be compressed is each library's own",
    "connection": "whether a connection is kept is each library's own",
    "content-length": "follows from the body, which is compared; checked against it",
    "content-type without a body": "some clients put one there, where it says nothing",
    "host": "both must name the recording server; checked",
    "transfer-encoding": "how a body is cut is each library's own; it is compared whole",
    "user-agent": "says which program asks",
}


def differences(ours, theirs, ignored, loose):
    """What differs between two requests, each in a line; empty if nothing does."""
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
    """The query's values by name as they were sent, not decoded; what may differ has its name alone."""
    pairs = {}
    for pair in filter(None, request.query.split("&")):
        name, _, value = pair.partition("=")
        pairs.setdefault(name, []).append("any" if unquote(name) in loose else value)
    return pairs


def headers(request, ignored):
    """Values by name, but for what may differ. Of a signature the key, its scope and the headers that it covers count."""
    forms, values = {"authorization": signature_parts, "content-type": without_boundary}, {}
    for name, value in request.headers:
        if name not in ignored and (name != "content-type" or request.body):
            values.setdefault(name, []).append(forms.get(name, str)(value))
    return values


def signature_parts(value):
    if not value.startswith("AWS4-HMAC-SHA256 "):
        return value
    part = dict(part.strip().split("=", 1) for part in value.split(" ", 1)[1].split(","))
    # The day is part of the scope, and midnight may come between the two.
    scope = re.sub(r"/\d{8}/", "/DAY/", part["Credential"])
    return f"AWS4-HMAC-SHA256 {scope} over {part['SignedHeaders']}"


def without_boundary(value):
    return re.sub(r"boundary=[^;]+", "boundary=ANY", value)


def body(request):
    """The body in a form that does not depend on how a library writes it: JSON as its values, a form as its parts in order of their names."""
    kind = (request.header("content-type") or "").lower()
    if not request.body:
        return b""
    if "json" in kind:
        return json.loads(request.body)
    if kind.startswith("multipart/"):
        return parts(request.body, re.search(r'boundary="?([^";]+)', request.header("content-type"))[1])
    return request.body


def parts(form, boundary):
    """(headers, content) of each part, sorted; how a part's headers are cased and spaced does not count."""
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
    """What is wrong with a request by itself, of what is not compared."""
    if request.header("host") != base.removeprefix("http://"):
        return f"the host is {request.header('host')!r}"
    length = request.header("content-length")
    return f"the length is said to be {length} of {len(request.body)}" if length not in (None, str(len(request.body))) else None


def shown(value):
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:400]} .. {text[-150:]} ({len(text)} characters)"
