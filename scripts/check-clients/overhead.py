"""Compares POST /v1/images/generations with POST /generate on the same image: python overhead.py URL [REQUESTS].

Prints the median time of each, and exits with 1 if OpenAI's route takes a millisecond longer.
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
medians = {path: statistics.median(found[5:]) * 1000 for path, found in times.items()}
for path, median in medians.items():
    print(f"{path}: {median:.3f} ms at p50 of {REQUESTS}")
overhead = medians["/v1/images/generations"] - medians["/generate"]
print(f"overhead: {overhead:.3f} ms")
sys.exit(overhead >= 1.0)
