"""Predictions: how near they come to what CDNOW's customers did, how long fits take, and customers scored a second on how much.

    make bench
    LIFETIMES=.local/lifetimes/bin/python make bench    # beside the lifetimes package, see benchmarks/with_lifetimes.py

What is scored are the 23,570 customers of the full CDNOW data set, over and over, by one Forecaster, as a worker of the night
does it. Each round is a process of its own, and the two take turns; rates are of CPU, on one thread.
"""

import gzip
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import groupby, pairwise
from math import log, sqrt
from operator import itemgetter
from pathlib import Path
from random import Random
from statistics import mean, median
from typing import Any

from benchmarks.machine import machine
from ecrm.analytics import purchasing, spending
from ecrm.analytics.forecasts import fit
from ecrm.analytics.histories import CLASSES, CurrencyHistories, History, HistoryCounts, class_of, history_of
from ecrm.analytics.models import written
from ecrm.analytics.purchasing import Purchasing, Triple
from tests.unit.buyers import CALIBRATED_ON, FOLLOWED_UNTIL, Spent, a_part, cdnow, expected, repeat_spends, triples, until, weekly

ROOT = Path(__file__).parents[1]
MASTER = ROOT / "benchmarks" / "data" / "cdnow_master.txt.gz"
LIFETIMES = os.environ.get("LIFETIMES")
ROUNDS, CUSTOMERS, COMPANY = 7, 118_000, 1_000_000
SPLITS = (date(1997, 6, 30), date(1997, 9, 30), date(1997, 12, 31), date(1998, 3, 31))
NAMES = {False: "BG/NBD", True: "MBG/NBD"}
OUTPUTS = {"everything": "all that a Prediction has", "alone": "p_alive, orders in 90 days and spend alone"}


def master() -> Iterator[Spent]:
    """Give what each of the 23,570 customers spent, in cents, by day."""
    with gzip.open(MASTER, "rt") as lines:
        next(lines)
        for _, purchases in groupby(map(str.split, lines), key=itemgetter(0)):
            spent: Counter[date] = Counter()
            for _, day, _, dollars in purchases:
                spent[date.fromisoformat(day)] += round(float(dollars) * 100)
            yield spent


def print_papers() -> None:
    """Print the parameters of the CDNOW sample, and its weekly curve in the hold-out."""
    people = cdnow()
    histories = triples(people)
    for is_modified, name in NAMES.items():
        began = time.process_time()
        model = purchasing.fit(histories, is_modified=is_modified)
        took = time.process_time() - began
        said = f"r {model.r:.3f}, α {model.alpha:.3f}, a {model.a:.3f}, b {model.b:.3f}"
        print(f"{name:8} {said}, log-likelihood {model.log_likelihood(histories):.2f}, in {1000 * took:.0f} ms")
        errors = list[float]()
        forecast = bought = 0.0
        for (_, forecast_before, bought_before), (week, forecast, bought) in pairwise(weekly(model, people)[38:]):
            orders, actual = forecast - forecast_before, bought - bought_before
            errors.append(abs(orders / actual - 1))
            print(
                f"    week {week}: {orders:5.1f} expected, {actual:3} bought; {forecast:6.0f} and {bought:5} since the first week"
            )
        print(f"    off by {mean(errors):.1%} in a week, in the mean, and by {forecast / bought - 1:+.1%} after 78 weeks")
    spends = spending.fit(repeat_spends(people))
    print(f"Gamma-Gamma p {spends.p:.2f}, q {spends.q:.2f}, γ {spends.gamma:.2f}")


def print_hold_outs(people: list[Spent]) -> None:
    """Print what was expected and what was done, in all and by the least repeats of each class."""
    print(
        f"hold-outs of {len(people):,} customers: orders in all and by repeats, error in all, root of the mean squared error of"
    )
    print("each customer, and mean logarithmic loss of who came back")
    for split in SPLITS:
        models = {name: purchasing.fit(triples(people, split, unit=1), is_modified=kind) for kind, name in NAMES.items()}
        for end in sorted({min(FOLLOWED_UNTIL, split + timedelta(91)), FOLLOWED_UNTIL}):
            known = [(triple_of(spent, split), spent) for spent in people]
            actual = [len(until(spent, end)) - len(until(spent, split)) for spent in people]
            print(f"{split} until {end}: {by_class([triple for triple, _ in known], actual)}")
            for name, model in models.items():
                by_triple = {triple: expected(model, triple, (end - split).days) for triple, _ in known}
                forecast = [by_triple[triple] for triple, _ in known]
                error = sum(forecast) / sum(actual) - 1
                off = sqrt(mean((one - other) ** 2 for one, other in zip(forecast, actual, strict=True)))
                lost = mean(
                    -log(back if orders else 1 - back)
                    for (triple, _), orders in zip(known, actual, strict=True)
                    for back in [comes_back(model, triple, (end - split).days)]
                )
                print(f"    {name:8} {by_class([triple for triple, _ in known], forecast)}; {error:+.1%}, {off:.4f}, {lost:.4f}")


def comes_back(model: Purchasing, triple: Triple, days: int) -> float:
    """Give the probability of a purchase in so many days."""
    waits: float = (1 + days / (model.alpha + triple.age)) ** -(model.r + triple.x)
    return model.p_alive(*triple) * (1 - waits)


