"""Reports of campaigns' runs at their doors: as data by key, as a page by a link that ends, counted from the roster each time."""

import html
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import batched
from math import comb, sqrt
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.campaign_reports import LASTS, CampaignReportRoom, report_run
from ecrm.application.report_links import LINK_LIVES
from ecrm.contracts.campaign_reports import DEFINITIONS
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.assignment import Arm
from ecrm.domain.campaigns import Head, LifeState
from ecrm.domain.links import (
    CampaignReportLink,
    Keyring,
    Language,
    Link,
    Purpose,
    ReportLink,
    seal,
    seal_campaign_report,
    seal_report,
)
from ecrm.domain.messages import Policy, Send, Status
from ecrm.domain.runs import CampaignMessage, Costs, Pilot, Run, RunState, Treatment, Tried, Verdict
from ecrm.store.messages import send_item
from ecrm.store.table import Put
from ecrm.store.tallies import DynamoTallies
from public_api.handler import handler as public
from tests.builders import NOON, a_planned_send, a_request, a_run
from tests.cloud import Answer, Cloud
from tests.functions.api import Shop, code_of, open_shop

RING = Keyring("1", {"1": b"for tests only, 32 bytes long too"})
HOST = "https://shop.example.com"
RUN = "f" * 32
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
TWO = (
    CampaignMessage(
        name="loyal", segment="loyal", treatments=(Treatment(name="a", template="x"), Treatment(name="b", template="y"))
    ),
    CampaignMessage(name="rest", treatments=(Treatment(name="a", template="x", template_version=3),)),
)
OUTCOMES = ("delivered", "bounced", "complained", "rejected", "opened", "clicked", "unsubscribed")
ENDS = {Status.UNKNOWN_FINAL: "unknown"} | dict.fromkeys((Status.PLANNED, Status.CLAIMED, Status.UNKNOWN), "open")
LINKS = {"1a": "https://shop.example.com/sale", "2b": "https://shop.example.com/new"}


@pytest.fixture
def shop(cloud: Cloud) -> Shop:
    """A shop with a campaign that has no run yet."""
    shop = open_shop(cloud)
    body = {
        "name": "Spring & summer",
        "topic": "news",
        "audience": {"include": {"stats": {"field": "orders", "op": ">=", "value": 1}}},
        "messages": [{"name": "all", "treatments": [{"name": "a", "template": "newsletter"}]}],
    }
    assert 201 == shop.call("PUT", "/v1/campaigns/spring", body, key=cloud.key(KeyKind.STAFF)).status
    return shop


def begin(run: Run, pages: Sequence[Sequence[Send]] = ()) -> Run:
    """Begin a run with a roster that is planned."""
    head = bootstrap.campaigns().find(run.campaign)
    assert head is not None
    life = replace(head.life, state=LifeState.ENDED, last_run=run.run_id, revision=head.life.revision + 1)
    assert bootstrap.runs().begin(run, Head(head.campaign, life))
    for page, roster in enumerate(pages):
        for some in batched(roster, 100, strict=False):
            bootstrap.run_rosters().add([replace(send, shard=page) for send in some])
        bootstrap.run_rosters().plan(run.run_id, page, len(roster))
    return run


def read(shop: Shop, path: str = "spring/report") -> Answer:
    return shop.call("GET", f"/v1/campaigns/{path}", key=shop.cloud.key(KeyKind.STAFF))


def link_to(shop: Shop, body: Mapping[str, str] = {}, run_id: str = RUN) -> Answer:
    path = f"/v1/campaigns/spring/runs/{run_id}/report-links"
    return shop.call("POST", path, dict(body), key=shop.cloud.key(KeyKind.STAFF))


def visit(path: str, *, method: str = "GET", query: str = "", headers: Mapping[str, str] = {}) -> Answer:
    answer = public(a_request(method, path, query=query, headers=headers), None)
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


