"""The way out of every marketing mail (C5): one-click headers that two parsers read alike, and none in what is owed."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from email.parser import Parser
from email.policy import SMTP
from functools import cache
from itertools import cycle, islice, product
from typing import Any
from zoneinfo import ZoneInfo

import fast_mail_parser
import pytest

from ecrm.application.mail_ports import Composed
from ecrm.application.mails import Composer
from ecrm.application.particulars import Told
from ecrm.domain.contact_policy import FREQUENCY_CAP, QUIET_HOURS, ContactPolicy
from ecrm.domain.customers import Customer
from ecrm.domain.links import Keyring, Purpose, unseal_person
from ecrm.domain.messages import Policy, Send, send_id
from ecrm.domain.sites import Site
from ecrm.domain.templates import READY_MADE, Template
from ecrm.domain.templates import Purpose as TemplatePurpose
from ecrm.messaging import headers
from ecrm.messaging.mails import Mails
from ecrm.messaging.ready_made import ready_made
from tests.builders import NOON, a_planned_send, a_stored_site
from tests.simulation.company import Company, Stopped, person
from tests.simulation.table import MemoryTable

MAILS = 1_000
LONGEST_LINE = 998
"""RFC 5322, 2.1.1: without its end."""
RING = Keyring("k1", {"k1": b"for tests only"})
EARLIER = NOON - timedelta(hours=1)
NAMES = ("Sara", "سارا", "x\r\nBcc: eve@example.com", "=?utf-8?q?=0D=0ABcc:_e?=", '<>,;:"', "李" * 200, "")
BRANDS = ("Blue Note", "نوت آبی\r\nX-Evil: 1", "蓝调唱片行", '"><script>')
TOPICS = ("news", "a" * 40, "offers-2026.q4")
SITES = ("de", "s" * 40)


class Links:
    def ring(self) -> Keyring:
        return RING


class Sites:
    """As many as there are brands for each name."""

    def __init__(self, brand: str) -> None:
        self._brand = brand

    def find(self, site: str) -> Site:
        return replace(a_stored_site(site, sender="shop@example.com", postal_address="1 Example Street"), brand=self._brand)


class Templates:
    """Nobody has written any."""

    def find(self, _name: str) -> None:
        return None

    def version(self, _name: str, _version: int) -> None:
        return None


class Nothing:
    def of(self, *_said: object, cart_at: object) -> Told:  # noqa: ARG002 (Composer's word)
        return Told()


made = cache(ready_made)


@cache
def audience() -> tuple[Company, tuple[Customer, ...]]:
    """Somebody of every name and language."""
    company = Company(MemoryTable())
    for number, (name, language) in enumerate(product(NAMES, ("en", "fa", "zh"))):
        company.put(person(email=f"p{number}@example.com"), {"first_name": name, "language": language}, EARLIER, EARLIER)
    customers = (company.customers.find(f"c{number}") for number in range(1, len(NAMES) * 3 + 1))
    return company, tuple(customer for customer in customers if customer is not None)


def composer(brand: str, company: Company) -> Composer:
    fakes: Mapping[str, Any] = {
        "sites": Sites(brand),
        "templates": Templates(),
        "particulars": Nothing(),
        "link_keys": Links(),
    }
    return Composer(
        timeline=company.timeline,
        profiles=company.profiles,
        orders=company.orders,
        consents=company.consents,
        ready_made=made,
        renderer=Mails(),
        find_run=lambda _run_id: None,
        clock=Stopped(NOON),
        public_url="https://api.example.com",
        **fakes,
    )


def templates(purpose: TemplatePurpose) -> list[Template]:
    return [template for name, template in made().items() if READY_MADE.get(name) is purpose]


def composed(policy: Policy, purpose: TemplatePurpose) -> list[tuple[Send, Composed]]:
    """MAILS of them: every template to everybody, of every brand, about every topic, as long as there are any."""
    company, customers = audience()
    composers = cycle([composer(brand, company) for brand in BRANDS])
    every = cycle(product(templates(purpose), customers, TOPICS, SITES))
    mails = []
    for number, (template, customer, topic, site) in enumerate(islice(every, MAILS)):
        send = replace(
            a_planned_send(f"{number:032x}", customer.customer_id, policy=policy, site=site, template=template.template),
            topic=topic if policy is Policy.MARKETING else None,
            requested_at=None,
        )
        mails.append((send, next(composers).compose(send, customer, is_fresh=True)))
    return mails


def written(mail: Composed) -> str:
    """A message as SES builds it: each field on a line of its own."""
    fields = {
        "From": headers.mailbox(mail.mail.from_name, mail.mail.from_address),
        "To": headers.addr_spec(mail.mail.to),
        **{name: headers.value(value) for name, value in mail.mail.headers.items()},
    }
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\nHello\r\n"


def read(message: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What the standard library and a parser that shares nothing with it make of its fields."""
    one = Parser(policy=SMTP).parsestr(message)
    assert all(not value.defects for value in one.values())
    other = fast_mail_parser.parse_email(message)
    return {name: [str(value) for value in one.get_all(name, [])] for name in one}, dict(other.headers)


