"""Two arms: shares, verdicts, tests, groups, early looks."""