def triple_of(spent: Spent, day: date) -> Triple:
    days = sorted(until(spent, day))
    repeats, away, age = history_of(len(days), days[0], days[-1], day)
    return Triple(repeats, age - away, age)


def by_class(customers: list[Triple], orders: list[Any]) -> str:
    sums = dict.fromkeys(CLASSES, 0.0)
    for triple, each in zip(customers, orders, strict=True):
        sums[class_of(int(triple.x))] += each
    return f"{sum(orders):8,.0f}, " + ", ".join(f"{least}: {found:,.0f}" for least, found in sums.items())


def print_company() -> None:
    """Print how long a fit takes for a large company's customers of three years, drawn from the model."""
    rng = Random(8)  # noqa: S311 (a company, not a secret)
    counts, truth = HistoryCounts(), Purchasing(r=0.6, alpha=50, a=0.8, b=1.4)
    began = time.process_time()
    for _ in range(COMPANY):
        age, rate = rng.randrange(1_096), rng.gammavariate(truth.r, 1 / truth.alpha)
        leaves = rng.betavariate(truth.a, truth.b)
        at, days = 0.0, {0}
        while rng.random() > leaves and (at := at + rng.expovariate(rate or 1e-9)) <= age:
            days.add(int(at))
        counts.add(History(len(days) - 1, age - max(days), age), 0)
    drawn = time.process_time() - began
    began = time.process_time()
    model = purchasing.fit(counts.triples())
    took = time.process_time() - began
    print(
        f"{COMPANY:,} customers drawn and counted in {drawn:.1f} s: {len(counts.customers):,} histories, level {counts.level}; ",
        end="",
    )
    print(f"fitted in {took:.2f} s: r {model.r:.3f}, α {model.alpha:.1f}, a {model.a:.3f}, b {model.b:.3f} of {truth}")


def print_rates(people: list[Spent]) -> None:
    counts, parts = CurrencyHistories(), [a_part(spent) for spent in people]
    began = time.process_time()
    for part in parts:
        counts.add(part, FOLLOWED_UNTIL)
    counted = time.process_time() - began
    began = time.process_time()
    model = fit({"USD": counts}, {}, FOLLOWED_UNTIL)["USD"]
    took = time.process_time() - began
    print(f"{len(people):,} customers: {1e6 * counted / len(people):.0f} µs to count each, as of today and of the past; ", end="")
    print(f"{took:.2f} s to fit {len(counts.today.purchases.customers):,} histories of today and those of the past, and to check")
    given = {
        "histories": [history(spent) for spent in people],
        "model": written(model),
        "purchasing": {name: getattr(model.purchasing, name) for name in ("r", "alpha", "a", "b")},
        "spending": {"p": model.spending.p, "q": model.spending.q, "v": model.spending.gamma},
        "triples": [(*triple, count) for triple, count in triples(cdnow(), unit=1).items()],
        "days": (FOLLOWED_UNTIL - CALIBRATED_ON).days,
    }
    rounds = [sides(given | {"customers": CUSTOMERS}) for _ in range(ROUNDS)]
    for what, outputs in OUTPUTS.items():
        print(f"{outputs}: {median(ours['rates'][what] for ours, _ in rounds):,.0f} customers/s", end="")
        both = [(ours["rates"][what], theirs["rates"][what]) for ours, theirs in rounds if theirs]
        compared = (
            f"; lifetimes {median(rate for _, rate in both):,.0f}, {median(one / other for one, other in both):.2f} x"
            if both
            else ""
        )
        print(compared)
    ours, theirs = sides(given | {"customers": COMPANY})
    print(f"peak memory for {COMPANY:,} customers: {ours['peak']:.0f} MB", end="")
    print(f"; lifetimes {theirs['peak']:.0f} MB" if theirs else "")
    histories = triples(cdnow(), unit=1)
    began = time.process_time()
    sample = purchasing.fit(histories)
    took = time.process_time() - began
    orders = sum(count * expected(sample, triple, (FOLLOWED_UNTIL - CALIBRATED_ON).days) for triple, count in histories.items())
    print(f"hold-out of the sample, 1,882 orders: {orders:.1f} expected, fitted in {1_000 * took:.0f} ms", end="")
    print(f"; lifetimes {theirs['expected']:.1f} in {1_000 * theirs['fit']:.0f} ms" if theirs else "")


def history(spent: Spent) -> tuple[float, float, float, float]:
    """Give x, t_x, T and the mean of repeat days in cents."""
    _, *repeats = (cents for _, cents in sorted(spent.items()))
    return (*triple_of(spent, FOLLOWED_UNTIL), mean(repeats) if repeats else 0.0)


def sides(given: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Run both sides, each on one thread, and read what they print; nothing of lifetimes where it is not installed."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    told: list[Mapping[str, Any]] = [{}, {}]
    for place, (python, module) in enumerate(((sys.executable, "scoring"), (LIFETIMES, "with_lifetimes"))):
        if python:
            command = [python, "-c", f"from benchmarks.{module} import score; score()"]
            done = subprocess.run(
                command,
                check=True,
                stdout=subprocess.PIPE,
                text=True,
                input=json.dumps(given),
                env=os.environ | threads,
                cwd=ROOT,
            )
            told[place] = json.loads(done.stdout)
    return told


def main() -> None:
    print(f"predictions · {machine()}")
    print_papers()
    people = list(master())
    print_hold_outs(people)
    print_company()
    print_rates(people)


if __name__ == "__main__":
    main()
