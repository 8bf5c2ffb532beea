"""P1: what a reader followed in a mail of a campaign stays in its report when they are erased, and nothing of them with it."""

import html
import json
import re
from typing import Any
from urllib.parse import quote

from ecrm import bootstrap
from ecrm.domain.api_keys import KeyKind
from record_delivery.handler import handler as record_delivery
from tests.functions.api import Shop
from tests.functions.mail import send
from tests.functions.test_delivery import batch
from tests.functions.test_marketing import put, shop  # noqa: F401 (a fixture)
from tests.functions.test_privacy import spellings
from tests.functions.test_run_mails import GREETING, R1, SAYS, begin, of_two, planned
from tests.notices import a_notice, wrapped

NAME = "Zeisig & Söhne"
READER = "{{ customer.first_name | url_encode }}"


def found(shop: Shop) -> list[str]:  # noqa: F811 (the fixture's value)
    """In which spellings the reader's name stands in the table."""
    items = json.dumps(shop.cloud.items(), ensure_ascii=False).lower()
    return [spelt for spelt in spellings(NAME) if spelt.lower() in items]


def greeting(address: str) -> dict[str, Any]:
    said = {"subject": "{{ data.subject }}", "html": f'{SAYS}<a id="x" href="{address}">Your page</a>'}
    return GREETING | {"variants": {"en": said}}


def test_a_link_that_would_keep_its_readers_name_is_not_stored(shop: Shop) -> None:  # noqa: F811 (the fixture)
    body = greeting(f"https://shop.example/for/{READER}/page")
    refused = shop.call("PUT", "/v1/templates/greeting", body, key=shop.cloud.key(KeyKind.STAFF))
    assert (422, [("/variants/en/html", "personal_link")]) == (
        refused.status,
        [(flaw["pointer"], flaw["code"]) for flaw in refused.json["errors"]],
    )


def test_of_a_link_that_was_followed_the_report_keeps_the_place_and_an_erasure_leaves_nothing_of_its_reader(
    shop: Shop,  # noqa: F811 (the fixture)
) -> None:
    for _ in of_two().messages[0].treatments:
        put(shop, "/v1/templates/greeting", greeting(f"https://shop.example/page?for={READER}#{READER}"))
    named = shop.call("PATCH", f"/v1/customers/{shop.customer_id}", {"traits": {"first_name": NAME}})
    assert 200 == named.status
    begin(of_two(), planned(shop.customer_id))
    (mail,) = send(shop)
    (followed,) = re.findall(r'id="x" href="([^"]+)"', mail["Content"]["Simple"]["Body"]["Html"]["Data"])
    assert f"https://shop.example/page?for={quote(NAME)}#{quote(NAME)}" == html.unescape(followed)

    click = a_notice("Click", run=R1, customer=shop.customer_id, link=html.unescape(followed))
    record_delivery(batch(wrapped(click)), None)
    assert [] != found(shop)
    assert 202 == shop.call("POST", f"/v1/customers/{shop.customer_id}/erasure-jobs").status
    shop.cloud.work()
    assert ["https://shop.example/page"] == list(bootstrap.sends().links(R1).values())
    assert [] == found(shop)
