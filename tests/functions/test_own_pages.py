"""All public pages: scanners change nothing (C3), a changed link opens nothing (T1), nobody breaks them (A1).

And what a customer chooses on their own ones is theirs.
"""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from ecrm import bootstrap
from ecrm.application.person_links import links_of_mail
from ecrm.application.ports import Standing
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.consent import Channel
from ecrm.domain.links import (
    CampaignReportLink,
    Language,
    Link,
    PersonLink,
    Purpose,
    ReportLink,
    mark_of,
    person_url,
    seal,
    seal_campaign_report,
    seal_report,
)
from ecrm.domain.messages import Policy, Send
from ecrm.messaging.reports import ReportPages
from ecrm.store.runs import run_item
from ecrm.store.table import Put
from public_api.handler import handler as public
from tests.builders import NOON, a_planned_send, a_report, a_request, a_run, a_site, its_request
from tests.functions.api import Shop, a_new_order
from tests.functions.test_consents import a_customer
from tests.functions.test_opt_ins import asked
from tests.functions.test_public_pages import HOST, RING, SCANNERS
from tests.functions.test_unsubscribing import FORM, a_subscriber, send
from tests.unit.test_links import MUTATIONS, mutated

EMAIL = "own@example.com"


@pytest.fixture(scope="module")
def sending(shop: Shop) -> Shop:
    assert 200 == shop.call("PUT", "/v1/sites/de", a_site(sender="n@example.com"), key=shop.cloud.key(KeyKind.STAFF)).status
    return shop


@pytest.fixture(scope="module")
def customer_id(sending: Shop) -> str:
    return a_subscriber(sending, a_customer(sending, email=EMAIL))


@pytest.fixture(scope="module")
def paths(sending: Shop, customer_id: str) -> dict[Purpose, str]:
    """One link of each kind that opens its page."""
    _, confirm = asked(sending)
    return own(sending, customer_id, EMAIL) | {Purpose.CONFIRM: confirm}


def own(shop: Shop, customer_id: str, email: str) -> dict[Purpose, str]:
    """One link to each page of somebody who was asked nothing."""
    digest = bootstrap.consents().digest(Channel.EMAIL, email)
    mail = _asked_for(a_planned_send("019aa2c7d1e07a3e9b1f5a9b2d4e6f81", customer_id, bootstrap.clock.now()))
    job = shop.call("POST", f"/v1/customers/{customer_id}/export-jobs", {}, key=shop.cloud.key(KeyKind.STAFF)).json
    about = {
        Purpose.UNSUBSCRIBE: ("news",),
        Purpose.PREFERENCES: (),
        Purpose.VIEW: (mail.run_id, str(mail.shard)),
        Purpose.MY_DATA: (),
        Purpose.DATA_REQUEST: ("erasure",),
        Purpose.DATA: (job["job_id"],),
    }
    made = {
        purpose: PersonLink(
            purpose=purpose, site="de", customer_id=customer_id, about=said, sent_to=mark_of(digest), reference=f"ref-{purpose}"
        )
        for purpose, said in about.items()
    }
    return {name: person_url("", link, RING) for name, link in made.items()}


@pytest.fixture(scope="module")
def every_path(sending: Shop, paths: dict[Purpose, str]) -> dict[Purpose, str]:
    """Those of an order and of both reports, too."""
    order = a_new_order()
    assert 201 == sending.call("POST", "/v1/orders", order).status
    report, pages = a_report(NOON), ReportPages()
    bootstrap.reports().write(report, {language: pages.report(report, language) for language in Language})
    run = a_run("f" * 32)
    bootstrap.table().put(Put(run_item(run), None, "it is there"))
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    return paths | {
        Purpose.ORDER_STATUS: f"/public/orders/{seal(Link(Purpose.ORDER_STATUS, 'de', order['order_id']), RING)}",
        Purpose.REPORT: f"/public/reports/{seal_report(ReportLink(NOON.date(), ends), RING)}",
        Purpose.CAMPAIGN_REPORT: f"/public/campaign-reports/{seal_campaign_report(CampaignReportLink(run.run_id, ends), RING)}",
    }


