"""Mails of campaigns at the doors: what they are made of, and what becomes of pages that fail beside others (B1, B2)."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.domain.messages import Policy, Send, Status
from ecrm.domain.runs import CampaignMessage, Run, Treatment
from ecrm.store import keys
from ecrm.store.messages import send_item
from ecrm.store.runs import run_item
from ecrm.store.table import Put
from send_messages.handler import handler as send_messages
from tests.adapters.test_partial_answers import leaving_keys_out
from tests.builders import a_planned_send, a_run
from tests.cloud import Time
from tests.faults import tapped
from tests.functions.api import Shop
from tests.functions.mail import send, ses
from tests.functions.test_marketing import NEWS, ask_for, consents, policy, put, shop  # noqa: F401 (a fixture)

SAYS = '<p>{{ data.greeting }}</p><p>{{ site.postal_address }}</p><a href="{{ links.unsubscribe }}">No more</a>'
GREETING = {"purpose": "marketing", "topic": "news", "variants": {"en": {"subject": "{{ data.subject }}", "html": SAYS}}}
R1, R2, NO_RUN = "1" * 32, "2" * 32, "9" * 32
TREATMENTS = (
    Treatment(name="a", template="greeting", template_version=1, data={"subject": "Spring", "greeting": "It is warm."}),
    Treatment(name="b", template="greeting", template_version=2, data={"subject": "Sale", "greeting": "It is cheap."}),
)


def planned(customer_id: str, run_id: str = R1, **changes: Any) -> Send:
    changes = {"template": "greeting", "message": "spring", "treatment": "a", "topic": "news"} | changes
    return replace(a_planned_send(run_id, customer_id, policy=Policy.MARKETING), requested_at=None, **changes)


def begin(run: Run, *sends: Send) -> None:
    table = bootstrap.table()
    table.put(Put(run_item(run), None, "planned"))
    key = keys.active_run(run.run_id)
    table.put(Put({"PK": key.pk, "SK": key.sk, "type": "active_run", "v": 1}, None, "active"))
    for one in sends:
        table.put(Put(send_item(one), None, "planned"))
        bootstrap.message_queue().send(one.run_id, one.shard, is_of_many=one.is_of_many)


def of_two(**changes: Any) -> Run:
    now = bootstrap.clock.now()
    run = a_run(
        R1, messages=(CampaignMessage(name="spring", treatments=TREATMENTS),), started_at=now, expires_at=now + timedelta(days=1)
    )
    return replace(run, **changes)


def entry(shop: Shop, run_id: str = R1, shard: int = 0) -> Send:  # noqa: F811 (the fixture's value)
    found = bootstrap.sends().find(run_id, shard, shop.customer_id)
    assert found is not None
    return found


def text_of(mail: dict[str, Any]) -> tuple[str, bool]:
    content = mail["Content"]["Simple"]
    return content["Subject"]["Data"], "It is cheap." in content["Body"]["Html"]["Data"]


@pytest.mark.parametrize(("treatment", "expected"), [("a", ("Spring", False)), ("b", ("Later: Sale", True))])
def test_a_mail_is_made_of_its_treatment_as_it_was_when_the_run_began(
    shop: Shop,  # noqa: F811 (the fixture)
    treatment: str,
    expected: tuple[str, bool],
) -> None:
    put(shop, "/v1/templates/greeting", GREETING)
    for prefix in ("Later: ", "Much later: "):
        changed = {"en": {"subject": prefix + "{{ data.subject }}", "html": SAYS}}
        put(shop, "/v1/templates/greeting", GREETING | {"variants": changed})
    begin(of_two(), planned(shop.customer_id, treatment=treatment))
    (mail,) = send(shop)
    assert expected == text_of(mail)
    sent = entry(shop)
    assert (Status.ACCEPTED, treatment, 1 if treatment == "a" else 2) == (sent.status, sent.treatment, sent.template_version)
    customer = bootstrap.customers().find(shop.customer_id)
    assert customer is not None
    assert expected[0] == bootstrap.composer().again(sent, customer).subject


def test_a_mail_can_say_which_campaign_run_message_and_treatment_it_is_of(shop: Shop) -> None:  # noqa: F811 (the fixture)
    subject = "{{ campaign.id }} {{ campaign.run }} {{ campaign.message }} {{ campaign.treatment }}."
    for _ in TREATMENTS:
        put(shop, "/v1/templates/greeting", GREETING | {"variants": {"en": {"subject": subject, "html": SAYS}}})
    begin(of_two(campaign="autumn"), planned(shop.customer_id, treatment="b"))
    (mail,) = send(shop)
    assert f"autumn {R1} spring b." == text_of(mail)[0]
    put(shop, "/v1/templates/autumn", NEWS | {"variants": {"en": {"subject": f"alone{subject}", "html": SAYS}}})
    ask_for(shop)
    (alone,) = send(shop)
    assert "alone   ." == text_of(alone)[0]


def test_of_pages_that_fail_beside_others_exactly_those_are_delivered_again(shop: Shop) -> None:  # noqa: F811 (the fixture)
    """B1: a page without its run, one whose run lacks its message, what is no page, and pages that are as they should be."""
    put(shop, "/v1/templates/greeting", GREETING)
    begin(of_two())
    begin(of_two(run_id=R2), planned(shop.customer_id, R2, message="gone"))
    random = Random(1)
    pages: dict[str, dict[str, Any]] = {
        "good": {"type": "page", "v": 1, "run_id": R1, "shard": 0},
        "no run": {"type": "page", "v": 1, "run_id": NO_RUN, "shard": 0},
        "no message": {"type": "page", "v": 1, "run_id": R2, "shard": 0},
        "no page": {"type": "page", "v": 9},
    }
    bootstrap.table().put(Put(send_item(planned(shop.customer_id, NO_RUN)), None, "planned"))
    sent = 0
    for shard in range(1, 60):
        kinds = random.choices(sorted(pages), k=random.randint(1, 10))
        bootstrap.table().put(Put(send_item(planned(shop.customer_id, shard=shard)), None, "planned"))
        body = {"good": {"type": "page", "v": 1, "run_id": R1, "shard": shard}}
        records = [{"messageId": f"{at}", "body": json.dumps((pages | body)[kind])} for at, kind in enumerate(kinds)]
        with ses() as provider:
            answer = send_messages({"Records": records}, Time())
        expected = {str(at) for at, kind in enumerate(kinds) if kind != "good"}
        assert expected == {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}, kinds
        assert len(provider.mails) == ("good" in kinds)
        sent += len(provider.mails)
    assert sent > 20


def test_a_message_goes_before_the_pages_that_come_with_it(shop: Shop) -> None:  # noqa: F811 (the fixture)
    """A page takes all the time that there is, here that of one mail, and what it does not come to is handed on."""
    put(shop, "/v1/templates/greeting", GREETING)
    begin(of_two(), planned(shop.customer_id))
    asked = shop.call("POST", "/v1/messages", {"template": "order-confirmed", "customer": {"customer_id": shop.customer_id}})
    places = (("page", R1), ("page", R1), ("message", asked.json["message_id"]))
    bodies = [json.dumps({"type": kind, "v": 1, "run_id": run_id, "shard": 0}) for kind, run_id in places]
    records = [{"messageId": f"{at}", "body": body} for at, body in enumerate(bodies)]
    with ses() as provider:
        answer = send_messages({"Records": records}, Time(lambda: 29_000 if provider.mails else 60_000))
    assert {"batchItemFailures": []} == answer
    tags = [{tag["Name"]: tag["Value"] for tag in mail["EmailTags"]} for mail in provider.mails]
    assert [asked.json["message_id"]] == [each["run"] for each in tags]
    assert Status.PLANNED is entry(shop).status


@pytest.mark.parametrize("percent", range(0, 101, 20))
def test_what_the_table_leaves_unread_is_sent_once_or_told_again(shop: Shop, percent: int) -> None:  # noqa: F811 (the fixture)
    """B2: of the batch-gets of a claim (what allows it; budget, wishes and rivals) each key may be left out."""
    put(shop, "/v1/templates/greeting", GREETING)
    policy(shop, frequency_cap={"most": 50, "days": 1})
    begin(of_two(run_id=R2, priority=9))
    outcomes = Counter[str]()
    for seed in range(6):
        begin(of_two(), planned(shop.customer_id, shard=seed))
        body = json.dumps({"type": "page", "v": 1, "run_id": R1, "shard": seed})
        bootstrap.sender.cache_clear()
        with tapped(leaving_keys_out(percent, Random(seed))), ses() as provider:
            answer = send_messages({"Records": [{"messageId": "1", "body": body}]}, Time())
        status = entry(shop, shard=seed).status
        is_told = answer == {"batchItemFailures": [{"itemIdentifier": "1"}]}
        assert (status, is_told, len(provider.mails)) in ((Status.ACCEPTED, False, 1), (Status.PLANNED, True, 0))
        outcomes[status] += 1
        with ses() as provider:
            assert {"batchItemFailures": []} == send_messages({"Records": [{"messageId": "1", "body": body}]}, Time())
        assert (Status.ACCEPTED, 0 if status is Status.ACCEPTED else 1) == (entry(shop, shard=seed).status, len(provider.mails))
    assert outcomes[Status.PLANNED] == {0: 0, 100: 6}.get(percent, outcomes[Status.PLANNED])
