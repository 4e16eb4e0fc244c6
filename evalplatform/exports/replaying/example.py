"""Wins, ties and losses of an export in plain Python, without this package."""

PLAIN_PYTHON = """\
import collections, csv, glob, itertools, json

csv.field_size_limit(2**30)  # letters of a prompt
printed, votes = json.load(open("results.json")), collections.Counter()
for name in glob.glob("data/*.csv"):
    for row in csv.DictReader(open(name, newline="", encoding="utf-8")):
        graded = zip(row["arms"].split(), map(int, row["grades"].split()))
        for (arm, one), (other, two) in itertools.permutations(graded, 2):
            votes[row["criterion"], arm, other, (one > two) - (one < two)] += row["counts"] == "1"
for group in printed["groups"] + printed["galleries"]:
    duel = [{"arm": "A", "other": "B", "rates": group.get("votes")}]
    for pair in group["ranking"]["pairs"] if "ranking" in group else duel:
        if group["depth"] == 0:  # of all prompts
            key = group["criterion"], pair["arm"], pair["other"]
            win, tie, lose = (votes[(*key, sign)] for sign in (1, 0, -1))
            n = win + tie + lose
            told = [pair["rates"][name]["value"] for name in ("win", "tie", "lose", "net")]
            assert told == [win / n, tie / n, lose / n, (win - lose) / n], (key, told)
            print(*key, n, "comparisons: win, tie, lose, net =", *told)
"""