def _asked_for(mail: Send) -> Send:
    """A mail of ours that needs no order: the one that asks whether an erasure is meant."""
    asked_for = replace(mail, template="data-request")
    request = its_request(asked_for, data={"kind": "erasure"}, language="en")
    assert bootstrap.sends().add(asked_for, request, Standing(mail.customer_id), None)
    return asked_for


def test_every_page_opens_and_twelve_scanners_with_three_methods_change_nothing(
    sending: Shop, every_path: dict[Purpose, str]
) -> None:
    assert {*Purpose} == every_path.keys()
    routes = [route.path for route, _ in public.routes]
    assert len(routes) == len({path.rpartition("/")[0] for path in every_path.values()})
    before = sending.cloud.items(), sending.cloud.files()
    for path in every_path.values():
        for method, status in (("GET", 200), ("HEAD", 200), ("OPTIONS", 204)):
            answers = [send(path, method=method, headers={"user-agent": agent}) for agent in SCANNERS]
            assert [status] * len(SCANNERS) == [answer.status for answer in answers], (path, method)
    for path in ("/public/subscribe", "/public/orders/find"):
        for method in ("GET", "HEAD", "OPTIONS"):
            answers = [sending.call(method, path, headers={"user-agent": agent}) for agent in SCANNERS]
            assert {answer.status for answer in answers} <= {204, 405}, (path, method)
    assert before == (sending.cloud.items(), sending.cloud.files())


def test_ten_thousand_changed_links_are_the_same_nothing_and_change_nothing(
    sending: Shop, every_path: dict[Purpose, str]
) -> None:
    chance = random.Random(20261124)
    before, nowhere = sending.cloud.items(), send("/public/u/nothing", method="GET")
    assert 404 == nowhere.status
    with_form = {route.path.removesuffix("{token}") for route, _ in public.routes if route.takes}
    tried = 0
    while tried < MUTATIONS:
        path, slash, token = chance.choice(list(every_path.values())).rpartition("/")
        changed = mutated(token, chance)
        if changed == token:
            continue
        tried += 1
        method = chance.choice(("GET", "POST")) if path + slash in with_form else "GET"
        assert nowhere == send(path + slash + changed, "kind=export" if method == "POST" else "", method=method), (path, changed)
    assert before == sending.cloud.items()


def test_of_the_erased_every_page_is_the_same_nothing_and_what_is_posted_changes_nothing(sending: Shop) -> None:
    email = "erased@example.com"
    erased = a_subscriber(sending, a_customer(sending, email=email))
    paths, nowhere = own(sending, erased, email), send("/public/u/nothing", method="GET")
    assert {200} == {send(path, method="GET").status for path in paths.values()}
    assert 202 == sending.call("POST", f"/v1/customers/{erased}/erasure-jobs", {}).status
    for is_done in (False, True):
        before = sending.cloud.items()
        assert dict.fromkeys(paths, nowhere) == {purpose: send(path, method="GET") for purpose, path in paths.items()}
        posted = {purpose: send(path, "topic=news&kind=export").status for purpose, path in paths.items()}
        told = {Purpose.UNSUBSCRIBE: 200, Purpose.VIEW: 405, Purpose.DATA: 405}
        assert {purpose: told.get(purpose, 404) for purpose in paths} == posted, is_done
        assert before == sending.cloud.items()
        sending.cloud.work()


def test_no_page_says_who_its_reader_is(paths: dict[Purpose, str], customer_id: str) -> None:
    """But for the mail itself, which is shown as it was sent; and a file stands in the bucket under its customer's id."""
    pages = {purpose: send(path, method="GET").text for purpose, path in paths.items() if purpose is not Purpose.VIEW}
    assert [] == [purpose for purpose, page in pages.items() if EMAIL in page]
    assert {Purpose.DATA} >= {purpose for purpose, page in pages.items() if customer_id in page}


