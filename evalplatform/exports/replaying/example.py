"""The main numbers of an export in plain Python, without this package."""

PLAIN_PYTHON = """\
import csv, glob, json
from collections import Counter

printed = json.load(open("results.json"))
votes = Counter()
for name in glob.glob("data/*.csv"):
    for row in csv.DictReader(open(name, newline="", encoding="utf-8")):
        if row["counts"] == "1" and row["outcome"]:
            votes[row["criterion"], row["outcome"]] += 1
for group in printed["groups"]:
    if group["depth"]:
        continue  # a part of the prompts
    said = {name: votes[group["criterion"], name] for name in ("A", "TIE", "B")}
    n = sum(said.values())
    again = [said["A"] / n, said["TIE"] / n, said["B"] / n, (said["A"] - said["B"]) / n]
    told = [group["votes"][name]["value"] for name in ("win", "tie", "lose", "net")]
    assert again == told, (again, told)
    print(group["criterion"], n, "votes: win, tie, lose, net =", *again)
"""