def at(sealed: str) -> str:
    return f"/public/campaign-reports/{sealed}"


def token(run_id: str = RUN, expires_at: datetime = TOMORROW, language: Language | None = None) -> str:
    return seal_campaign_report(CampaignReportLink(run_id, expires_at, language), RING)


def entry(number: int, **changes: Any) -> Send:
    send = a_planned_send(RUN, f"{number:032x}", policy=Policy.MARKETING, topic="news", requested_at=None)
    return replace(send, **{"message": "loyal", "arm": Arm.TREATED, "treatment": "a", **changes})


def drawn(chance: random.Random, number: int) -> Send:
    """Draw an entry, with whatever an entry may have."""
    message = chance.choice(TWO)
    arm = chance.choice([Arm.TREATED, Arm.TREATED, Arm.TREATED, Arm.CONTROL, None])
    status = {Arm.CONTROL: Status.HELD_OUT, None: chance.choice([Status.NO_CONSENT, Status.SUPPRESSED, Status.CANCELLED])}.get(
        arm, chance.choice([Status.ACCEPTED, *Status])
    )
    accepted = status is Status.ACCEPTED
    said: dict[str, Any] = {
        f"{what}_at": NOON + timedelta(minutes=chance.randrange(9_000)) if accepted and chance.random() < 0.4 else None
        for what in OUTCOMES
    }
    return entry(
        number,
        message=message.name,
        arm=arm,
        treatment=chance.choice([None, *(each.name for each in message.treatments)]) if arm is Arm.TREATED else None,
        is_pilot=chance.random() < 0.3,
        status=status,
        reason=chance.choice([None, "cap", "no_address"]),
        settled_at=NOON + timedelta(minutes=chance.randrange(300)) if accepted else None,
        links={link: NOON for link in LINKS if accepted and chance.random() < 0.3},
        **said,
    )


# ── the numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def wilson(people: int, of: int) -> dict[str, Any]:
    """The roots of (p − share)² = z² p (1 − p) / n, which is how Wilson defines his interval."""
    if not of:
        return {"people": people, "share": None, "low": None, "high": None}
    z, share = 1.959963984540054, people / of
    a, b, c = 1 + z * z / of, -(2 * share + z * z / of), share * share
    root = sqrt(max(0, b * b - 4 * a * c))
    low, high = max(0.0, min(share, (-b - root) / (2 * a))), min(1.0, max(share, (-b + root) / (2 * a)))
    return {
        "people": people,
        "share": round(share, 6),
        "low": pytest.approx(low, abs=2e-6),
        "high": pytest.approx(high, abs=2e-6),
    }