def test_every_page_but_the_one_click_refuses_what_another_site_posts(sending: Shop, paths: dict[Purpose, str]) -> None:
    before = sending.cloud.items()
    elsewhere = FORM | {"sec-fetch-site": "cross-site"}
    others = {purpose: path for purpose, path in paths.items() if purpose is not Purpose.UNSUBSCRIBE}
    statuses = {purpose: send(path, "do=save", headers=elsewhere).status for purpose, path in others.items()}
    without_form = {Purpose.VIEW: 405, Purpose.DATA: 405}
    assert {purpose: without_form.get(purpose, 403) for purpose in others} == statuses
    assert before == sending.cloud.items()


def test_a_thousand_hostile_forms_are_answered_and_none_with_5xx(sending: Shop, paths: dict[Purpose, str]) -> None:
    chance = random.Random(9)
    names = ["shown", "topic", "frequency", "pause", "language", "month", "day", "birthday", "scope", "kind", "List-Unsubscribe"]
    values = [
        "",
        "news",
        "\0",
        "٣",
        "-1",
        "99",
        "{{7*7}}",
        "<script>",
        "'",
        "weekly",
        "start",
        "\ud800",
        "A" * 300,
        "=",
        "&;",
        "é",
    ]
    kinds = [
        "application/x-www-form-urlencoded",
        "application/json",
        "multipart/form-data",
        "",
        "application/x-www-form-urlencoded; charset=x",
    ]
    safe = [path for purpose, path in paths.items() if purpose not in (Purpose.DATA_REQUEST, Purpose.CONFIRM)]
    for _ in range(1_000):
        pairs = [(chance.choice(names), chance.choice(values)) for _ in range(chance.randrange(6))]
        body = chance.choice([urlencode(pairs, errors="surrogatepass"), "%", "a=%ff&b", "\ud800", "=".join(values)])
        path = chance.choice([*safe, *(path[:-3] for path in safe)])
        event = a_request("POST", path, body=body, headers={"content-type": chance.choice(kinds)})
        event["isBase64Encoded"] = chance.random() < 0.2
        answer = public(event, None)
        assert answer["statusCode"] in {200, 404, 405, 422}, (path, body)
        assert "<script>" not in answer["body"]
    assert 200 == sending.call("GET", "/v1/sites/de").status


def test_an_export_has_what_was_chosen_and_an_erasure_leaves_nothing_of_it(sending: Shop) -> None:
    email = "chooser@example.com"
    chooser = a_subscriber(sending, a_customer(sending, email=email))
    mark = mark_of(bootstrap.consents().digest(Channel.EMAIL, email))
    link = PersonLink(purpose=Purpose.PREFERENCES, site="de", customer_id=chooser, sent_to=mark)
    fields = {"frequency": "weekly", "pause": "start", "month": "2", "day": "29"}
    assert 200 == send(person_url("", link, RING), urlencode(fields)).status
    staff = sending.cloud.key(KeyKind.STAFF)
    assert 202 == sending.call("POST", f"/v1/customers/{chooser}/export-jobs", {}, key=staff).status
    sending.cloud.work()
    files = [text for name, text in sending.cloud.files().items() if chooser in name and name.endswith(".json")]
    assert [True] == ['"weekly"' in text and "paused_until" in text for text in files]
    assert 202 == sending.call("POST", f"/v1/customers/{chooser}/erasure-jobs", {}, key=staff).status
    sending.cloud.work()
    left = [item["SK"]["S"] for item in sending.cloud.items() if item["PK"]["S"] == f"CUSTOMER#{chooser}"]
    assert ["PROFILE"] == left


@pytest.mark.usefixtures("sending")
def test_a_marketing_mails_links_open_its_customers_pages(customer_id: str) -> None:
    mail = replace(a_planned_send("run", customer_id, bootstrap.clock.now()), policy=Policy.MARKETING, topic="news")
    digest = bootstrap.consents().digest(Channel.EMAIL, EMAIL)
    links = links_of_mail(mail, digest=digest, kind=None, language="fa-IR", ring=RING, public_url=HOST)
    assert ["preferences", "unsubscribe", "view"] == sorted(links)
    pages = {name: send(links[name].removeprefix(HOST), method="GET") for name in ("unsubscribe", "preferences")}
    assert {"unsubscribe": 200, "preferences": 200} == {name: page.status for name, page in pages.items()}
    assert all('<html lang="fa" dir="rtl">' in page.text for page in pages.values())
