from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ecrm.domain.api_keys import ALLOWED, ApiKey, KeyKind, Scope
from ecrm.domain.errors import Forbidden
from tests.builders import NOON

SECOND = timedelta(seconds=1)
KEY = ApiKey(
    key_id="k1",
    kind=KeyKind.SERVER,
    site="de",
    sites=frozenset({"at"}),
    scopes=ALLOWED[KeyKind.SERVER],
    name="shop",
    created_at=NOON,
)


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "valid"),
    [
        (None, None, True),
        (NOON + SECOND, None, True),
        (NOON, None, False),
        (NOON - SECOND, None, False),
        (None, NOON - SECOND, False),
        (None, NOON + SECOND, False),
        (NOON + SECOND, NOON, False),
    ],
)
def test_a_key_is_valid_until_it_expires_or_is_revoked(
    expires_at: datetime | None,
    revoked_at: datetime | None,
    valid: bool,  # noqa: FBT001
) -> None:
    assert valid is replace(KEY, expires_at=expires_at, revoked_at=revoked_at).is_valid(NOON)


@pytest.mark.parametrize(("asked", "site"), [(None, "de"), ("de", "de"), ("at", "at")])
def test_a_key_reaches_its_own_site_and_those_it_names(asked: str | None, site: str) -> None:
    assert site == KEY.site_for(asked)


@pytest.mark.parametrize("asked", ["fr", "", "*", "DE"])
def test_a_key_reaches_no_other_site(asked: str) -> None:
    with pytest.raises(Forbidden) as refused:
        KEY.site_for(asked)
    assert "site_forbidden" == refused.value.code


@pytest.mark.parametrize(("asked", "site"), [(None, "de"), ("fr", "fr")])
def test_a_key_for_all_sites_reaches_any(asked: str | None, site: str) -> None:
    assert site == replace(KEY, sites=frozenset({"*"})).site_for(asked)


def test_each_kind_of_key_may_do_its_own() -> None:
    """A write key may be public: it only tells what happened. What speaks in the company's name is for staff."""
    both = {
        Scope.ORDERS_READ,
        Scope.CUSTOMERS_READ,
        Scope.CUSTOMERS_WRITE,
        Scope.SUPPRESSIONS_READ,
        Scope.SUPPRESSIONS_WRITE,
        Scope.PRIVACY_WRITE,
        Scope.CATALOG_READ,
        Scope.CATALOG_WRITE,
        Scope.TOPICS_READ,
        Scope.SITES_READ,
        Scope.JOBS_READ,
        Scope.TEMPLATES_READ,
        Scope.MESSAGES_READ,
        Scope.MESSAGES_WRITE,
        Scope.IMPORTS_READ,
        Scope.IMPORTS_WRITE,
        Scope.SEGMENTS_READ,
    }
    assert {
        KeyKind.WRITE: {Scope.EVENTS_WRITE},
        KeyKind.SERVER: both | {Scope.EVENTS_WRITE, Scope.ORDERS_WRITE},
        KeyKind.STAFF: both
        | {
            Scope.TOPICS_WRITE,
            Scope.SITES_WRITE,
            Scope.EXPORTS_WRITE,
            Scope.TEMPLATES_WRITE,
            Scope.SENDING_READ,
            Scope.SENDING_WRITE,
            Scope.SEGMENTS_WRITE,
            Scope.REPORTS_READ,
            Scope.CAMPAIGNS_READ,
            Scope.CAMPAIGNS_WRITE,
        },
    } == ALLOWED