def test_every_marketing_mail_says_how_to_unsubscribe_in_one_click() -> None:
    mails = composed(Policy.MARKETING, TemplatePurpose.MARKETING)
    for send, mail in mails:
        message = written(mail)
        standard, independent = read(message)
        (url,) = (value.removeprefix("<").removesuffix(">") for value in standard["List-Unsubscribe"])
        expected = {"List-Unsubscribe": [f"<{url}>"], "List-Unsubscribe-Post": ["List-Unsubscribe=One-Click"]}
        for parsed in (standard, independent):
            assert expected == {name: values for name, values in parsed.items() if name.startswith("List-")}
            assert {"From", "To", *expected} == parsed.keys()
        assert max(map(len, message.split("\r\n"))) <= LONGEST_LINE
        assert len(f"<{url}>") <= headers.LONGEST_VALUE
        path, _, token = url.rpartition("/")
        link = unseal_person(token, Purpose.UNSUBSCRIBE, RING, NOON)
        assert ("https://api.example.com/public/u", send.site, send.customer_id, (send.topic, str(send.shard))) == (
            path,
            link.site,
            link.customer_id,
            link.about,
        )
        assert url in mail.mail.untracked
        assert url in mail.mail.html
        assert url in mail.mail.text
    assert (MAILS, MAILS) == (len(mails), len({send_id(send.run_id, send.customer_id) for send, _ in mails}))


def test_no_mail_that_is_owed_speaks_of_unsubscribing() -> None:
    company, customers = audience()
    names = [name for name, purpose in READY_MADE.items() if purpose is TemplatePurpose.TRANSACTIONAL]
    for name, customer in product(names, customers):
        send = replace(a_planned_send("m1", customer.customer_id, template=name), requested_at=None)
        mail = composer("Blue Note", company).compose(send, customer, is_fresh=True)
        for parsed in read(written(mail)):
            assert {"From", "To", "Auto-Submitted", "X-Auto-Response-Suppress"} == parsed.keys()
        assert "/public/u/" not in mail.mail.html


@pytest.mark.parametrize(
    ("said", "expected"),
    [({"time_zone": "Asia/Tehran"}, "Asia/Tehran"), ({"time_zone": "Mars/Olympus"}, "Europe/Berlin"), ({}, "Europe/Berlin")],
    ids=["their own", "one that there is not", "one that is only claimed"],
)
def test_a_contact_policy_goes_by_the_customer_s_time_zone_and_else_by_the_site_s(said: dict[str, str], expected: str) -> None:
    company = Company(MemoryTable())
    company.put(person(email="sara@example.com"), said, EARLIER, EARLIER)
    company.claim("c1", {"time_zone": "Pacific/Auckland"} if not said else {}, EARLIER, EARLIER)
    customer = company.customers.find("c1")
    assert customer is not None
    send = replace(a_planned_send("m1", "c1", policy=Policy.MARKETING, template="welcome"), topic="news", requested_at=None)
    composed = composer("Blue Note", company).compose(send, customer, is_fresh=True)
    assert (ContactPolicy(zone=ZoneInfo(expected), quiet_hours=QUIET_HOURS, cap=FREQUENCY_CAP), 0) == (
        composed.policy,
        composed.template_version,
    )
