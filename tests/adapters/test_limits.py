"""Limits: so many within a window, whoever asks at once, and anew when it is over."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from ecrm.store.limits import DynamoLimits
from ecrm.store.table import Table
from tests.builders import NOON
from tests.cloud import Cloud, one_call_at_a_time

HOUR = 3_600


def limits(cloud: Cloud) -> DynamoLimits:
    return DynamoLimits(Table(cloud.dynamodb, "table", lambda _: None), lambda: b"secret")


def test_so_many_are_allowed_within_a_window_and_anew_when_it_is_over(cloud: Cloud) -> None:
    asked = limits(cloud)
    at = [timedelta(minutes=minutes) for minutes in (0, 10, 59, 59, 60, 70, 119, 119, 120)]
    found = [asked.allow("link", "sara@example.com", 3, HOUR, NOON + each) for each in at]
    assert [True, True, True, False, True, True, True, False, True] == found


def test_kinds_and_subjects_are_counted_apart_and_neither_is_kept_in_the_open(cloud: Cloud) -> None:
    asked = limits(cloud)
    both = [(kind, subject) for kind in ("link", "login") for subject in ("sara@example.com", "omid@example.com")]
    assert [True] * 4 == [asked.allow(kind, subject, 1, HOUR, NOON) for kind, subject in both]
    assert [False] * 4 == [asked.allow(kind, subject, 1, HOUR, NOON) for kind, subject in both]
    items = cloud.items("LIMIT")
    assert 4 == len(items)
    assert "example.com" not in str(items)


def test_a_crowd_gets_no_more_than_is_allowed(cloud: Cloud) -> None:
    asked = limits(cloud)
    with one_call_at_a_time(), ThreadPoolExecutor(16) as crowd:
        answers = list(crowd.map(lambda _: asked.allow("link", "sara@example.com", 3, HOUR, NOON), range(32)))
    assert 1 <= sum(answers) <= 3
