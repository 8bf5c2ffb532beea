"""Tokens of links: what is changed in them, by whomever, opens nothing."""

import random
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from ecrm.domain.errors import NotFound
from ecrm.domain.links import (
    CampaignReportLink,
    Keyring,
    Language,
    Link,
    PersonLink,
    Purpose,
    ReportLink,
    key_id_of,
    person_url,
    seal,
    seal_campaign_report,
    seal_person,
    seal_report,
    unseal,
    unseal_campaign_report,
    unseal_person,
    unseal_report,
)

RING = Keyring("2", {"1": b"the first secret, long enough", "2": b"the second secret, long enough"})
LINK = Link(Purpose.ORDER_STATUS, "de", "A-1001", Language.PERSIAN)
MUTATIONS = 10_000
REFUSALS: set[tuple[str, str]] = set()
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def opens(token: str, purpose: str = Purpose.ORDER_STATUS, ring: Keyring = RING) -> Link | None:
    try:
        return unseal(token, purpose, ring)
    except NotFound as refused:
        REFUSALS.add((refused.code, refused.detail))
        return None


@pytest.mark.parametrize("language", [None, *Language])
@pytest.mark.parametrize("order_id", ["A-1001", "#7", "x" * 100, "a~b=c+d@e"])
def test_a_link_says_what_was_sealed_into_it(order_id: str, language: Language | None) -> None:
    link = Link(Purpose.ORDER_STATUS, "a-site", order_id, language)
    assert link == opens(seal(link, RING))


