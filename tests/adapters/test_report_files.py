"""Reports in their bucket: written whole before they are there, read as they were written, listed by night."""

import json
from datetime import date, timedelta

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError

from ecrm.domain.errors import Unavailable
from ecrm.domain.links import Language
from ecrm.files.reports import S3Reports
from tests.builders import NOON, a_report
from tests.cloud import Cloud
from tests.faults import on, refused_with, tapped
from tests.simulation.shelf import Shelf

PAGES = {language: f"<p>{language}: سلام 你好</p>" for language in Language}


@pytest.fixture
def reports(cloud: Cloud) -> S3Reports:
    return S3Reports(cloud.s3, "nights")


def test_a_report_and_its_pages_are_read_as_they_were_written_however_often(reports: S3Reports) -> None:
    told = a_report()
    for _ in range(2):
        reports.write(told, PAGES)
        assert PAGES == {language: reports.page(told.night, language) for language in Language}
        said = reports.read(told.night)
        assert said is not None
        assert ("2026-11-20", 7) == tuple(json.loads(said)[name] for name in ("night", "generation"))


def test_what_is_not_there_is_none(reports: S3Reports) -> None:
    assert (None, None, ()) == (
        reports.read(date(2026, 1, 1)),
        reports.page(date(2026, 1, 1), Language.PERSIAN),
        reports.newest(after=None, limit=5).items,
    )


def test_a_report_is_there_when_it_is_whole() -> None:
    """Whoever dies between its pages leaves none that is listed."""
    shelf = Shelf()
    S3Reports(shelf, "nights").write(a_report(), PAGES)  # type: ignore[arg-type]  # what reports need of the client
    assert ["reports/pages/2026-11-20.en.html", "reports/pages/2026-11-20.fa.html", "reports/pages/2026-11-20.zh.html"] == list(
        shelf.objects
    )[:-1]
    assert "reports/2026-11-20.json" == list(shelf.objects)[-1]


def test_nights_are_listed_the_last_one_first_also_beyond_one_answer_of_the_bucket(cloud: Cloud, reports: S3Reports) -> None:
    nights = [(NOON - timedelta(days=ago)).date() for ago in range(1_005)]
    for night in nights:
        cloud.s3.put_object(Bucket="nights", Key=f"reports/{night}.json", Body=b"{}")
        if night == nights[3]:
            cloud.s3.put_object(Bucket="nights", Key=f"reports/pages/{night}.en.html", Body=b"")
    cloud.s3.put_object(Bucket="nights", Key="nights/2026-11-20/1/plan.json.gz", Body=b"")
    found, after, pages = list[date](), None, 0
    while pages == 0 or after:
        page = reports.newest(after=after, limit=400)
        found += page.items
        after, pages = page.last, pages + 1
    assert (nights, 3) == (found, pages)


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "ListObjectsV2"])
def test_a_bucket_that_is_away_is_unavailable_and_one_that_refuses_says_so(reports: S3Reports, operation: str) -> None:
    def use() -> None:
        if operation == "PutObject":
            reports.write(a_report(), {})
        elif operation == "GetObject":
            reports.read(NOON.date())
        else:
            reports.newest(after=None, limit=1)

    for fault in (refused_with("SlowDown", status=503), refused_with("InternalError", status=500)):
        with tapped(on(operation, fault)), pytest.raises(Unavailable):
            use()
    with tapped(on(operation, refused_with("AccessDenied", status=403))), pytest.raises(ClientError):
        use()


def test_a_bucket_that_does_not_answer_is_unavailable() -> None:
    class Silent:
        def get_object(self, **_: object) -> None:
            raise ConnectTimeoutError(endpoint_url="s3")

    with pytest.raises(Unavailable):
        S3Reports(Silent(), "nights").read(NOON.date())  # type: ignore[arg-type]  # the same