def counted(sends: Sequence[Send]) -> dict[str, Any]:
    got = [send for send in sends if send.status is Status.ACCEPTED]
    outcomes = {what: sum(getattr(send, f"{what}_at") is not None for send in got) for what in OUTCOMES}
    shares = {what: wilson(people, len(got)) for what, people in outcomes.items()}
    return {"people": len(sends), "accepted": len(got), **shares}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_report_says_what_somebody_comes_to_who_counts_the_roster_by_hand(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    pages = [[drawn(chance, 1_000 * page + number) for number in range(size)] for page, size in enumerate((120, 0, 61, 1))]
    everybody = [send for page in pages for send in page]
    costs = Costs("EUR", 5_000, Decimal("0.9"))
    begin(a_run(RUN, messages=TWO, control_percent=Decimal(20), costs=costs, audience=len(everybody), pages=4), pages)
    for link, url in LINKS.items():
        bootstrap.sends().name_link(RUN, link, url)
    answer = read(shop)
    assert 200 == answer.status
    told = answer.json

    ends = Counter(ENDS.get(send.status, send.status.value) for send in everybody)
    reasons: dict[str, dict[str, int]] = {}
    for send in everybody:
        if send.reason:
            of_end = reasons.setdefault(ENDS.get(send.status, send.status.value), {})
            of_end[send.reason] = of_end.get(send.reason, 0) + 1
    names = ("accepted", "held_out", "suppressed", "no_consent", "capped", "expired", "cancelled", "failed", "unknown", "open")
    books = {"audience": 182, **{name: ends[name] for name in names}, "is_balanced": True, "reasons": reasons}
    assert books == told["books"]

    treated, control = ([send for send in everybody if send.arm is arm] for arm in (Arm.TREATED, Arm.CONTROL))
    assert {
        "ineligible": 182 - len(treated) - len(control),
        "treated": len(treated),
        "control": len(control),
        "control_percent": 20.0,
        "control_share": wilson(len(control), len(treated) + len(control)),
    } == told["arms"]
    assert counted(treated) == told["mails"]
    rows = [("loyal", "a", "x", None), ("loyal", "b", "y", None), ("loyal", None, None, None), ("rest", "a", "x", 3)]
    rows.append(("rest", None, None, None))
    assert [
        counted([send for send in treated if (send.message, send.treatment) == (message, treatment)])
        | {"message": message, "treatment": treatment, "template": template, "template_version": version}
        for message, treatment, template, version in rows
    ] == told["treatments"]

    got = [send for send in treated if send.status is Status.ACCEPTED]
    followed = Counter((send.message, send.treatment or "", LINKS[link]) for send in got for link in send.links)
    assert followed == {(each["message"], each["treatment"], each["url"]): each["people"] for each in told["links"]}
    hours: dict[int, Counter[str]] = {}
    for send in got:
        for what, when in (("accepted", send.settled_at), ("opened", send.opened_at), ("clicked", send.clicked_at)):
            if when:
                hours.setdefault(int((when - NOON).total_seconds() // 3600), Counter())[what] += 1
    assert [
        {"hour": hour, **{what: hours[hour][what] for what in ("accepted", "opened", "clicked")}} for hour in sorted(hours)
    ] == [{name: value for name, value in each.items() if name != "begins_at"} for each in told["hours"]]
    cents = round(len(got) * 0.9 + 1e-9)
    assert {
        "currency": "EUR",
        "fixed": "50.00",
        "messages": f"{cents / 100:.2f}",
        "total": f"{(5_000 + cents) / 100:.2f}",
    } == told["costs"]
    assert (True, DEFINITIONS, "Spring & summer") == (told["is_complete"], told["definitions"], told["name"])


def test_a_pilot_tells_what_it_was_decided_by_whatever_came_since(shop: Shop) -> None:
    pilot = Pilot(percent=Decimal(20), wait=timedelta(hours=4))
    verdict = Verdict("b", "better", (Tried("a", 100, 2), Tried("b", 100, 20)))
    begin(a_run(RUN, messages=TWO, pilot=pilot, decide_at=NOON, verdicts={"loyal": verdict}, audience=1), [[entry(1)]])
    told = read(shop).json["pilot"]
    (message,) = told["messages"]
    (pair,) = message["compared"]
    assert ("a", "b", pytest.approx(exact(2, 20, 100), rel=1e-5)) == (pair["one"], pair["other"], pair["p"])
    tried = [{"treatment": "a", "recipients": 100, "successes": 2}, {"treatment": "b", "recipients": 100, "successes": 20}]
    assert ("loyal", "b", "better", tried) == tuple(message[name] for name in ("message", "winner", "why", "tried"))
    assert ("clicks", 100, True) == (told["metric"], told["minimum"], "Fisher" in told["test"])


def exact(one: int, other: int, of: int) -> float:
    """Fisher's p-value by counting tables, in whole numbers."""
    ways = {first: comb(of, first) * comb(of, one + other - first) for first in range(one + other + 1)}
    return sum(each for each in ways.values() if each <= ways[one]) / sum(ways.values())


def test_a_run_that_was_skipped_or_is_planned_has_a_report_of_nobody(shop: Shop) -> None:
    begin(a_run(RUN, state=RunState.SKIPPED, reason="late", planned_at=None, settled_at=None))
    told = read(shop).json
    assert ("skipped", "late", 0, True, False) == (
        told["state"],
        told["reason"],
        told["mails"]["people"],
        told["is_complete"],
        told["books"]["is_balanced"],
    )
    assert ([], [], None, None) == (told["links"], told["hours"], told["pilot"], told["costs"])
    assert [] == told["smallest_effects"]


# ── counting anew ────────────────────────────────────────────────────────────────────────────────────────────────────


class Stands:
    def __init__(self, now: datetime) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


def room(now: datetime) -> CampaignReportRoom:
    return replace(bootstrap.campaign_report_room(), clock=Stands(now))


def never() -> bool:
    return False


def after(pages: int) -> Callable[[], bool]:
    """Time that is up after so many pages."""
    left = iter([False] * pages)
    return lambda: next(left, True)


def kept() -> dict[int, datetime]:
    return {page: found.at for page, found in DynamoTallies(bootstrap.table()).of(RUN).items()}


@pytest.mark.usefixtures("shop")
def test_what_is_a_minute_old_is_counted_anew_the_oldest_first_as_far_as_time_allows() -> None:
    run = begin(a_run(RUN, audience=3, pages=3), [[entry(1)], [entry(2)], [entry(3)]])
    first = report_run(run, after(2), room=room(NOON))
    assert (False, False, NOON, 2) == (first.is_complete, first.is_balanced, first.as_of, first.total.entries)
    soon, later = NOON + timedelta(seconds=30), NOON + LASTS + timedelta(seconds=1)
    second = report_run(run, never, room=room(soon))
    assert (True, True, NOON) == (second.is_complete, second.is_balanced, second.as_of)
    assert {0: NOON, 1: NOON, 2: soon} == kept()
    bootstrap.table().put(Put(send_item(replace(entry(2), shard=1, status=Status.FAILED, version=2)), None, "it failed"))
    third = report_run(run, after(1), room=room(later))
    assert ({0: later, 1: NOON, 2: soon}, NOON, 3) == (kept(), third.as_of, third.total.open)
    fourth = report_run(run, never, room=room(later))
    assert ({0: later, 1: later, 2: soon}, soon, 1) == (kept(), fourth.as_of, fourth.total.books["failed"])


@pytest.mark.usefixtures("shop")
def test_what_was_counted_of_a_run_that_is_over_lasts_the_longer_the_longer_it_is_over() -> None:
    ended = a_run(RUN, audience=1, state=RunState.SETTLED, settled_at=NOON)
    run = begin(ended, [[entry(1, status=Status.FAILED)]])
    for counted_at, asked_at, expected in (
        (timedelta(0), timedelta(minutes=2), timedelta(minutes=2)),
        (timedelta(days=10), timedelta(days=10, hours=2), timedelta(days=10)),
        (timedelta(days=20), timedelta(days=20, hours=6), timedelta(days=20, hours=6)),
    ):
        report_run(run, never, room=room(NOON + counted_at))
        assert NOON + expected == report_run(run, never, room=room(NOON + asked_at)).as_of


# ── at the doors ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_campaign_without_a_run_and_a_run_of_another_one_have_no_report(shop: Shop) -> None:
    assert (404, "run_not_found") == code_of(read(shop))
    begin(a_run(RUN))
    assert 200 == read(shop, f"spring/runs/{RUN}/report").status
    for path in (f"spring/runs/{'e' * 32}/report", "spring/runs/x/report"):
        assert (404, "run_not_found") == code_of(read(shop, path))
    assert (404, "run_not_found") == code_of(link_to(shop, run_id="e" * 32))
    assert (404, "campaign_not_found") == code_of(read(shop, f"autumn/runs/{RUN}/report"))


@pytest.mark.parametrize("kind", [KeyKind.SERVER, KeyKind.WRITE])
def test_a_report_is_for_staff_alone(shop: Shop, kind: KeyKind) -> None:
    begin(a_run(RUN))
    assert 403 == shop.call("GET", "/v1/campaigns/spring/report", key=shop.cloud.key(kind)).status


@pytest.mark.parametrize(("body", "language"), [({}, "en"), ({"language": "fa"}, "fa"), ({"language": "zh"}, "zh")])
def test_a_link_opens_the_page_of_its_run_for_thirty_days(shop: Shop, body: dict[str, str], language: str) -> None:
    begin(a_run(RUN, audience=1), [[entry(1)]])
    shop.cloud.key(KeyKind.STAFF)
    before = shop.cloud.items()
    answer = link_to(shop, body)
    ends = datetime.fromisoformat(answer.json["expires_at"])
    assert (200, True) == (answer.status, timedelta(0) <= datetime.now(UTC) + LINK_LIVES - ends < timedelta(seconds=60))
    page = visit(answer.json["url"].removeprefix(HOST))
    path = f"GET /v1/campaigns/spring/runs/{RUN}/report"
    assert (200, language, True) == (page.status, language_of(page), path in html.unescape(page.text))
    assert "<h1>Spring &amp; summer</h1>" in page.text
    assert before == shop.cloud.items()


def language_of(answer: Answer) -> str:
    found = re.search(r'<html lang="(\w+)', answer.text)
    assert found
    return found[1]


def nowhere() -> Iterator[tuple[str, str]]:
    yield "tampered", at(token()[:20] + ("A" if token()[20] != "A" else "B") + token()[21:])
    yield "cut", at(token()[:-1])
    yield "of an order", at(seal(Link(Purpose.ORDER_STATUS, "de", "A-1001"), RING))
    yield "of a night", at(seal_report(ReportLink(NOON.date(), TOMORROW), RING))
    yield "of a run that is not there", at(token("e" * 32))
    yield "ended", at(token(expires_at=TOMORROW - timedelta(days=1, minutes=1)))
    yield "of a key that is not there", at(seal_campaign_report(CampaignReportLink(RUN, TOMORROW), Keyring("9", {"9": b"x"})))
    yield "at a night's door", f"/public/reports/{token()}"
    yield "nonsense", at("%00..%2f")


@pytest.mark.usefixtures("shop")
def test_links_that_lead_nowhere_or_have_ended_are_answered_alike() -> None:
    begin(a_run(RUN))
    answers = {why: visit(path, headers={"accept-language": "fa"}) for why, path in nowhere()}
    one = answers["tampered"]
    assert (404, "fa") == (one.status, language_of(one))
    assert dict.fromkeys(answers, one) == answers
    assert 200 == visit(at(token())).status


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
def test_whoever_follows_a_link_changes_nothing(shop: Shop, method: str) -> None:
    begin(a_run(RUN, audience=1), [[entry(1)]])
    before = shop.cloud.items()
    answer = visit(at(token()), method=method)
    assert before == shop.cloud.items()
    assert {"GET": 200, "HEAD": 200, "OPTIONS": 204}.get(method, 405) == answer.status


@pytest.mark.usefixtures("shop")
def test_the_page_shows_the_roster_as_it_stands_and_may_run_and_load_nothing() -> None:
    begin(a_run(RUN, audience=2), [[entry(1), entry(2, status=Status.FAILED, reason="MessageRejected")]])
    answer = visit(at(token(language=Language.PERSIAN)), query="lang=en", headers={"accept-language": "zh"})
    assert "MessageRejected 1" in answer.text
    assert "All 2 people are accounted for" in answer.text
    policy = answer.headers["content-security-policy"]
    closed = "default-src 'none'; img-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    assert re.fullmatch(re.escape(closed) + r"; style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    assert ("private, no-store", "no-referrer") == tuple(answer.headers[name] for name in ("cache-control", "referrer-policy"))
