"""The report of a campaign's run as everybody reads it: words and template beside this file, what is shown in plain data."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from minijinja import Environment

from ecrm.analytics.campaign_reports import CampaignReport, Mailed, Piloted
from ecrm.analytics.experiments import LEVEL, Compared, Interval, wilson
from ecrm.domain.links import Language
from ecrm.domain.runs import RunState, Verdict
from ecrm.domain.tallies import MOST_HOURS

from . import charts, formats
from .charts import Column
from .rendering import HERE as PAGES
from .rendering import MOST_WORK
from .words import DIRECTIONS, LABELS, NAMES, TAGS

type Values = dict[str, Any]

MOST_LINKS = 12
"""Links of a mail that are shown; the JSON has more."""
FOLLOWED = ("delivered", "opened", "clicked", "bounced", "complained", "rejected", "unsubscribed")
"""What followed a mail, in the order in which it is told."""
WANTED = ("delivered", "opened", "clicked")
_HERE = Path(__file__).parent / "campaign_reports"
_REPORTS = Path(__file__).parent / "reports"
_COLOURS = {"accepted": 0, "held_out": 2, "open": 2}
_STEPS = (1, 2, 3, 6, 12, 24)
_MOST_COLUMNS, _ROOMY, _MOST_EDGES, _DAY = 24, 12, 8, 24
_PERCENT, _SMALL_P = 100, 0.001


class CampaignReportPages:
    """Templates and words are read once per container."""

    def __init__(self) -> None:
        styles = (PAGES / "style.css", _REPORTS / "report.css", _HERE / "campaign.css")
        self._style = "".join(path.read_text(encoding="utf-8") for path in styles)
        self._words = {language: _Words.of(language) for language in Language}
        files = (PAGES / "layout.html", _REPORTS / "charts.html", _HERE / "campaign.html")
        self._templates = Environment(
            templates={path.name: path.read_text(encoding="utf-8") for path in files},
            undefined_behavior="strict",
            auto_escape_callback=lambda _: "html",
            debug=False,
            fuel=MOST_WORK,
        )

    def report(self, report: CampaignReport, language: Language) -> str:
        every = self._words[language]
        shared = {"style": self._style, "tag": TAGS[language], "direction": DIRECTIONS[language], "w": every.words}
        return self._templates.render_template("campaign.html", **shared, **_Page(report, language, every).values())


@dataclass(frozen=True, slots=True)
class _Words:
    words: Mapping[str, str]
    states: Mapping[str, str]
    ends: Mapping[str, Mapping[str, str]]
    reasons: Mapping[str, str]

    @classmethod
    def of(cls, language: Language) -> "_Words":
        said = tomllib.loads((_HERE / f"{language}.toml").read_text(encoding="utf-8"))
        words = said["words"] | {"languages": LABELS[language]["languages"]}
        return cls(words, said["states"], said["ends"], said["reasons"])


@dataclass(frozen=True, slots=True)
class _Page:
    report: CampaignReport
    language: Language
    every: _Words

    def values(self) -> Values:
        report, run = self.report, self.report.run
        state = self.every.states[run.state]
        shown = {
            "mails": list(self.mails()),
            "pilot": self.pilot(),
            "hours": self.hours(),
            "links": list(self.links()),
            "costs": list(self.costs()),
        }
        path = f"GET /v1/campaigns/{run.campaign}/runs/{run.run_id}/report"
        return shown | {
            "name": report.name,
            "run_of": self.said("run_of", moment=self.moment(run.scheduled_at), state=state),
            "as_of": self.as_of(),
            "warnings": list(self.warnings()),
            "tiles": list(self.tiles()),
            "contents": ["books", "arms", *(name for name, found in shown.items() if found)],
            "books": list(self.books()),
            "balance": self.balance(),
            "arms": list(self.arms()),
            "control": self.control(),
            "effects": [
                {"baseline": self.share(baseline), "points": self.points(effect)} for baseline, effect in report.smallest_effects
            ],
            "effects_what": self.said("effects_what", days=self.number(run.attribution_days)),
            "choices": [self.choice(each) for each in Language],
            "closing": self.said("closing", path=path),
        }

    def said(self, name: str, /, **more: str) -> str:
        return self.every.words[name].format(**more)

    def number(self, value: int) -> str:
        return formats.number(value, self.language)

    def share(self, share: float) -> str:
        """Write a share to the tenth of a percent, and one of which there are few to the hundredth."""
        if 0 < share < 1 / _PERCENT:
            return formats.number(Decimal(f"{share * _PERCENT:.2f}"), self.language) + formats.percent_sign(self.language)
        return formats.percent(share, 1, self.language)

    def of(self, part: int, whole: int) -> str:
        return self.share(part / whole) if whole else "–"

    def points(self, effect: float) -> str:
        return formats.number(Decimal(f"{effect * _PERCENT:.2f}"), self.language)

    def moment(self, at: datetime) -> str:
        return formats.moment(at.astimezone(ZoneInfo(self.report.time_zone)), self.language)

    def bar(self, part: float, whole: float, colour: int = 0) -> Values:
        return charts.bar(part, whole, DIRECTIONS[self.language], colour)

    def row(self, name: str, people: int, whole: int, *, most: int, note: str = "", colour: int = 0) -> Values:
        bars = [self.bar(people, most, colour)]
        return {"name": name, "note": note, "figure": self.number(people), "second": self.of(people, whole), "bars": bars}

    def choice(self, each: Language) -> Values:
        return {
            "code": each.value,
            "tag": TAGS[each],
            "direction": DIRECTIONS[each],
            "name": NAMES[each],
            "current": each is self.language,
        }

    def as_of(self) -> str:
        at = self.report.as_of
        if at is None:
            return self.said("as_of_nothing")
        return self.said("as_of", moment=self.moment(at), zone=self.report.time_zone)

    def warnings(self) -> Iterator[str]:
        run = self.report.run
        if run.state is RunState.SKIPPED:
            reason = run.reason or ""
            yield self.said("skipped_why", reason=self.every.reasons.get(reason, reason))
        elif not self.report.is_complete:
            yield self.said("incomplete")

    def tiles(self) -> Iterator[Values]:
        report, mails = self.report, self.report.all_mailed
        audience = report.run.audience or report.total.entries

        def tile(name: str, figure: str, **said: str) -> Values:
            return {"name": self.said(f"tile_{name}"), "figure": figure, "note": self.said(f"tile_{name}_note", **said)}

        yield tile("audience", self.number(audience))
        yield tile("accepted", self.number(mails.accepted), share=self.of(mails.accepted, audience))
        for what in ("delivered", "clicked", "unsubscribed"):
            people = mails.counted[what]
            yield tile(what, self.of(people, mails.accepted), people=self.number(people))
        if (spent := report.spent) and (costs := report.run.costs):
            yield tile("costs", formats.rounded_amount(spent.total, costs.currency, self.language))

    # ── the audience ─────────────────────────────────────────────────────────────────────────────────────────────────

    def books(self) -> Iterator[Values]:
        """Tell of every end to which somebody came, and always of those who were accepted."""
        report = self.report
        ends = {**report.total.books, "open": report.total.open}
        most = max(ends.values())
        for end, people in ends.items():
            if people or end == "accepted":
                words = self.every.ends[end]
                colour = _COLOURS.get(end, 1)
                note = self.because(words["what"], report.reasons.get(end, {}))
                yield self.row(words["name"], people, report.total.entries, most=most, note=note, colour=colour)

    def because(self, what: str, reasons: Mapping[str, int]) -> str:
        most_first = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
        told = [f"{self.every.reasons.get(reason, reason)} {self.number(people)}" for reason, people in most_first]
        return " · ".join((what, *told))

    def balance(self) -> str:
        report = self.report
        counted = self.number(report.total.entries)
        if report.run.audience is None:
            return self.said("unplanned", counted=counted)
        audience = self.number(report.run.audience)
        return self.said("balanced" if report.is_balanced else "unbalanced", audience=audience, counted=counted)

    def arms(self) -> Iterator[Values]:
        arms = self.report.arms
        found = (("treated", arms.treated, 0), ("control", arms.control, 2), ("ineligible", arms.ineligible, 1))
        most = max(people for _, people, _ in found)
        for name, people, colour in found:
            yield self.row(self.said(name), people, self.report.total.entries, most=most, colour=colour)

    def control(self) -> str:
        found = self.report.arms.control_share
        if found is None or not self.report.run.control_percent:
            return self.said("no_control") if not self.report.run.control_percent else ""
        asked = self.share(float(self.report.run.control_percent) / _PERCENT)
        return self.said("control_came_to", percent=asked, share=self.share(found.share), **self.between(found))

    def between(self, found: Interval) -> dict[str, str]:
        return {"low": self.share(found.low), "high": self.share(found.high)}

    # ── what followed ────────────────────────────────────────────────────────────────────────────────────────────────

    def mails(self) -> Iterator[Values]:
        for mailed in self.report.mailed:
            name = self.mail_name(mailed.message, mailed.treatment.name if mailed.treatment else "")
            yield {"name": name, "what": self.mail_what(mailed), "rates": list(self.rates(mailed))}

    def mail_name(self, message: str, treatment: str) -> str:
        return self.said("mail_of" if treatment else "mail_undecided", message=message, treatment=treatment)

    def mail_what(self, mailed: Mailed) -> str:
        people, given = self.number(mailed.people), mailed.treatment
        if given is None:
            return self.said("mail_what_undecided", people=people)
        words = "mail_what" if given.template_version else "mail_what_ready"
        version, accepted = self.number(given.template_version or 0), self.number(mailed.accepted)
        return self.said(words, template=given.template, version=version, people=people, accepted=accepted)

    def rates(self, mailed: Mailed) -> Iterator[Values]:
        for what in FOLLOWED:
            found = mailed.share(what)
            if found is not None and (mailed.counted[what] or what in WANTED):
                told = self.said("interval", people=self.number(mailed.counted[what]), **self.between(found))
                yield self.rate(self.said(what), found, told, colour=0 if what in WANTED else 1)

    def rate(self, name: str, found: Interval, told: str, *, most: float = 1, colour: int = 0) -> Values:
        low, high = (min(100.0, 100 * each / most) for each in (found.low, found.high))
        if DIRECTIONS[self.language] == "rtl":
            low, high = 100 - high, 100 - low
        return {
            "name": name,
            "figure": self.share(found.share),
            "second": told,
            "bar": self.bar(found.share, most, colour),
            "spread": {"x1": f"{low:.2f}%", "x2": f"{high:.2f}%"},
        }

    def pilot(self) -> Values | None:
        pilot = self.report.run.pilot
        if pilot is None:
            return None
        return {
            "what": self.said(f"pilot_what_{pilot.metric}"),
            "test": self.said("pilot_test", level=formats.number(Decimal(str(LEVEL)), self.language)),
            "messages": [self.piloted(each) for each in self.report.piloted],
        }

    def piloted(self, piloted: Piloted) -> Values:
        tried = [(each, wilson(each.successes, each.recipients)) for each in (piloted.verdict.tried if piloted.verdict else ())]
        most = max((found.high for _, found in tried if found), default=1)
        rates = [
            self.rate(
                each.treatment,
                found,
                self.said(
                    "pilot_share",
                    successes=self.number(each.successes),
                    recipients=self.number(each.recipients),
                    **self.between(found),
                ),
                most=most,
            )
            for each, found in tried
            if found
        ]
        return {
            "name": self.said("pilot_message", message=piloted.message),
            "verdict": self.verdict(piloted.verdict),
            "rates": rates,
            "pairs": list(map(self.pair, piloted.pairs)),
        }

    def verdict(self, verdict: Verdict | None) -> str:
        run = self.report.run
        if verdict is not None:
            minimum = self.number(run.pilot.minimum) if run.pilot else ""
            return self.said(f"pilot_{verdict.why}", winner=verdict.winner or "", minimum=minimum)
        if run.decide_at is None or run.is_over:
            return self.said("pilot_never")
        return self.said("pilot_undecided", moment=self.moment(run.decide_at), zone=self.report.time_zone)

    def pair(self, pair: Compared) -> str:
        is_small = pair.p < _SMALL_P
        p = formats.number(Decimal(str(_SMALL_P) if is_small else f"{pair.p:.3f}"), self.language)
        return self.said("pilot_pair_small" if is_small else "pilot_pair", one=pair.one, other=pair.other, p=p)

    # ── when, where and for how much ─────────────────────────────────────────────────────────────────────────────────

    def hours(self) -> Values | None:
        counted = {hour.number: hour.counted for hour in self.report.hours}
        if not counted:
            return None
        step = next((each for each in _STEPS if max(counted) < each * _MOST_COLUMNS), _STEPS[-1])
        unit = _DAY if step == _DAY else 1
        shown = {}
        for what in ("accepted", "opened", "clicked"):
            sums = [0] * (max(counted) // step + 1)
            for number, each in counted.items():
                sums[number // step] += each[what]
            if any(sums):
                shown[what] = sums
        moment = self.moment(self.report.run.started_at)
        return {
            "what": self.said("days_what" if unit == _DAY else "hours_what", moment=moment, zone=self.report.time_zone),
            "charts": [self.course(f"hours_{what}", sums, step // unit) for what, sums in shown.items()],
            "note": self.said("hours_rest") if MOST_HOURS in counted else "",
        }

    def course(self, name: str, sums: Sequence[int], step: int) -> Values:
        every = -(-len(sums) // _MOST_EDGES)
        edges = [self.number(at * step) if at % every == 0 else "" for at in range(len(sums) + 1)]
        above = len(sums) <= _ROOMY
        given = [Column((people,), above=formats.compact(people, self.language) if above and people else "") for people in sums]
        chart = charts.columns(given, DIRECTIONS[self.language], edges)
        write = partial(formats.compact, language=self.language)
        lines = [line | {"text": write(line["value"]) if line["value"] else ""} for line in chart["lines"]]
        told = "; ".join(
            self.said("hours_told", start=self.number(at * step), end=self.number(at * step + step), people=self.number(people))
            for at, people in enumerate(sums)
            if people
        )
        return {"name": self.said(name), "chart": chart | {"lines": lines}, "told": f"{self.said(name)}: {told}"}

    def links(self) -> Iterator[Values]:
        accepted = {(each.message, each.treatment.name if each.treatment else ""): each.accepted for each in self.report.mailed}
        for mail, found in groupby(self.report.followed, key=lambda each: (each.message, each.treatment)):
            followed = list(found)
            most, sent = followed[0].people, accepted.get(mail, 0)
            rates = [
                {
                    "name": _shown(each.url) if each.url else self.said("links_unknown"),
                    "figure": self.number(each.people),
                    "second": self.of(each.people, sent),
                    "bar": self.bar(each.people, most),
                    "spread": None,
                }
                for each in followed[:MOST_LINKS]
            ]
            count, every = self.number(len(rates)), self.number(len(followed))
            note = self.said("links_more", count=count, all=every) if len(followed) > MOST_LINKS else ""
            yield {"name": self.mail_name(*mail), "rates": rates, "note": note}

    def costs(self) -> Iterator[Values]:
        spent, costs = self.report.spent, self.report.run.costs
        if spent is None or costs is None:
            return
        accepted = self.number(self.report.all_mailed.accepted)
        for name, minor in (("cost_fixed", spent.fixed), ("cost_messages", spent.messages), ("cost_total", spent.total)):
            yield {"name": self.said(name, people=accepted), "figure": formats.amount(minor, costs.currency, self.language)}


def _shown(url: str) -> str:
    """Write an address as people do."""
    return url.removeprefix("https://").removeprefix("http://")
