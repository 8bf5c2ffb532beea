"""What our own predictions take: a part of benchmarks/predictions.py that runs in a process of its own, as with_lifetimes.py."""

import json
import resource
import sys
import time
from datetime import date, timedelta

from ecrm.analytics.forecasts import Forecaster, Horizon
from ecrm.analytics.models import read
from ecrm.domain.statistics import CurrencyStatistics, Purchases

TODAY = date(1998, 6, 30)


def score() -> None:
    """Print, as JSON, customers a second of CPU by what is computed, and the peak of this process in MB.

    Reads histories, how many customers there are and the model from standard input, as JSON.
    """
    said = json.load(sys.stdin)
    model, histories = read(said["model"]), said["histories"]
    parts = [a_part(*history) for history in histories]
    times = -(-said["customers"] // len(parts))
    forecaster = Forecaster(model, Horizon())
    began = time.process_time()
    for _ in range(times):
        for part in parts:
            forecaster.predict(part, TODAY)
    everything = time.process_time() - began
    purchases, spends, orders = model.purchasing, model.spending, dict[tuple[float, float], float]()
    began = time.process_time()
    for _ in range(times):
        for x, t_x, age, mean in histories:
            if (x, age) not in orders:
                (orders[x, age],) = purchases.expected_if_alive(x, age, (90,))
            _ = purchases.p_alive(x, t_x, age) * orders[x, age], spends.expected(x, x * mean)
    alone = time.process_time() - began
    rates = {"everything": times * len(parts) / everything, "alone": times * len(parts) / alone}
    print(json.dumps({"rates": rates, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def a_part(x: float, t_x: float, age: float, mean: float) -> CurrencyStatistics:
    """Make the row's part that predictions read."""
    first_on = TODAY - timedelta(age)
    purchases = Purchases(days=int(x) + 1, first_on=first_on, second_on=None, previous_on=None, last_on=first_on + timedelta(t_x))
    return CurrencyStatistics(
        orders=int(x) + 1,
        items=int(x) + 1,
        gross_minor=0,
        cancelled_minor=0,
        refunded_minor=0,
        net_revenue_minor=round(x * mean),
        purchases=purchases,
    )
