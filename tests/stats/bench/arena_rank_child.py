"""arena-rank on the votes of a file, in its own environment: one line of JSON with its seconds.

    python arena_rank_child.py VOTES.npz REPLICATES

Each figure is the median of runs after a first one, so that what is compiled once is not counted;
its optimiser compiles anew for every fit, and that is. The dict given as outcome map is faster
than the function it has by default, and gives the same.
"""

import json
import sys
import time
from statistics import median

import numpy as np
import pandas as pd
from arena_rank.models.bradley_terry import BradleyTerry, fit_single_bootstrap_sample
from arena_rank.utils.data_utils import PairDataset

VALUE = {0: 1.0, 1: 0.5, 2: 0.0}


def seconds(work, repeats):
    work()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        taken.append(time.process_time() - start)
    return median(taken), result


def fitted(dataset):
    model = BradleyTerry(dataset.n_competitors)
    model.fit(dataset)
    return np.asarray(model.params["ratings"])


def main(path, replicates):
    votes = np.load(path)
    frame = pd.DataFrame({name: votes[name] for name in ("model_a", "model_b", "winner")})

    def read():
        return PairDataset.from_pandas(frame, outcome_map=VALUE)

    dataset = read()
    rng = np.random.default_rng(1)
    counts = np.asarray(dataset.counts)
    draws = iter(rng.multinomial(int(counts.sum()), counts / counts.sum(), replicates + 1) * 1.0)
    model = BradleyTerry(dataset.n_competitors)

    whole, strengths = seconds(lambda: fitted(read()), 2)

    def replicate():
        made = fit_single_bootstrap_sample(next(draws), model, dataset)
        return np.asarray(made["ratings"])

    one, _ = seconds(replicate, replicates)
    found = {"point_fit": whole, "replicate": one}
    print(json.dumps(found | {"strengths": (strengths - strengths.mean()).tolist()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
