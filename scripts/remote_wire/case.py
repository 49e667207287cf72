"""The inputs of both clients, and the way to call ours."""

import json
import subprocess
from dataclasses import dataclass, field
from typing import Callable, Optional

# A call that takes longer has failed.
SECONDS = 60
# The API key of all providers, also in the example `wire`.
KEY = "wire-key"


@dataclass
class Case:
    """One input for both clients. `ours` is a list of calls in the format of the example `wire`; `theirs` makes the same calls with the
    provider's own client; `variables` are set for both. Links that ours returns are fetched with `fetch`: a link is compared as its
    request."""

    name: str
    ours: list
    theirs: Callable[[], object]
    fetch: Optional[Callable[[str], object]] = None
    variables: dict = field(default_factory=dict)


class Wire:
    """Our client: the example `wire`, with the same environment variables as the provider's own client. `fakes` is the program that
    starts our own fakes of the providers, for checks that the providers' clients work with them."""

    def __init__(self, program, fakes, provider, recorder, variables):
        self.program, self.fakes, self.provider, self.recorder, self.variables = program, fakes, provider, recorder, variables

    def call(self, *calls, variables=None):
        """Makes the calls in order; returns their results."""
        lines = "".join(json.dumps(call) + "\n" for call in calls)
        command = [self.program, self.provider, self.recorder.base]
        done = subprocess.run(command, input=lines, env=variables or self.variables, capture_output=True, text=True, timeout=SECONDS)
        if done.returncode:
            raise RuntimeError(f"wire exited with {done.returncode}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]
