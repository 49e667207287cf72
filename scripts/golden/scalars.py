"""Writes pydantic's results for single values in its lax mode: crates/server/tests/golden/scalars.json.

Requires only pydantic 2. Texts of a query, and JSON values as FastAPI passes them (json.loads, then validate_python), each as int, float,
bool and str: repr() of the value, or the violated rule and its message.
"""

import argparse
import json
from pathlib import Path

import pydantic

GOLDEN = Path(__file__).resolve().parents[2] / "crates" / "server" / "tests" / "golden" / "scalars.json"
TYPES = {kind.__name__: pydantic.TypeAdapter(kind) for kind in (int, float, bool, str)}

QUERY = [
    *["5", "5.0", "5.00", "5.", ".0", "5.5", ".5", "1.5", "+5", "-5", "+5.0", "-5.00", "-0", "+-5", "--5", "++5", "- 5", "+ 5", "+", "-", "."],
    *[" 5 ", "\t5\n", " 5.0 ", "\u00a05\u00a0", "5\u2003", " 1 ", "", "   ", "1 000", "5 .0", "5\0"],
    *["007", "00", "00.0", "-007", "+007", "-00.00", "-.0", "000_1", "0_1", "0__1", "-0_5", "-0__5", "+0_5", "0_", "00_", "_0", "0" * 60 + "5"],
    *["1_000", "1_000_000", "1__000", "_1", "1_", "+_5", "-_5", "-1_0", "+1_0", " 1_0 ", "1_0.0", "1_0.", "1.0_0", "0.0_0", "1._0", "5.0_"],
    *["1_000.000", "1.000_", "1.0.0", "1_0.5", "1e1_0"],
    *["1e3", "1E3", "5.0e0", "1e-3", "1e400", "e5", "5e", "0x10", "0b1", "5,0", "5f", "5L", "five", "\u0661", "\uff15", "\u0663.\u0665"],
    *["9223372036854775807", "9223372036854775808", "-9223372036854775809", "9" * 41, "-" + "9" * 41],
    *["nan", "NaN", "inf", "-inf", "+inf", "Infinity", "-Infinity"],
    *["true", "True", "TRUE", "tRuE", " true ", "t", "yes", "Y", "on", "off", "OFF", "no", "f", "0", "1", "2", "1.0", "0.0", "01", "null", "None"],
]
JSON = [
    *["5", "0", "1", "2", "-0", "-3", "1.0", "0.0", "-0.0", "2.0", "5.5", "0.5", "-1.0", "1e3", "1E2", "1e-3", "1e0"],
    *["9223372036854775807", "9223372036854775808", "-9223372036854775808", "18446744073709551615", "18446744073709551616", "9" * 41],
    *["1e300", "-1e300", "NaN", "Infinity", "-Infinity", "1e400"],
    *["true", "false", "null", "[]", "[5]", "{}", '{"a": 1}'],
    *['"5"', '"5.0"', '" 5 "', '"1_000"', '"+5"', '"x"', '""', '"true"', '"1"', '"0"', '"nan"', '"\\u0035"'],
]


def outcome(adapter: pydantic.TypeAdapter, value: object) -> str | list[str]:
    """The value as Python writes it (texts unchanged), or the rule and its message."""
    try:
        result = adapter.validate_python(value)
    except pydantic.ValidationError as error:
        fault = error.errors()[0]
        return [fault["type"], fault["msg"]]
    return result if isinstance(result, str) else repr(result)


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    rows = []
    for source, texts in (("query", QUERY), ("json", JSON)):
        for text in texts:
            value = text if source == "query" else json.loads(text)
            rows.append({"from": source, "input": text} | {name: outcome(adapter, value) for name, adapter in TYPES.items()})
    lines = ",\n".join(json.dumps(row) for row in rows)
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(f'{{"pydantic": "{pydantic.VERSION}", "rows": [\n{lines}\n]}}\n')
    print(f"{len(rows)} values: {GOLDEN.name}")


if __name__ == "__main__":
    main()
