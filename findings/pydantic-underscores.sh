#!/usr/bin/env bash
# pydantic 2.14.4 (its lax mode, which FastAPI uses for queries and bodies) reads one text as another kind of number, or as none,
# depending on underscores, blanks and zeros in ways that neither Python nor its documentation has:
#   * "0__1" is the int 1, where "1__1" is none and where Python's own int() and pydantic's float refuse both;
#   * " 1_0 " is an int and no float, though " 10 " and "1_0" are both;
#   * "+_5" and "1._0" are floats, though Python's float() refuses them, and "_5" is none;
#   * "5.0" is an int, "5." and ".0" are none.
# Exits non-zero if any of this changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pydantic==2.14.4 pydantic_core==2.50.5

"$folder/venv/bin/python" - <<'EOF'
import pydantic

EXPECTED = {
    # text: (as int, as float), None where it is refused
    "0__1": (1, None),
    "1__1": (None, None),
    " 1_0 ": (10, None),
    " 10 ": (10, 10.0),
    "1_0": (10, 10.0),
    "+_5": (None, 5.0),
    "1._0": (None, 1.0),
    "_5": (None, None),
    "5.0": (5, 5.0),
    "5.": (None, 5.0),
    ".0": (None, 0.0),
}


def read(kind, text):
    try:
        return pydantic.TypeAdapter(kind).validate_python(text)
    except pydantic.ValidationError:
        return None


print("pydantic", pydantic.VERSION)
found = {text: (read(int, text), read(float, text)) for text in EXPECTED}
for text, values in found.items():
    print(f"{text!r:10} int {values[0]!r:5} float {values[1]!r}")
assert found == EXPECTED, {text: values for text, values in found.items() if values != EXPECTED[text]}
EOF
