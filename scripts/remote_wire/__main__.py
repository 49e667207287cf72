"""Runs the cases of each provider; see scripts/check-remote-wire."""

import argparse
import importlib
import os
import sys
from pathlib import Path
from unittest import mock

from remote_wire import compare
from remote_wire.case import Wire
from remote_wire.recorder import Recorder

FRAME = {"__init__", "__main__", "case", "compare", "recorder"}
FOLDER = Path(__file__).parent


def main():
    known = sorted(file.stem for file in FOLDER.glob("*.py") if file.stem not in FRAME)
    parser = argparse.ArgumentParser(prog="scripts/check-remote-wire")
    parser.add_argument("providers", nargs="*", metavar="PROVIDER", help=", ".join(known))
    parser.add_argument("--packages", action="store_true", help="print the packages that pip must install, and exit")
    parser.add_argument("--program", help="the example `wire` of remote-providers")
    parser.add_argument("--fakes", help="the example `fakes` of remote-fakes")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    if unknown := sorted(set(given.providers) - set(known)):
        sys.exit(parser.error(f"{', '.join(unknown)}: unknown; available: {', '.join(known)}"))
    modules = [importlib.import_module(f"remote_wire.{name}") for name in given.providers or known]
    if given.packages:
        return print("\n".join(sorted({package for module in modules for package in module.PACKAGES})))
    failed = sum(run(module, given.program, given.fakes, given.verbose) for module in modules)
    sys.exit(1 if failed else 0)


def run(module, program, fakes, verbose):
    """Runs one provider's cases; returns the number of failures."""
    recorder = Recorder(module.answer)
    # The machine's own settings for Amazon, proxies and the like must not affect a case.
    clean = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "TMPDIR", "VIRTUAL_ENV") if name in os.environ}
    variables = clean | getattr(module, "environment", lambda base: {})(recorder.base)
    wire = Wire(program, fakes, module.PROVIDER, recorder, variables)
    failed, ignored, loose = 0, module.IGNORED, getattr(module, "LOOSE", {})
    judge = getattr(module, "judge", lambda request, ours: None)

    def report(name, reasons, note=""):
        nonlocal failed
        failed += bool(reasons)
        print(f"{'FAILED' if reasons else 'ok':6}  {module.PROVIDER}: {name}{note}", flush=True)
        for reason in reasons:
            print(f"        {reason}", flush=True)

    try:
        with mock.patch.dict(os.environ, variables, clear=True):
            for case in module.cases(recorder.base):
                reasons, theirs, ours = [], [], []
                try:
                    with mock.patch.dict(os.environ, case.variables):
                        case.theirs()
                    theirs = recorder.take()
                    for result in wire.call(*case.ours, variables=variables | case.variables):
                        if "error" in result:
                            reasons.append(f"ours failed: {result['error']}")
                        elif case.fetch and result.get("url"):
                            case.fetch(result["url"])
                    ours = recorder.take()
                except Exception as error:  # A broken case is a failure; the others still run.
                    reasons.append(f"{type(error).__name__}: {error}")
                if len(ours) != len(theirs) or not ours:
                    lists = [[f"{request.method} {request.path}" for request in requests] for requests in (ours, theirs)]
                    reasons.append("requests: ours {}, theirs {}".format(*lists))
                for mine, other in zip(ours, theirs):
                    reasons += compare.differences(mine, other, ignored, loose)
                for request, is_ours in [(request, True) for request in ours] + [(request, False) for request in theirs]:
                    wrong = compare.well_formed(request, recorder.base) or judge(request, is_ours)
                    reasons += [f"{'ours' if is_ours else 'theirs'}: {wrong}"] if wrong else []
                    if verbose:
                        print(f"        {'ours' if is_ours else 'theirs':6} {request.method} {request.path}?{request.query}")
                        print(f"               {request.headers}")
                        print(f"               {compare.shown(request.body)}")
                bodies = [compare.is_same_bytes(mine, other) for mine, other in zip(ours, theirs) if other.body]
                note = "" if reasons or not bodies else " (bodies equal byte for byte)" if all(bodies) else " (bodies equal in value)"
                report(case.name, reasons, note)
            for name, reason in getattr(module, "more", lambda wire: ())(wire):
                report(name, [reason] if reason else [])
    finally:
        recorder.close()
    print("        not compared:")
    for name, why in sorted((compare.EVERYWHERE | ignored | loose).items()):
        print(f"          {name}: {why}")
    return failed


if __name__ == "__main__":
    main()
