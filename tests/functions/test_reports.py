"""Reports at their doors: who reads them by key, who by a link, and for how long."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.report_links import LINK_LIVES
from ecrm.contracts.reports import DEFINITIONS, ReportBody
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.links import Keyring, Language, Link, Purpose, ReportLink, seal, seal_report
from ecrm.messaging.reports import ReportPages
from public_api.handler import handler as public
from reports_api.handler import handler as reports
from tests.builders import NOON, a_report, a_request
from tests.cloud import Answer, Cloud, a_cloud

RING = Keyring("1", {"1": b"for tests only, 32 bytes long too"})
HOST = "https://shop.example.com"
NIGHTS = [(NOON - timedelta(days=ago)).date() for ago in range(5)]
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    pages = ReportPages()
    with a_cloud() as made:
        for night in NIGHTS:
            told = a_report(datetime(night.year, night.month, night.day, 4, tzinfo=UTC))
            bootstrap.reports().write(told, {language: pages.report(told, language) for language in Language})
        yield made


def get(cloud: Cloud, path: str, query: str = "") -> Answer:
    return cloud.call(reports, "GET", path, key=cloud.key(KeyKind.STAFF), query=query)


def token(night: date = NIGHTS[0], expires_at: datetime = TOMORROW, language: Language | None = None) -> str:
    return seal_report(ReportLink(night, expires_at, language), RING)


def visit(path: str, *, method: str = "GET", query: str = "", headers: Mapping[str, str] = {}) -> Answer:
    answer = public(a_request(method, path, query=query, headers=headers), None)
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


def at(sealed: str) -> str:
    return f"/public/reports/{sealed}"


def language_of(answer: Answer) -> str:
    found = re.search(r'<html lang="(\w+)', answer.text)
    assert found
    return found[1]


# ── by key ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_nights_that_have_a_report_are_listed_the_last_one_first_and_page_by_page(cloud: Cloud) -> None:
    found: list[str] = []
    cursor, pages = "", 0
    while pages == 0 or cursor:
        page = get(cloud, "/v1/reports", f"limit=2{cursor}").json
        found += [each["night"] for each in page["data"]]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else ""
        pages += 1
    assert ([night.isoformat() for night in NIGHTS], 3) == (found, pages)


def test_a_report_says_as_data_what_its_night_found_and_what_each_number_means(cloud: Cloud) -> None:
    answer = get(cloud, "/v1/reports/2026-11-20")
    assert 200 == answer.status
    told = a_report(datetime(2026, 11, 20, 4, tzinfo=UTC))
    assert json.loads(ReportBody.of(told).model_dump_json()) == answer.json
    part = answer.json["currencies"]["EUR"]
    assert {
        "quarters": [
            {"quarter": "2026-Q4", "new_revenue": "20.00", "repeat_revenue": "40.80", "new_customers": 1, "is_over": False}
        ],
        "cohorts": [
            {
                "month": "2026-10",
                "customers": 1,
                "came_back": 1,
                "months": [{"customers": 1, "net_revenue": "20.00"}, {"customers": 1, "net_revenue": "40.80"}],
            }
        ],
        "first_90_days": {
            "one_time": {"customers": 0, "net_revenue": "0.00"},
            "came_back": {"customers": 0, "net_revenue": "0.00"},
        },
    } == {name: part[name] for name in ("quarters", "cohorts", "first_90_days")}
    assert {"customers": 1, "net_revenue": "60.80", "group": "champions"} == part["rfm"][4][3]
    assert ({"new": {"loyal": 1}}, DEFINITIONS) == (answer.json["moves"], answer.json["definitions"])
    assert (0.85, 0.34, "39.12", 365) == tuple(
        part["outlook"][name] for name in ("still_customers", "orders_90", "value", "value_horizon_days")
    )


@pytest.mark.parametrize("night", ["2026-11-21", "2026-02-30", "20261120", "tonight", "..%2f", "2026-11-20.json"])
def test_a_night_without_a_report_is_not_found(cloud: Cloud, night: str) -> None:
    for answer in (
        get(cloud, f"/v1/reports/{night}"),
        cloud.call(reports, "POST", f"/v1/reports/{night}/links", {}, key=cloud.key(KeyKind.STAFF)),
    ):
        assert (404, True) == (answer.status, answer.json["code"] in ("report_not_found", "route_not_found"))


@pytest.mark.parametrize("cursor", ["nonsense", "WzEsIng", ""])
def test_a_cursor_of_another_list_is_refused(cloud: Cloud, cursor: str) -> None:
    assert 422 == get(cloud, "/v1/reports", f"cursor={cursor}").status


@pytest.mark.parametrize("kind", [KeyKind.SERVER, KeyKind.WRITE])
def test_a_report_is_for_staff_alone(cloud: Cloud, kind: KeyKind) -> None:
    for path in ("/v1/reports", "/v1/reports/2026-11-20"):
        assert 403 == cloud.call(reports, "GET", path, key=cloud.key(kind)).status


@pytest.mark.parametrize(("body", "language"), [({}, "en"), ({"language": "fa"}, "fa"), ({"language": "zh"}, "zh")])
def test_a_link_opens_the_page_of_its_night_for_thirty_days(cloud: Cloud, body: dict[str, str], language: str) -> None:
    key = cloud.key(KeyKind.STAFF)
    before = cloud.items()
    answer = cloud.call(reports, "POST", "/v1/reports/2026-11-19/links", body, key=key)
    ends = datetime.fromisoformat(answer.json["expires_at"])
    assert (200, True) == (answer.status, timedelta(0) <= datetime.now(UTC) + LINK_LIVES - ends < timedelta(seconds=60))
    page = visit(answer.json["url"].removeprefix(HOST))
    assert (200, language, True) == (page.status, language_of(page), "GET /v1/reports/2026-11-19" in html.unescape(page.text))
    assert before == cloud.items()


# ── by link ──────────────────────────────────────────────────────────────────────────────────────────────────────────


NOWHERE = {
    "tampered": at(token()[:20] + ("A" if token()[20] != "A" else "B") + token()[21:]),
    "cut": at(token()[:-1]),
    "of an order": at(seal(Link(Purpose.ORDER_STATUS, "de", "A-1001"), RING)),
    "of a night without a report": at(token(date(2026, 11, 21))),
    "ended": at(token(expires_at=TOMORROW - timedelta(days=1, minutes=1))),
    "ended long ago": at(token(expires_at=datetime(1970, 1, 2, tzinfo=UTC))),
    "of a key that is not there": at(seal_report(ReportLink(NIGHTS[0], TOMORROW), Keyring("9", {"9": b"x"}))),
    "at an order's door": f"/public/orders/{token()}",
    "empty": at(""),
    "nonsense": at("%00..%2f"),
    "long": at("A" * 2_000),
}


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("headers", [{}, {"accept-language": "fa"}])
def test_links_that_lead_nowhere_or_have_ended_are_answered_alike(headers: Mapping[str, str]) -> None:
    answers = {why: visit(path, headers=headers) for why, path in NOWHERE.items()}
    one = answers["tampered"]
    assert (404, "fa" if headers else "en") == (one.status, language_of(one))
    assert dict.fromkeys(NOWHERE, one) == answers


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    ("links_own", "query", "header", "expected"),
    [
        (None, "", "", "en"),
        (None, "", "de,zh;q=0.5", "zh"),
        ("fa", "", "zh", "fa"),
        ("fa", "lang=zh", "en", "zh"),
        ("fa", "lang=xx", "en", "fa"),
    ],
)
def test_a_report_speaks_the_chosen_language_else_the_links_else_the_browsers(
    links_own: str | None, query: str, header: str, expected: str
) -> None:
    sealed = token(language=Language(links_own) if links_own else None)
    assert expected == language_of(visit(at(sealed), query=query, headers={"accept-language": header}))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "DELETE"])
def test_whoever_follows_a_link_changes_nothing(cloud: Cloud, method: str) -> None:
    before = cloud.items(), objects(cloud)
    answer = visit(at(token()), method=method)
    assert before == (cloud.items(), objects(cloud))
    assert {"GET": 200, "HEAD": 200, "OPTIONS": 204}.get(method, 405) == answer.status
    assert bool(answer.text) == (method not in ("HEAD", "OPTIONS"))


def objects(cloud: Cloud) -> list[Any]:
    found = cloud.s3.list_objects_v2(Bucket="nights")["Contents"]
    return sorted((each["Key"], each["ETag"], each["LastModified"]) for each in found)


@pytest.mark.usefixtures("cloud")
def test_a_report_may_run_and_load_nothing_and_has_the_style_that_stands_in_it() -> None:
    answer, nowhere = visit(at(token())), visit(at("nothing"))
    policy = answer.headers["content-security-policy"]
    closed = "default-src 'none'; img-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    assert re.fullmatch(re.escape(closed) + r"; style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)
    same = {name: value for name, value in answer.headers.items() if name != "content-security-policy"}
    assert same == {name: value for name, value in nowhere.headers.items() if name != "content-security-policy"}
    assert ("private, no-store", "no-referrer", "noindex, nofollow") == tuple(
        answer.headers[name] for name in ("cache-control", "referrer-policy", "x-robots-tag")
    )


def test_a_page_of_an_older_style_is_still_shown_with_its_own(cloud: Cloud) -> None:
    old = '<!doctype html><html lang="en"><head><style>p { color: red }</style></head><body><p>old</p></body></html>'
    cloud.s3.put_object(Bucket="nights", Key="reports/pages/2026-11-16.en.html", Body=old.encode())
    newer, older = visit(at(token())), visit(at(token(NIGHTS[4])))
    assert (200, old) == (older.status, older.text)
    assert newer.headers["content-security-policy"] != older.headers["content-security-policy"]
