"""The segments that are there before a company has made one: to start from, each with one sentence for a colleague."""

from collections.abc import Mapping

from .comparisons import Comparison, Op
from .lifecycle import Stage
from .segments import (
    BIRTHDAY,
    And,
    AnniversaryCondition,
    EventCondition,
    Field,
    Measure,
    OrderCondition,
    Rule,
    Segment,
    StatsCondition,
)
from .windows import Ever, LastDays, Window


def ready_made(currency: str) -> Mapping[str, Segment]:
    """Give them by id; what is about money is about that in one currency."""
    return {
        segment: Segment(segment=segment, name=name, description=sentence, rule=rule)
        for segment, name, sentence, rule in (
            (
                "new-customers",
                "New customers",
                "Bought for the first time, and are still within the time in which others come back.",
                _life_cycle(Stage.NEW),
            ),
            (
                "loyal-customers",
                "Loyal customers",
                "Buy again and again, each in their own rhythm.",
                _life_cycle(Stage.LOYAL),
            ),
            (
                "at-risk",
                "At risk",
                "Have been silent for longer than their rhythm lets one expect.",
                _life_cycle(Stage.AT_RISK),
            ),
            (
                "lost",
                "Lost",
                "Have been silent for so long that hardly anybody comes back.",
                _life_cycle(Stage.LOST),
            ),
            (
                "won-back",
                "Won back",
                "Bought again lately, after they had been lost.",
                _life_cycle(Stage.WON_BACK),
            ),
            (
                "champions",
                "Champions",
                "Bought lately, buy often and for much money.",
                StatsCondition(Field.RFM_GROUP, Comparison(Op.IS, "champions"), currency),
            ),
            (
                "big-spenders",
                "Big spenders",
                "Are among the fifth of all buyers who brought the most net revenue.",
                StatsCondition(Field.RFM_MONETARY, Comparison(Op.EQUAL, 5), currency),
            ),
            (
                "one-time-buyers",
                "One-time buyers",
                "Ordered once, more than 30 days ago, and not again.",
                And((_stats(Field.ORDERS, Op.EQUAL, 1), _stats(Field.RECENCY_DAYS, Op.MORE, 30))),
            ),
            (
                "abandoned-carts",
                "Abandoned carts",
                "Put something into their cart in the last three days and ordered nothing in them.",
                And((_happened("Product Added", 1, LastDays(3)), _no_order(LastDays(3)))),
            ),
            (
                "window-shoppers",
                "Window shoppers",
                "Looked at three products or more in the last 30 days and have never bought.",
                And((_happened("Product Viewed", 3, LastDays(30)), _no_order(Ever()))),
            ),
            (
                "birthdays",
                "Birthdays",
                "Have their birthday today or in the next seven days.",
                AnniversaryCondition(BIRTHDAY, 7),
            ),
            (
                "frequent-returners",
                "Frequent returners",
                "Sent something back from two orders or more.",
                _stats(Field.ORDERS_WITH_RETURNS, Op.AT_LEAST, 2),
            ),
        )
    }


def _life_cycle(stage: Stage) -> Rule:
    return StatsCondition(Field.LIFECYCLE, Comparison(Op.IS, stage.value))


def _stats(field: Field, op: Op, number: int) -> Rule:
    return StatsCondition(field, Comparison(op, number))


def _happened(name: str, times: int, window: Window) -> Rule:
    return EventCondition(name, Measure.COUNT, Comparison(Op.AT_LEAST, times), window)


def _no_order(window: Window) -> Rule:
    return OrderCondition(Measure.COUNT, Comparison(Op.EQUAL, 0), window)
