#!/usr/bin/env bash
# SQLite 3.54.1 (by apsw 3.54.1.0): adding a plain column to a STRICT table checks the existing rows against the constraints of their existing
# columns. A single row that violates a CHECK (written with ignore_check_constraints, or before a value went bad) makes
# `ALTER TABLE .. ADD COLUMN b TEXT` fail, although the statement names neither that column nor a constraint. The same statement passes
#   * on the same table without STRICT;
#   * with `PRAGMA ignore_check_constraints = ON` while it runs;
#   * on a column that is renamed instead of added.
# So a migration that adds a column can fail on a database that otherwise reads and writes without errors.
# Exits non-zero if any of this changes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet apsw==3.54.1.0

"$folder/venv/bin/python" - <<'EOF'
import apsw


def outcome(options, statement, ignored=False):
    db = apsw.Connection(":memory:")
    db.execute(f"CREATE TABLE jobs (parts INTEGER NOT NULL CHECK (parts > 0)){options}")
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("INSERT INTO jobs VALUES (-1)")
    db.execute(f"PRAGMA ignore_check_constraints = {'ON' if ignored else 'OFF'}")
    try:
        db.execute(statement)
        return "passes"
    except apsw.SQLError as error:
        return str(error)


ADD = "ALTER TABLE jobs ADD COLUMN kind TEXT"
found = {
    "STRICT": outcome(" STRICT", ADD),
    "not STRICT": outcome("", ADD),
    "STRICT, checks ignored": outcome(" STRICT", ADD, ignored=True),
    "STRICT, renamed": outcome(" STRICT", "ALTER TABLE jobs RENAME COLUMN parts TO pieces"),
}
print("SQLite", apsw.sqlite_lib_version())
for case, what in found.items():
    print(f"{case}: {what}")
expected = {
    "STRICT": "CHECK constraint failed",
    "not STRICT": "passes",
    "STRICT, checks ignored": "passes",
    "STRICT, renamed": "passes",
}
raise SystemExit(0 if found == expected else "this has changed")
EOF
