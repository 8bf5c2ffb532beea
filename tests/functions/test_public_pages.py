"""Public links: who follows one sees the page, changes nothing, and learns nothing from one that leads nowhere."""

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.links import open_link
from ecrm.domain.links import Keyring, Language, Link, Purpose, seal
from ecrm.store.links import LOOK_AGAIN, SecretLinkKeys, rotated
from orders_api.handler import handler as orders
from public_api.handler import handler as public
from tests.builders import NOON, a_request, a_stored_site, an_event, an_order
from tests.cloud import Answer, Cloud, a_cloud
from tests.faults import on, refused_with, tapped

RING = Keyring("1", {"1": b"for tests only, 32 bytes long too"})
HOST = "https://shop.example.com"
SCANNERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Safari/537.36 Edg/120 SafeLinks",
    "Barracuda Sentinel (EE)",
    "Mimecast-URL-Scanner/1.0",
    "ProofpointURLDefense/3",
    "GoogleImageProxy",
    "Mozilla/5.0 (compatible; Googlebot/2.1)",
    "YahooMailProxy; https://help.yahoo.com",
    "Slackbot-LinkExpanding 1.0",
    "facebookexternalhit/1.1",
    "WhatsApp/2.23",
    "TelegramBot (like TwitterBot)",
    "curl/8.5.0",
)


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with a_cloud() as made:
        assert 201 == made.call(orders, "POST", "/v1/orders", an_order()).status
        shipped = an_event("shipped", carrier="DHL", tracking_url="https://tracking.example.com/1", estimated_on="2026-11-24")
        assert 201 == made.call(orders, "POST", "/v1/orders/A-1001/events", shipped).status
        site = a_stored_site("cn", brand="蓝调", languages=["zh-CN", "en"], time_zone="Asia/Shanghai", currency="CNY")
        bootstrap.sites().write(site, seen=0)
        assert 201 == made.call(orders, "POST", "/v1/orders", an_order(), key=made.key(site="cn")).status
        yield made


def token_of(**changes: Any) -> str:
    said: dict[str, Any] = {"purpose": Purpose.ORDER_STATUS, "site": "de", "order_id": "A-1001"} | changes
    return seal(Link(**said), RING)


def visit(path: str, *, method: str = "GET", query: str = "", headers: Mapping[str, str] = {}) -> Answer:
    answer = public(a_request(method, path, query=query, headers=headers), None)
    return Answer(answer["statusCode"], answer["headers"], answer["body"])


def at(token: str) -> str:
    return f"/public/orders/{token}"


def language_of(answer: Answer) -> str:
    found = re.search(r'<html lang="(\w+)', answer.text)
    assert found
    return found[1]


@pytest.mark.parametrize(("body", "language"), [({}, None), ({"language": "zh"}, Language.CHINESE), ({"site": "de"}, None)])
def test_a_site_gets_a_link_that_opens_the_orders_page(cloud: Cloud, body: dict[str, str], language: Language | None) -> None:
    before = cloud.items()
    answers = [cloud.call(orders, "POST", "/v1/orders/A-1001/links", body) for _ in range(2)]
    url = f"{HOST}{at(token_of(language=language))}"
    assert [(200, {"url": url})] * 2 == [(answer.status, answer.json) for answer in answers]
    page = visit(url.removeprefix(HOST))
    assert (200, True) == (page.status, "A-1001" in page.text)
    assert before == cloud.items()


def test_a_link_is_made_for_an_order_that_is_there(cloud: Cloud) -> None:
    answer = cloud.call(orders, "POST", "/v1/orders/none/links", {})
    assert (404, "order_not_found") == (answer.status, answer.json["code"])


def test_a_link_is_in_one_of_the_languages_of_the_pages(cloud: Cloud) -> None:
    answer = cloud.call(orders, "POST", "/v1/orders/A-1001/links", {"language": "de"})
    assert (422, "/language", "unknown_value") == (
        answer.status,
        *(answer.json["errors"][0][name] for name in ("pointer", "code")),
    )


