"""Compares POST /v1/images/generations with POST /generate on the same image: python overhead.py URL [REQUESTS].

Prints the median time of each and the median of the differences of each pair, and exits with 1 if that is a millisecond or more.
"""

import http.client
import json
import statistics
import sys
import time
from urllib.parse import urlsplit

TARGET = urlsplit(sys.argv[1])
REQUESTS = int(sys.argv[2]) if len(sys.argv) > 2 else 200
IMAGE = {"prompt": "a boat", "num_inference_steps": 1, "seed": 1}
ROUTES = {"/generate": {**IMAGE, "return_base64": True}, "/v1/images/generations": IMAGE}


def seconds(connection, path, body):
    started = time.perf_counter()
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, answer.status
    return time.perf_counter() - started


connection = http.client.HTTPConnection(TARGET.hostname, TARGET.port)
times = {path: [] for path in ROUTES}
for turn in range(REQUESTS):
    # In turns, so that both see the same machine, and each first in half of them.
    for path in sorted(ROUTES, reverse=turn % 2 == 0):
        times[path].append(seconds(connection, path, ROUTES[path]))
for path, found in times.items():
    print(f"{path}: {statistics.median(found[5:]) * 1000:.3f} ms at p50 of {REQUESTS}")
# What disturbs the machine for longer than a request disturbs both of a pair.
pairs = zip(times["/v1/images/generations"][5:], times["/generate"][5:])
differences = sorted((ours - plain) * 1000 for ours, plain in pairs)
overhead = statistics.median(differences)
quarter = len(differences) // 4
print(f"overhead: {overhead:.3f} ms at p50 of the pairs, half of them within {differences[quarter]:.3f} to {differences[-quarter - 1]:.3f} ms")
sys.exit(overhead >= 1.0)
