"""Exact intervals of proportions and t intervals of differences, by scipy and statsmodels:

    python scripts/golden/make_intervals.py test/golden/intervals.json
"""

import json
import random
import sys

import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

random.seed(7)
proportions = []
for n in (1, 2, 3, 9, 20, 60, 97, 1000, 12345):
    for k in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        low, high = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
        by_statsmodels = proportion_confint(k, n, alpha=0.05, method="beta")
        assert all(abs(a - b) < 1e-9 for a, b in zip((low, high), by_statsmodels)), (k, n)
        proportions.append({"successes": k, "n": n, "low": float(low), "high": float(high)})

differences = []
for n in (2, 3, 5, 12, 40):
    values = [random.gauss(0.03, 0.05) for _ in range(n)]
    low, high = DescrStatsW(values).tconfint_mean(alpha=0.05)
    differences.append({"values": values, "low": float(low), "high": float(high)})

quantiles = [
    {"share": share, "df": df, "t": float(stats.t.ppf(share, df))}
    for share in (0.6, 0.9, 0.95, 0.975, 0.995, 0.9999)
    for df in (1, 2, 3, 4, 10, 30, 1000)
]

made_with = {"scipy": scipy.__version__, "statsmodels": statsmodels.__version__}
with open(sys.argv[1], "w") as file:
    json.dump(
        {"made_with": made_with, "proportions": proportions, "differences": differences, "quantiles": quantiles},
        file,
        indent=1,
    )
    file.write("\n")
