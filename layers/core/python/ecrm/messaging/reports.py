"""A night's report as everybody reads it: its words and their template beside this file, and what is shown in plain data."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from minijinja import Environment

from ecrm.analytics.distribution import Distribution
from ecrm.analytics.forecasts import Check, CurrencyModel, Source
from ecrm.analytics.reporting import FIRST_DAYS, MILLION, WINDOWS, OutlookCounts
from ecrm.analytics.reports import Cohort, CurrencyReport, Quarter, Report
from ecrm.domain import money
from ecrm.domain.lifecycle import Stage
from ecrm.domain.links import Language

from . import charts, formats
from .charts import Column
from .rendering import HERE as PAGES
from .rendering import MOST_WORK
from .words import DIRECTIONS, LABELS, NAMES, TAGS

type Values = dict[str, Any]

MOST_QUARTERS, MOST_COHORTS, MOST_OFFSETS, MOST_MOVES, MOST_CURRENCIES = 12, 24, 12, 8, 5
"""What is shown; the JSON has all."""
MOST_STEPS = 12
_HERE = Path(__file__).parent / "reports"
_FEW = 100
_WITH_US = (Stage.NEW, Stage.ACTIVE, Stage.LOYAL, Stage.WON_BACK)
_COLOURS = {Stage.AT_RISK: 1, Stage.LOST: 1, Stage.PROSPECT: 2}
_ORDER = (Stage.LOYAL, Stage.ACTIVE, Stage.NEW, Stage.WON_BACK, Stage.AT_RISK, Stage.LOST, Stage.PROSPECT)
_YEAR_MONTHS = 12


class ReportPages:
    """Templates and words are read once per container."""

    def __init__(self) -> None:
        files = (PAGES / "layout.html", _HERE / "charts.html", _HERE / "report.html")
        self._style = "".join(path.read_text(encoding="utf-8") for path in (PAGES / "style.css", _HERE / "report.css"))
        self._words = {language: _Words.of(language) for language in Language}
        self._templates = Environment(
            templates={path.name: path.read_text(encoding="utf-8") for path in files},
            undefined_behavior="strict",
            auto_escape_callback=lambda _: "html",
            debug=False,
            fuel=MOST_WORK,
        )

    def report(self, report: Report, language: Language) -> str:
        words = self._words[language]
        shared = {"style": self._style, "tag": TAGS[language], "direction": DIRECTIONS[language], "w": words.words}
        return self._templates.render_template("report.html", **shared, **_Page(report, language, words).values())


@dataclass(frozen=True, slots=True)
class _Words:
    words: Mapping[str, str]
    stages: Mapping[Stage, Mapping[str, str]]
    groups: Mapping[str, str]

    @classmethod
    def of(cls, language: Language) -> "_Words":
        said = tomllib.loads((_HERE / f"{language}.toml").read_text(encoding="utf-8"))
        words = said["words"] | {"languages": LABELS[language]["languages"]}
        return cls(words, {Stage(stage): each for stage, each in said["stages"].items()}, said["groups"])


@dataclass(frozen=True, slots=True)
class _Page:
    report: Report
    language: Language
    every: _Words

    @property
    def words(self) -> Mapping[str, str]:
        return self.every.words

    def values(self) -> Values:
        report, words = self.report, self.words
        currencies = list(report.currencies.items())[:MOST_CURRENCIES]
        shown = [self.currency(currency, each, has_title=len(currencies) > 1) for currency, each in currencies]
        zone = report.as_of.astimezone(ZoneInfo(report.time_zone))
        moment = formats.moment(zone, self.language)
        returns = list(self.returns())
        return {
            "night": formats.day(report.night, self.language),
            "as_of": words["as_of"].format(moment=moment, zone=report.time_zone),
            "tiles": list(self.tiles()),
            "contents": list(self.contents(shown, has_returns=bool(returns))),
            "stages": list(self.stages()),
            "moves": list(self.moves()),
            "moves_what": self.moves_what(),
            "returns": returns,
            "currencies": shown,
            "choices": [self.choice(each) for each in Language],
            "closing": words["closing"].format(path=f"GET /v1/reports/{report.night.isoformat()}"),
        }

    def number(self, value: int) -> str:
        return formats.number(value, self.language)

    def percent(self, part: float, whole: float) -> str:
        return formats.percent(part, whole, self.language)

    def plain(self, value: int) -> str:
        return formats.plain(value, self.language)

    def bar(self, part: float, whole: float, colour: int = 0) -> Values:
        return charts.bar(part, whole, DIRECTIONS[self.language], colour)

    def row(self, name: str, figure: str, bars: Sequence[Values], note: str = "", second: str = "") -> Values:
        return {"name": name, "note": note, "figure": figure, "second": second, "bars": list(bars)}

    def choice(self, each: Language) -> Values:
        return {
            "code": each.value,
            "tag": TAGS[each],
            "direction": DIRECTIONS[each],
            "name": NAMES[each],
            "current": each is self.language,
        }

    def contents(self, shown: Iterable[Values], *, has_returns: bool) -> Iterator[Values]:
        yield {"id": "stages", "name": self.words["stages"]}
        if has_returns:
            yield {"id": "returns", "name": self.words["returns"]}
        for each in shown:
            if each["chapter"]:
                yield {"id": each["code"], "name": each["chapter"]}
            else:
                there = {"spent": "spent", "rfm": "map", "outlook": "outlook", "check": "model", "first_days": "first_days"}
                for name in ("revenue", "first_days", "cohorts", "spent", "rfm", "outlook", "check"):
                    if each.get(there.get(name, "code")):
                        yield {"id": f"{name.replace('_', '-')}-{each['code']}", "name": self.words[name]}

    def tiles(self) -> Iterator[Values]:
        report, words, returns = self.report, self.words, self.report.returns

        def tile(name: str, figure: str, *, days: int = 0, **said: str) -> Values:
            title = words[f"tile_{name}"].format(days=self.number(days))
            return {"name": title, "figure": figure, "note": words[f"tile_{name}_note"].format(**said)}

        here = sum(report.stages.get(stage, 0) for stage in _WITH_US)
        yield tile("buyers", self.number(returns.buyers), customers=self.number(report.customers))
        yield tile("active", self.percent(here, returns.buyers))
        yield tile("one_time", self.percent(returns.one_time, returns.buyers), customers=self.number(returns.one_time))
        window = max((days for days in WINDOWS if returns.known.get(days) and days <= _A_YEAR), default=None)
        if window:
            yield tile("back", self.percent(returns.back.get(window, 0), returns.known[window]), days=window)
        for currency, each in list(report.currencies.items())[:1]:
            name = formats.currency_name(currency, self.language)
            quarter = next((one for one in reversed(each.quarters) if one.is_over), None)
            if quarter:
                whole = quarter.new_revenue_minor + quarter.repeat_revenue_minor
                share = self.percent(quarter.repeat_revenue_minor, max(0, whole))
                yield tile("repeat", share, quarter=self.quarter_name(quarter.first_month), currency=name)
            if each.outlook.customers:
                yield tile("expected", self.number(round(each.outlook.orders_90_millionths / MILLION)), currency=name)

    def stages(self) -> Iterator[Values]:
        stages, limits = self.report.stages, self.report.lifecycle
        whole, most = sum(stages.values()), max(stages.values(), default=0)
        days = {"at_risk": limits.at_risk_days, "loyal": limits.loyal_days, "won_back": limits.won_back_days}
        for stage in _ORDER:
            count = stages.get(stage, 0)
            said = self.every.stages[stage]
            told = said["who"].format(**{which: self.number(value) for which, value in days.items()})
            yield self.row(
                said["name"],
                self.number(count),
                [self.bar(count, most, _COLOURS.get(stage, 0))],
                told,
                self.percent(count, whole),
            )

    def moves(self) -> Iterator[Values]:
        found = [
            (count, before, after)
            for before, row in self.report.moves.items()
            for after, count in row.items()
            if before is not after and count
        ]
        found.sort(key=lambda each: (-each[0], _ORDER.index(each[1]), _ORDER.index(each[2])))
        most, names = max((count for count, _, _ in found), default=0), self.every.stages
        for count, before, after in found[:MOST_MOVES]:
            name = self.words["move"].format(before=names[before]["name"], after=names[after]["name"])
            yield self.row(name, self.number(count), [self.bar(count, most)])
        rest = sum(count for count, _, _ in found[MOST_MOVES:])
        if rest:
            yield self.row(self.words["moves_rest"], self.number(rest), [self.bar(rest, max(most, rest))])

    def moves_what(self) -> str:
        if self.report.base_night is None:
            return self.words["moves_first"]
        is_any = any(before is not after and count for before, row in self.report.moves.items() for after, count in row.items())
        told = self.words["moves_what" if is_any else "moves_none"]
        return told.format(day=formats.day(self.report.base_night, self.language))

    def returns(self) -> Iterator[Values]:
        returns, words = self.report.returns, self.words
        for window in WINDOWS:
            known, back = returns.known.get(window, 0), returns.back.get(window, 0)
            if known:
                told = words["back_of_known"].format(back=self.number(back), known=self.number(known))
                name = words["within"].format(days=self.number(window))
                yield self.row(name, self.percent(back, known), [self.bar(back, known)], second=told)

    def currency(self, currency: str, report: CurrencyReport, *, has_title: bool) -> Values:
        return _Money(self.report, self.language, self.every, currency, report).values(has_title=has_title)

    def quarter_name(self, first_month: int) -> str:
        year, month = divmod(first_month, _YEAR_MONTHS)
        return self.words["quarter_of"].format(quarter=self.plain(month // 3 + 1), year=self.plain(year))


_A_YEAR = 365


@dataclass(frozen=True, slots=True)
class _Money(_Page):
    currency_code: str
    part: CurrencyReport

    def amount(self, minor: int) -> str:
        return formats.rounded_amount(minor, self.currency_code, self.language)

    def compact(self, minor: float) -> str:
        return formats.compact(minor / 10 ** money.DIGITS[self.currency_code], self.language)

    def said(self, name: str, /, **more: str) -> str:
        return self.words[name].format(currency=formats.currency_name(self.currency_code, self.language), **more)

    def values(self, *, has_title: bool = False) -> Values:
        part = self.part
        words = {f"{name}_what": self.said(f"{name}_what") for name in ("revenue", "spent")}
        quarters, cohorts = part.quarters[-MOST_QUARTERS:], part.cohorts[-MOST_COHORTS:]
        offsets = min(MOST_OFFSETS, max((self.over(cohort) for cohort in cohorts), default=0))
        return words | {
            "code": self.currency_code,
            "chapter": self.said("money_in") if has_title else "",
            "quarters": self.quarters(quarters),
            "quarter_rows": [self.quarter_row(quarter) for quarter in reversed(quarters)],
            "quarters_note": self.quarters_note(quarters),
            "first_days_what": self.said("first_days_what", days=self.number(FIRST_DAYS)),
            "first_days": list(self.first_days()),
            "offsets": [self.number(offset) for offset in range(1, offsets + 1)],
            "cohorts": list(self.cohorts(cohorts, offsets)),
            "cohorts_note": self.newest("newest_cohorts", len(cohorts), len(part.cohorts)),
            "spent": self.spent(part.distribution) if part.distribution else None,
            "map": self.map(),
            "outlook": self.outlook(part.outlook) if part.outlook.customers else None,
            "model": self.model(part.model) if part.model else None,
        }

    def newest(self, name: str, count: int, every: int) -> str:
        return self.said(name, count=self.number(count), all=self.number(every)) if count < every else ""

    def quarters_note(self, shown: Sequence[Quarter]) -> str:
        is_open = any(not quarter.is_over for quarter in shown)
        notes = [
            self.words["open_quarter"] if is_open else "",
            self.newest("newest_quarters", len(shown), len(self.part.quarters)),
        ]
        return " ".join(filter(None, notes))

    def quarters(self, quarters: Sequence[Quarter]) -> Values:
        columns = []
        for position, quarter in enumerate(quarters):
            year, month = divmod(quarter.first_month, _YEAR_MONTHS)
            short = self.words["quarter_short"].format(quarter=self.plain(month // 3 + 1)) + ("" if quarter.is_over else "*")
            whole = quarter.new_revenue_minor + quarter.repeat_revenue_minor
            is_first = position == 0 or month == 0
            columns.append(
                Column(
                    (quarter.new_revenue_minor, quarter.repeat_revenue_minor),
                    short,
                    self.plain(year) if is_first else "",
                    self.compact(whole) if len(quarters) <= _ROOMY and whole > 0 else "",
                    not quarter.is_over,
                )
            )
        return self.lined(charts.columns(columns, DIRECTIONS[self.language]), self.compact)

    def lined(self, chart: Values, written: Callable[[float], str]) -> Values:
        lines = [line | {"text": written(line["value"]) if line["value"] else ""} for line in chart["lines"]]
        return chart | {"lines": lines}

    def quarter_row(self, quarter: Quarter) -> Values:
        whole = quarter.new_revenue_minor + quarter.repeat_revenue_minor
        return {
            "name": self.quarter_name(quarter.first_month) + ("" if quarter.is_over else " *"),
            "new": self.amount(quarter.new_revenue_minor),
            "repeat": self.amount(quarter.repeat_revenue_minor),
            "share": self.percent(quarter.repeat_revenue_minor, max(0, whole)),
            "customers": self.number(quarter.new_customers),
        }

    def first_days(self) -> Iterator[Values]:
        found = [
            (name, counts, counts.net_revenue_minor / counts.customers)
            for name, counts in (("one_time", self.part.first_days_one_time), ("came_back_ever", self.part.first_days_repeat))
            if counts.customers
        ]
        most = max((mean for _, _, mean in found), default=0)
        for name, counts, mean in found:
            told = self.said("customers_count", customers=self.number(counts.customers))
            yield self.row(self.words[name], self.amount(round(mean)), [self.bar(mean, most)], second=told)

    def over(self, cohort: Cohort) -> int:
        """Give how many months after its own are over: the last one that is told of is today's."""
        return max(0, len(cohort.months) - 2)

    def cohorts(self, cohorts: Sequence[Cohort], offsets: int) -> Iterator[Values]:
        shares = [
            [each.customers / cohort.customers for each in cohort.months[1 : 1 + min(offsets, self.over(cohort))]]
            for cohort in cohorts
        ]
        most = max((share for row in shares for share in row), default=0)
        for cohort, row in zip(cohorts, shares, strict=True):
            cells = [
                {"figure": formats.percent(share, 1, self.language, is_short=True), "shade": charts.shade(share, most)}
                for share in row
            ]
            yield {
                "name": formats.month(cohort.month, self.language),
                "customers": self.number(cohort.customers),
                "returned": self.percent(cohort.returned, cohort.customers),
                "each": self.amount(round(cohort.net_revenue_minor / cohort.customers)),
                "cells": cells + [{"figure": "", "shade": 0}] * (offsets - len(cells)),
            }

    def spent(self, found: Distribution) -> Values:
        facts = [
            {"name": self.words[name], "figure": self.amount(minor)}
            for name, minor in (
                ("median", found.median),
                ("mean", round(found.total / found.customers)),
                ("percentile_90", found.percentile_90),
                ("percentile_99", found.percentile_99),
            )
        ]
        return {
            "facts": facts,
            "steps": list(self.steps(found.steps, found.customers)),
            "tenths": list(self.tenths(found)),
            "note": self.words["rounded"] if found.is_rounded else "",
        }

    def tenths(self, found: Distribution) -> Iterator[Values]:
        most = max((tenth.amount for tenth in found.tenths), default=0)
        for number, tenth in enumerate(found.tenths, start=1):
            name = self.words["tenth_best"] if number == 1 else self.words["tenth"].format(number=self.number(number))
            name = self.words["tenth_last"] if number == len(found.tenths) else name
            share = self.percent(tenth.amount, found.total) if found.total > 0 else "–"
            yield self.row(name, share, [self.bar(tenth.amount, most)], second=self.amount(tenth.amount))

    def steps(self, steps: Iterable[tuple[int, int]], whole: int) -> Iterator[Values]:
        """Give each step up to the largest that somebody has; the smallest, and cents, are one.

        It is as large as a hundredth of the customers, if not more.
        """
        counts = dict(steps)
        scale = list(_scale(max(counts)))
        below = list(accumulate(counts.get(step, 0) for step in scale))
        cents = sum(step < 10 ** money.DIGITS[self.currency_code] for step in scale) - 1
        many = next(at for at, seen in enumerate(below) if seen * _FEW >= whole)
        first = min(len(scale) - 1, max(len(scale) - MOST_STEPS, cents, many))
        shown = [below[first], *(counts.get(step, 0) for step in scale[first + 1 :])]
        for count, lower, upper in zip(shown, scale[first:], [*scale[first + 1 :], None], strict=True):
            if upper is None:
                name = self.said("step_from", lower=self.step(lower))
            elif lower == scale[first]:
                name = self.said("step_under", upper=self.step(upper))
            else:
                name = self.said("step_between", lower=self.step(lower), upper=self.step(upper))
            yield self.row(name, self.number(count), [self.bar(count, max(shown))], second=self.percent(count, whole))

    def step(self, minor: int) -> str:
        digits = money.DIGITS[self.currency_code]
        return formats.number(minor // 10**digits, self.language) if minor % 10**digits == 0 else self.amount(minor)

    def map(self) -> Values | None:
        cells, table = self.part.cells, self.report.groups.cells
        whole = sum(cell.customers for row in cells for cell in row)
        if not whole:
            return None
        most = max(cell.customers for row in cells for cell in row)
        groups: dict[str, list[int]] = {}
        for names, row in zip(table, cells, strict=True):
            for name, cell in zip(names, row, strict=True):
                found = groups.setdefault(name, [0, 0])
                found[0] += cell.customers
                found[1] += cell.net_revenue_minor
        largest = max(customers for customers, _ in groups.values())
        return {
            "numbers": [self.number(number) for number in range(1, 6)],
            "rows": [
                {
                    "number": self.number(recency),
                    "cells": [
                        {
                            "customers": self.number(cell.customers),
                            "group": self.group(name),
                            "shade": charts.shade(cell.customers, most),
                        }
                        for name, cell in zip(table[recency - 1], cells[recency - 1], strict=True)
                    ],
                }
                for recency in range(5, 0, -1)
            ],
            "groups": [
                self.row(
                    self.group(name),
                    f"{self.number(customers)} ({self.percent(customers, whole)})",
                    [self.bar(customers, largest)],
                    second=self.amount(net),
                )
                for name, (customers, net) in sorted(groups.items(), key=lambda each: (-each[1][0], each[0]))
            ],
        }

    def group(self, name: str) -> str:
        return self.every.groups.get(name, name.replace("_", " "))

    def outlook(self, found: OutlookCounts) -> Values:
        horizon = self.report.horizon
        facts = [
            ("expected_customers", self.number(round(found.p_alive_millionths / MILLION))),
            ("expected_30", self.number(round(found.orders_30_millionths / MILLION))),
            ("expected_90", self.number(round(found.orders_90_millionths / MILLION))),
            ("expected_365", self.number(round(found.orders_365_millionths / MILLION))),
            ("expected_value", self.amount(found.value_minor)),
        ]
        tenths = [found.alive.get(tenth, 0) for tenth in range(10)]
        columns = [Column((customers,), above=formats.compact(customers, self.language)) for customers in tenths]
        edges = [
            f"{self.plain(10 * tenth)}{formats.percent_sign(self.language)}" if tenth % 2 == 0 else "" for tenth in range(11)
        ]
        alive = charts.columns(columns, DIRECTIONS[self.language], edges)
        steps = tuple((step, counts.customers) for step, counts in sorted(found.values.items()))
        discount = formats.percent(horizon.discount_percent, 100, self.language)
        return {
            "what": self.said("outlook_what", customers=self.number(found.customers)),
            "weak": self.weak(),
            "facts": [{"name": self.said(name, days=self.number(horizon.days)), "figure": figure} for name, figure in facts],
            "alive_told": "; ".join(self.chances(tenths)),
            "alive": self.lined(alive, partial(formats.compact, language=self.language)),
            "values": list(self.steps(steps, found.customers)),
            "values_what": self.said("values_what", days=self.number(horizon.days), percent=discount),
        }

    def chances(self, tenths: Iterable[int]) -> Iterator[str]:
        """Say what the chart draws, for who does not see it."""
        sign = formats.percent_sign(self.language)
        for tenth, customers in enumerate(tenths):
            yield f"{self.plain(10 * tenth)}–{self.plain(10 * tenth + 10)}{sign}: {self.number(customers)}"

    def weak(self) -> str:
        model = self.part.model
        if model is None or not (model.is_weak or model.failure):
            return ""
        sources = {model.purchasing_source, model.spending_source}
        weakest = next((source for source in (Source.BUILT_IN, Source.POOLED) if source in sources), Source.YESTERDAY)
        return self.said(f"weak_{weakest.value}", day=formats.day(model.fitted_on, self.language))

    def model(self, model: CurrencyModel) -> Values:
        check = model.check
        purchasing, spending = model.purchasing, model.spending
        parameters = {"r": purchasing.r, "α": purchasing.alpha, "a": purchasing.a, "b": purchasing.b}
        parameters |= {"p": spending.p, "q": spending.q, "γ": spending.gamma / 10 ** money.DIGITS[self.currency_code]}
        told = ", ".join(f"{name} {value:.4g}" for name, value in parameters.items())
        return {
            "what": self.check_what(check) if check else self.words["check_none"],
            "check": list(self.check(check)) if check else [],
            "made": self.said(
                "made",
                name=model.name.replace("_", "-"),
                version=self.number(model.version),
                day=formats.day(model.fitted_on, self.language),
                buyers=self.number(model.buyers),
                repeat_buyers=self.number(model.repeat_buyers),
                parameters=told,
            ),
        }

    def check_what(self, check: Check) -> str:
        return self.said(
            "check_what",
            as_of=formats.day(check.as_of, self.language),
            until=formats.day(check.until, self.language),
            expected=self.number(round(check.expected_orders)),
            actual=self.number(check.actual_orders),
            error=self.error(check.orders_error),
            expected_value=self.amount(check.expected_value_minor),
            actual_value=self.amount(check.actual_value_minor),
            value_error=self.error(check.value_error),
        )

    def error(self, error: float | None) -> str:
        if error is None:
            return "–"
        if abs(error) < _TENTH_OF_A_PERCENT / 2:
            return self.words["exactly"]
        return self.said("too_many" if error > 0 else "too_few", percent=self.percent(abs(error), 1))

    def check(self, check: Check) -> Iterator[Values]:
        most = max((max(each.expected_orders, each.actual_orders) for each in check.by_repeats), default=0)
        bounds = [each.repeats for each in check.by_repeats]
        following = dict(pairwise(bounds))
        for each in check.by_repeats:
            upper = following.get(each.repeats)
            name = "repeats_from" if upper is None else "repeats_one" if upper == each.repeats + 1 else "repeats_between"
            yield self.row(
                self.said(name, lower=self.number(each.repeats), upper=self.number((upper or 0) - 1)),
                f"{self.number(round(each.expected_orders))} / {self.number(each.actual_orders)}",
                [self.bar(each.expected_orders, most), self.bar(each.actual_orders, most, 1)],
                second=self.said("customers_count", customers=self.number(each.customers)),
            )


_ROOMY = 8
"""Columns up to which each has room for a number above it."""
_TENTH_OF_A_PERCENT = 0.001


def _scale(largest: int) -> Iterator[int]:
    """Give 0, 1, 2, 5, 10 … up to the largest."""
    yield 0
    power = 1
    while power <= largest:
        yield from (step for step in (power, 2 * power, 5 * power) if step <= largest)
        power *= 10
