"""What the `lifetimes` package takes for the same predictions. It runs in an environment of its own: it is no dependency.

python3 -m venv .local/lifetimes && .local/lifetimes/bin/pip install lifetimes
LIFETIMES=.local/lifetimes/bin/python make bench
"""

import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any


def score() -> None:
    """Print, as JSON, customers a second of CPU by what is computed, and the peak of this process in MB.

    Reads histories, how many customers there are, parameters, days of a hold-out and triples to fit from standard input, as JSON.
    """
    warnings.filterwarnings("ignore")
    said = json.load(sys.stdin)
    numpy, pandas, lifetimes = map(import_module, ("numpy", "pandas", "lifetimes"))
    x, t_x, age, mean = (numpy.resize(column, said["customers"]) for column in numpy.array(said["histories"]).T)
    purchases, spends = lifetimes.ModifiedBetaGeoFitter(), lifetimes.GammaGammaFitter()
    purchases.params_, spends.params_ = pandas.Series(said["purchasing"]), pandas.Series(said["spending"])
    of_value = lifetimes.BetaGeoFitter()
    of_value.params_ = purchases.params_
    of_value.predict = of_value.conditional_expected_number_of_purchases_up_to_time

    def orders(days: int) -> Any:
        return purchases.conditional_expected_number_of_purchases_up_to_time(days, x, t_x, age)

    def alone() -> None:
        purchases.conditional_probability_alive(x, t_x, age)
        orders(90)
        spends.conditional_expected_average_profit(x, mean)

    def everything() -> None:
        """Also what a Prediction has beside; there is no lifetime value for MBG/NBD, so that is BG/NBD's."""
        alone()
        orders(30)
        orders(365)
        columns = map(pandas.Series, (x, t_x, age, mean))
        spends.customer_lifetime_value(of_value, *columns, time=12, freq="D", discount_rate=1.1 ** (1 / 12) - 1)

    rates = {"alone": _rate(alone, said["customers"]), "everything": _rate(everything, said["customers"])}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"rates": rates, "peak": peak} | _fitted(lifetimes, numpy, said)))


def _fitted(lifetimes: Any, numpy: Any, said: Any) -> dict[str, float]:
    """Fit the triples, weighted, and sum up what is expected of all in the hold-out."""
    *columns, count = (numpy.array(column, dtype=float) for column in zip(*said["triples"], strict=True))
    fitter = lifetimes.ModifiedBetaGeoFitter()
    began = time.process_time()
    fitter.fit(*columns, weights=count)
    seconds = time.process_time() - began
    orders = fitter.conditional_expected_number_of_purchases_up_to_time(said["days"], *columns)
    return {"fit": seconds, "expected": float((orders * count).sum())}


def _rate(work: Callable[[], None], customers: int) -> float:
    began = time.process_time()
    work()
    return customers / (time.process_time() - began)