@pytest.mark.parametrize("agent", SCANNERS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_whoever_follows_a_link_changes_nothing(cloud: Cloud, method: str, agent: str) -> None:
    before = cloud.items()
    answer = visit(at(token_of()), method=method, headers={"user-agent": agent})
    assert before == cloud.items()
    assert {"GET": 200, "HEAD": 200, "OPTIONS": 204}[method] == answer.status
    assert (method == "GET") == bool(answer.text)


@pytest.mark.usefixtures("cloud")
def test_head_has_the_headers_of_get() -> None:
    for path in (at(token_of()), at("nothing")):
        assert visit(path).headers == visit(path, method="HEAD").headers


NOWHERE = {
    "tampered": at(token_of()[:-2] + "AA"),
    "cut": at(token_of()[:-1]),
    "of another purpose": at(token_of(purpose="unsubscribe")),
    "of an order that is not there": at(token_of(order_id="A-9")),
    "of a site that is not there": at(token_of(site="xx")),
    "of a key that is not there": at(seal(Link(Purpose.ORDER_STATUS, "de", "A-1001"), Keyring("9", {"9": b"x"}))),
    "of its own language": at(token_of(order_id="A-9", language=Language.PERSIAN)),
    "empty": at(""),
    "nonsense": at("%00..%2f"),
    "no page": "/public/nothing",
    "long": at("A" * 2000),
}


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("headers", [{}, {"accept-language": "fa"}])
def test_links_that_lead_nowhere_are_answered_alike(headers: Mapping[str, str]) -> None:
    answers = {why: visit(path, headers=headers) for why, path in NOWHERE.items()}
    one = answers["tampered"]
    assert (404, "fa" if headers else "en") == (one.status, language_of(one))
    assert dict.fromkeys(NOWHERE, one) == answers


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_a_page_can_only_be_read(method: str) -> None:
    answer = visit(at(token_of()), method=method)
    assert (405, "GET, HEAD, OPTIONS") == (answer.status, answer.headers["allow"])
    assert answer == visit(at("nothing"), method=method)


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize(
    ("links_own", "query", "header", "expected"),
    [
        ("fa", "lang=zh", "en", "fa"),
        (None, "lang=zh", "fa", "zh"),
        (None, "lang=xx", "de-DE,fa-IR;q=0.8,en;q=0.9", "en"),
        (None, "", "de-DE,de;q=0.9,zh-TW;q=0.5,fa;q=0", "zh"),
        (None, "lang=%ff", ";;q=,fa;q=1,zh;q=2", "fa"),
        (None, "", "*", "en"),
        (None, "", "", "en"),
    ],
)
def test_a_page_speaks_the_links_language_else_what_is_asked_for_else_the_browsers(
    links_own: str | None, query: str, header: str, expected: str
) -> None:
    token = token_of(language=Language(links_own) if links_own else None)
    assert expected == language_of(visit(at(token), query=query, headers={"Accept-Language": header}))


@pytest.mark.usefixtures("cloud")
def test_where_nobody_says_a_language_it_is_the_sites_first() -> None:
    token = token_of(site="cn")
    assert ["zh", "fa"] == [language_of(visit(at(token), headers=said)) for said in ({}, {"accept-language": "fa"})]


@pytest.mark.usefixtures("cloud")
def test_every_page_is_private_and_may_run_and_load_nothing() -> None:
    for path, method in ((at(token_of()), "GET"), (at("nothing"), "GET"), (at("nothing"), "POST"), (at("nothing"), "OPTIONS")):
        headers = dict(visit(path, method=method).headers)
        policy = headers.pop("content-security-policy")
        headers.pop("allow", None)
        assert {
            "content-type": "text/html; charset=utf-8",
            "strict-transport-security": "max-age=63072000",
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "no-referrer",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
            "cross-origin-opener-policy": "same-origin",
            "cache-control": "private, no-store",
            "x-robots-tag": "noindex, nofollow",
            "x-correlation-id": "request-1",
        } == headers
        closed = "default-src 'none'; img-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        assert re.fullmatch(re.escape(closed) + r"; style-src 'sha256-[A-Za-z0-9+/]{43}='", policy)


def test_the_page_says_nothing_of_who_the_customer_is(cloud: Cloud) -> None:
    customer_id = cloud.call(orders, "GET", "/v1/orders/A-1001").json["customer_id"]
    text = visit(at(token_of())).text
    assert [] == [secret for secret in ("sara@example.com", "u-77", customer_id) if secret in text]


def test_a_table_that_is_away_is_a_page_that_says_come_back(cloud: Cloud) -> None:
    with tapped(on("GetItem", refused_with("InternalServerError", status=500))):
        answer = visit(at(token_of()), headers={"accept-language": "zh"})
    assert (503, "zh", "5") == (answer.status, language_of(answer), answer.headers["retry-after"])
    del cloud


@pytest.mark.usefixtures("cloud")
def test_five_hundred_hostile_visits_are_answered_and_none_with_5xx() -> None:
    chance = random.Random(3)
    bits = [
        "..",
        "%2f",
        "%00",
        "\0",
        "{{7*7}}",
        "<script>",
        "é",
        "中",
        "'",
        '"',
        "\\",
        ";",
        "?",
        "#",
        "A" * 300,
        "/",
        "\r\n",
        "-_",
    ]
    for _ in range(500):
        word = "".join(chance.choices([*bits, token_of()], k=chance.randrange(6)))
        headers = {
            chance.choice(["accept-language", "Accept-Language", "user-agent", "x-forwarded-for"]): "".join(
                chance.choices(bits, k=4)
            )
        }
        method = chance.choice(["GET", "HEAD", "OPTIONS", "POST", "", "get", "PROPFIND"])
        path = chance.choice([f"/public/orders/{word}", f"/public/{word}", word])
        query = chance.choice(["", f"lang={word}", "&".join(["a=b"] * 40), "lang=fa&lang=zh"])
        answer = visit(path, method=method, query=query, headers=headers)
        assert answer.status in {200, 204, 404, 405}, (path, method)
        assert "<script>" not in answer.text


def test_a_new_key_is_known_within_a_minute_and_strange_tokens_cost_one_read_a_minute() -> None:
    class Wall:
        at = NOON

        def now(self) -> Any:
            return self.at

    wall, reads, stored = Wall(), [], '{"current": "1", "1": "one"}'

    def read() -> str:
        reads.append(stored)
        return stored

    keys = SecretLinkKeys(read, wall)
    assert ("1", {"1": b"one"}) == (keys.ring().current, keys.ring().secrets)
    stored, key_id = rotated(stored, "two")
    assert ("2", "1", "1") == (key_id, keys.ring().current, keys.ring(fresh=True).current)
    wall.at += LOOK_AGAIN
    assert ("1", "2") == (keys.ring().current, keys.ring(fresh=True).current)
    assert {"1": b"one", "2": b"two"} == keys.ring(fresh=True).secrets
    assert 2 == len(reads)


def test_a_link_of_a_key_that_is_newer_than_the_container_opens() -> None:
    texts = ['{"current": "1", "1": "one"}', '{"current": "2", "1": "one", "2": "two"}']

    instants = [NOON, NOON, NOON + LOOK_AGAIN]

    class Wall:
        def now(self) -> Any:
            return instants.pop(0)

    keys = SecretLinkKeys(lambda: texts.pop(0), Wall())
    assert "1" == keys.ring().current
    link = Link(Purpose.ORDER_STATUS, "de", "A-1001")
    assert link == open_link(seal(link, Keyring("2", {"2": b"two"})), Purpose.ORDER_STATUS, keys=keys)
    assert [] == texts
