"""One's own data: asked for on a page, confirmed in the mailbox, once; the copy is fetched by a link that ends."""

import html
import re
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.application.mail_ports import Sends
from ecrm.application.person_links import links_of_mail
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.consent import Channel
from ecrm.domain.links import Keyring, PersonLink, Purpose, seal_person
from tests.builders import a_site
from tests.functions.api import Shop
from tests.functions.test_consents import a_customer
from tests.functions.test_public_pages import HOST, RING
from tests.functions.test_unsubscribing import FORM, send

_emails = iter(range(10**6))


@pytest.fixture(scope="module")
def sending(shop: Shop) -> Shop:
    staff = shop.cloud.key(KeyKind.STAFF)
    assert 200 == shop.call("PUT", "/v1/sites/de", a_site(sender="news@example.com"), key=staff).status
    return shop


def a_person(shop: Shop) -> tuple[str, str]:
    email = f"d-{next(_emails)}@example.com"
    return a_customer(shop, email=email), email


def my_data(customer_id: str, ring: Keyring = RING) -> str:
    link = PersonLink(purpose=Purpose.MY_DATA, site="de", customer_id=customer_id)
    return f"/public/my-data/{seal_person(link, ring)}"


def asked(shop: Shop, customer_id: str) -> list[dict[str, Any]]:
    page = shop.call("GET", f"/v1/customers/{customer_id}/timeline", query="type=message.requested").json
    return [event["data"] for event in page["data"]]


def mailed(shop: Shop, customer_id: str, email: str, kind: str) -> str:
    """Ask on the page, and give the path that stands in the mail."""
    assert 200 == send(my_data(customer_id), f"kind={kind}").status
    (said,) = asked(shop, customer_id)
    assert ("data-request", {"kind": kind}) == (said["template"], said["data"])
    sends: Sends = bootstrap.sends()
    message = sends.find(said["run_id"], said["shard"], customer_id)
    assert message is not None
    digest = bootstrap.consents().digest(Channel.EMAIL, email)
    links = links_of_mail(message, digest=digest, kind=kind, language="en", ring=RING, public_url=HOST)
    return links["data_request"].removeprefix(HOST)


def jobs_of(shop: Shop) -> list[tuple[str, str]]:
    listed = shop.call("GET", "/v1/jobs", key=shop.cloud.key(KeyKind.STAFF)).json["data"]
    return [(job["job_id"], job["kind"]) for job in listed]


def test_a_copy_is_asked_for_confirmed_made_once_and_fetched(sending: Shop) -> None:
    customer_id, email = a_person(sending)
    before = jobs_of(sending)
    path = mailed(sending, customer_id, email, "export")
    assert (200, before) == (send(path, method="GET").status, jobs_of(sending))
    answers = [send(path, "do=confirm") for _ in range(2)]
    assert [200, 200] == [answer.status for answer in answers]
    assert answers[0].text == answers[1].text == send(path, method="GET").text
    (made,) = [job for job in jobs_of(sending) if job not in before]
    assert "export_customer" == made[1]
    (files,) = re.findall(rf'href="{HOST}(/public/data/[^"]+)"', html.unescape(answers[0].text))
    assert "still being prepared" in send(files, method="GET").text
    sending.cloud.work()
    there = re.findall(r'<a href="(https://[^"]+)"><bdi>([^<]+)', html.unescape(send(files, method="GET").text))
    assert ["csv", "json"] == sorted({name.rpartition(".")[2] for _, name in there})
    assert email not in send(files, method="GET").text


def test_an_erasure_is_in_force_before_it_is_answered_and_its_links_lead_nowhere_then(sending: Shop) -> None:
    customer_id, email = a_person(sending)
    path = mailed(sending, customer_id, email, "erasure")
    assert 200 == sending.call("GET", f"/v1/customers/{customer_id}").status
    done = send(path, "do=confirm")
    assert (200, "It is done") == (done.status, "It is done" if "It is done" in done.text else done.text)
    assert 410 == sending.call("GET", f"/v1/customers/{customer_id}").status
    assert done == send(path, "do=confirm")
    nowhere = send("/public/data-requests/nothing", method="GET")
    assert [nowhere] * 2 == [send(path, method="GET"), send(my_data(customer_id), method="GET")]


def test_whoever_has_the_link_brings_about_three_mails_a_day_and_is_told_nothing(sending: Shop) -> None:
    customer_id, email = a_person(sending)
    answers = [send(my_data(customer_id), "kind=export") for _ in range(5)]
    assert ({200}, 1, 3) == (
        {answer.status for answer in answers},
        len({answer.text for answer in answers}),
        len(asked(sending, customer_id)),
    )
    assert [] == [secret for secret in (email, customer_id) if secret in answers[0].text]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_visit_changes_nothing(sending: Shop, method: str) -> None:
    customer_id, email = a_person(sending)
    path = mailed(sending, customer_id, email, "erasure")
    before = sending.cloud.items()
    assert {200, 204} >= {send(each, method=method).status for each in (path, my_data(customer_id))}
    assert before == sending.cloud.items()


def test_a_form_from_elsewhere_and_one_that_asks_for_nothing_we_have_are_refused(sending: Shop) -> None:
    customer_id, email = a_person(sending)
    path = mailed(sending, customer_id, email, "erasure")
    before = sending.cloud.items()
    elsewhere = FORM | {"sec-fetch-site": "cross-site"}
    answers = [
        send(path, "do=confirm", headers=elsewhere),
        send(my_data(customer_id), "kind=erasure", headers=elsewhere),
        send(my_data(customer_id), "kind=everything"),
        send(my_data(customer_id)),
    ]
    assert [403, 403, 422, 422] == [answer.status for answer in answers]
    assert before == sending.cloud.items()


def test_a_link_that_went_to_an_address_that_is_not_theirs_any_more_confirms_nothing(sending: Shop) -> None:
    customer_id, email = a_person(sending)
    path = mailed(sending, customer_id, email, "erasure")
    changed = {"email": f"d-{next(_emails)}@example.com"}
    assert 200 == sending.call("PATCH", f"/v1/customers/{customer_id}", changed).status
    assert [404, 404] == [send(path, "do=confirm", method=method).status for method in ("GET", "POST")]
    assert 200 == sending.call("GET", f"/v1/customers/{customer_id}").status


def test_the_files_of_a_copy_are_not_there_for_an_address_that_is_not_theirs_any_more(sending: Shop) -> None:
    customer_id, email = a_person(sending)
    path = mailed(sending, customer_id, email, "export")
    (files,) = re.findall(rf'href="{HOST}(/public/data/[^"]+)"', html.unescape(send(path, "do=confirm").text))
    assert 200 == send(files, method="GET").status
    changed = {"email": f"d-{next(_emails)}@example.com"}
    assert 200 == sending.call("PATCH", f"/v1/customers/{customer_id}", changed).status
    nowhere = send("/public/data/nothing", method="GET")
    assert [nowhere] * 3 == [send(files, method="GET"), send(path, method="GET"), send(path, "do=confirm")]