def mutated(token: str, chance: random.Random) -> str:
    """A bit flipped in the bytes, or characters exchanged, left out, added, doubled or padded."""
    raw = bytearray(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    at = chance.randrange(len(token))
    match chance.randrange(7):
        case 0 | 1:
            raw[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
            return urlsafe_b64encode(raw).decode().rstrip("=")
        case 2:
            return token[:at]
        case 3:
            return token[:at] + chance.choice(ALPHABET) + token[at + 1 :]
        case 4:
            return token[:at] + chance.choice(ALPHABET + "=%.+/ \n\0é٣") + token[at:]
        case 5:
            return token[:at] + token[at + 1 :]
        case _:
            return token + chance.choice(["=", "==", "A", "\n", " ", token])


def test_of_ten_thousand_changed_tokens_none_is_accepted() -> None:
    chance = random.Random(20261121)
    tokens = [seal(replace(LINK, order_id=f"A-{number}"), RING) for number in range(50)]
    tried = [
        (token, changed) for token in chance.choices(tokens, k=MUTATIONS * 2) if (changed := mutated(token, chance)) != token
    ]
    assert MUTATIONS <= len(tried)
    assert [] == [changed for _, changed in tried if opens(changed) is not None]
    assert {("link_not_found", "there is nothing behind this link")} == REFUSALS


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def opens_report(token: str, now: datetime = NOW) -> ReportLink | None:
    try:
        return unseal_report(token, RING, now)
    except NotFound as refused:
        REFUSALS.add((refused.code, refused.detail))
        return None


def test_of_ten_thousand_changed_tokens_of_reports_none_is_accepted() -> None:
    chance, ends = random.Random(20261122), NOW + timedelta(seconds=1)
    links = [ReportLink(date(2026, 11, day), ends, language) for day in range(1, 21) for language in (None, *Language)]
    tokens = {seal_report(link, RING): link for link in links}
    assert links == [opens_report(token) for token in tokens]
    tried = [
        changed for token in chance.choices(list(tokens), k=MUTATIONS * 2) if (changed := mutated(token, chance)) not in tokens
    ]
    assert MUTATIONS <= len(tried)
    assert [] == [changed for changed in tried if opens_report(changed) is not None]
    assert {("link_not_found", "there is nothing behind this link")} == REFUSALS


def test_a_link_to_a_report_ends_and_opens_no_order_nor_an_orders_link_a_report() -> None:
    token = seal_report(ReportLink(NOW.date(), NOW), RING)
    assert (True, None) == (opens_report(token, NOW - timedelta(seconds=1)) is not None, opens_report(token))
    assert (None, None) == (opens(token), opens_report(seal(LINK, RING)))


def opens_campaign_report(token: str, now: datetime = NOW) -> CampaignReportLink | None:
    try:
        return unseal_campaign_report(token, RING, now)
    except NotFound as refused:
        REFUSALS.add((refused.code, refused.detail))
        return None


def test_a_link_to_a_campaigns_report_ends_and_opens_that_of_its_run_alone() -> None:
    link = CampaignReportLink("f" * 32, NOW + timedelta(seconds=1), Language.PERSIAN)
    token = seal_campaign_report(link, RING)
    assert (link, None) == (opens_campaign_report(token), opens_campaign_report(token, link.expires_at))
    nights = seal_report(ReportLink(NOW.date(), link.expires_at), RING)
    assert (None, None, None) == (opens_report(token), opens(token), opens_campaign_report(nights))
    chance = random.Random(20261122)
    changed = {mutated(token, chance) for _ in range(2_000)} - {token}
    assert {None} == set(map(opens_campaign_report, changed))
    assert {("link_not_found", "there is nothing behind this link")} == REFUSALS


def test_a_token_is_written_in_one_way_only() -> None:
    """The last character of base64 may carry bits that mean nothing; with other ones there, it is another token."""
    for length in range(1, 9):
        link = replace(LINK, order_id="x" * length)
        token = seal(link, RING)
        others = [token[:-1] + last for last in ALPHABET if last != token[-1]]
        assert [None] * 63 == [opens(other) for other in others]


def test_a_link_for_one_purpose_is_good_for_no_other() -> None:
    assert opens(seal(replace(LINK, purpose="unsubscribe"), RING)) is None
    assert opens(seal(LINK, RING), "unsubscribe") is None


def test_a_link_goes_on_working_after_a_new_key_is_current() -> None:
    token = seal(LINK, replace(RING, current="1"))
    assert ("1", LINK) == (key_id_of(token), opens(token))
    assert seal(LINK, RING) != token


@pytest.mark.parametrize("key_id", ["1", "3", "", "current"])
def test_a_seal_of_one_key_is_not_that_of_another(key_id: str) -> None:
    raw = urlsafe_b64decode(seal(LINK, RING) + "==="[: -len(seal(LINK, RING)) % 4])
    renamed = raw[:16] + raw[16:].replace(b"1\x002\0", b"1\0" + key_id.encode() + b"\0", 1)
    assert opens(urlsafe_b64encode(renamed).decode().rstrip("=")) is None


def test_a_link_of_a_ring_with_the_same_key_ids_is_somebody_elses() -> None:
    assert opens(seal(LINK, Keyring("2", {"2": b"another secret"}))) is None


@pytest.mark.parametrize("token", ["", "A", "====", "A" * 401, "é", "\0", "%2e%2e", "A" * 40])
def test_nonsense_opens_nothing(token: str) -> None:
    assert opens(token) is None


def test_a_link_fits_into_a_message() -> None:
    assert len(seal(LINK, RING)) <= 60
    assert len(seal(Link(Purpose.ORDER_STATUS, "s" * 40, "x" * 100, Language.CHINESE), RING)) <= 240


PERSON = PersonLink(
    purpose=Purpose.CONFIRM,
    site="de",
    customer_id="019a1f3c5d2e7b8a9c0d1e2f3a4b5c6d",
    about=("news", "offers"),
    sent_to="0123456789abcdef",
    reference="019aa2c7d1e07a3e9b1f5a9b2d4e6f81",
    expires_at=NOW + timedelta(hours=72),
    language=Language.PERSIAN,
)
OWN = [purpose for purpose in Purpose if purpose not in (Purpose.ORDER_STATUS, Purpose.REPORT)]


def opens_person(token: str, purpose: Purpose = Purpose.CONFIRM, ring: Keyring = RING, now: datetime = NOW) -> PersonLink | None:
    try:
        return unseal_person(token, purpose, ring, now)
    except NotFound as refused:
        REFUSALS.add((refused.code, refused.detail))
        return None


@pytest.mark.parametrize("purpose", OWN)
def test_a_link_to_a_persons_own_page_says_what_was_sealed_into_it_and_is_good_for_nothing_else(purpose: Purpose) -> None:
    full = replace(PERSON, purpose=purpose)
    bare = PersonLink(purpose=purpose, site="de", customer_id="c")
    assert [full, bare] == [opens_person(seal_person(link, RING), purpose) for link in (full, bare)]
    others = [other for other in Purpose if other is not purpose]
    assert [None] * 2 * len(others) == [opens_person(seal_person(link, RING), other) for other in others for link in (full, bare)]
    assert (None, None) == (opens(seal_person(full, RING)), opens_report(seal_person(full, RING)))


def test_of_ten_thousand_changed_tokens_of_persons_none_is_accepted() -> None:
    chance = random.Random(20261123)
    tokens = {
        seal_person(replace(PERSON, purpose=purpose, customer_id=f"c-{n}"), RING): purpose for purpose in OWN for n in range(5)
    }
    assert None not in [opens_person(token, purpose) for token, purpose in tokens.items()]
    tried = [
        (changed, tokens[token])
        for token in chance.choices(list(tokens), k=MUTATIONS * 2)
        if (changed := mutated(token, chance)) not in tokens
    ]
    assert MUTATIONS <= len(tried)
    assert [] == [changed for changed, purpose in tried if opens_person(changed, purpose) is not None]
    assert {("link_not_found", "there is nothing behind this link")} == REFUSALS


def test_a_persons_link_ends_when_it_says() -> None:
    token = seal_person(PERSON, RING)
    assert PERSON.expires_at is not None
    before, then = PERSON.expires_at - timedelta(seconds=1), PERSON.expires_at
    assert (True, None) == (opens_person(token, now=before) is not None, opens_person(token, now=then))


def test_a_retired_key_is_good_for_unsubscribing_alone_and_that_for_ever() -> None:
    old, ring = replace(RING, current="1"), replace(RING, retired=frozenset({"1"}))
    links = [replace(PERSON, purpose=purpose, expires_at=None) for purpose in OWN]
    opened = [
        link.purpose for link in links if opens_person(seal_person(link, old), link.purpose, ring, NOW + timedelta(days=9_999))
    ]
    assert [Purpose.UNSUBSCRIBE] == opened
    assert opens(seal(LINK, old), ring=ring) is None


def test_an_address_for_unsubscribing_fits_into_a_header() -> None:
    longest = replace(PERSON, purpose=Purpose.UNSUBSCRIBE, site="s" * 40, about=("t" * 40,), expires_at=None)
    assert len(person_url("https://" + "h" * 200, longest, RING)) <= 600
