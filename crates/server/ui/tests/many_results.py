"""Copies completed tasks in the data folder of a stopped server until it has COUNT of them, for tests of long lists.

    python3 many_results.py FOLDER COUNT

A copy has all that its original has except its id, its prompt and its time; its files are links to the original's. Which columns there are is
the server's affair: all of them are copied.
"""

import os
import sqlite3
import sys

folder, count = sys.argv[1], int(sys.argv[2])
database = sqlite3.connect(os.path.join(folder, "jobs.sqlite"))
database.row_factory = sqlite3.Row
originals = database.execute("SELECT * FROM jobs WHERE state = 'completed' ORDER BY number").fetchall()
artifacts = {row["number"]: database.execute("SELECT * FROM artifacts WHERE job = ?", (row["number"],)).fetchall() for row in originals}
if not originals:
    sys.exit("There is no completed task to copy")


def insert(table, row):
    columns = ", ".join(row)
    return database.execute(f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values())).lastrowid


for copy in range(len(originals), count):
    original = originals[copy % len(originals)]
    row = {key: original[key] for key in original.keys() if key != "number"}
    row["id"] = f"img_{copy:012x}"
    for key in ("prompt", "search"):
        row[key] = f"{row[key]} {copy}"
    number = insert("jobs", row)
    for artifact in artifacts[original["number"]]:
        insert("artifacts", {**artifact, "job": number})
    source, target = (os.path.join(folder, "artifacts", name) for name in (original["id"], row["id"]))
    os.mkdir(target)
    for name in os.listdir(source):
        os.link(os.path.join(source, name), os.path.join(target, name))
database.commit()
