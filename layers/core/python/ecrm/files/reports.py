"""Reports in the bucket of nights, below a folder of their own. One is there when its JSON is, written after its pages."""

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from ecrm.application.ports import Page
from ecrm.domain.errors import Unavailable
from ecrm.domain.links import Language

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from ecrm.analytics.reports import Report

FOLDER = "reports/"
_NOT_FOUND, _SERVER_FAULT = 404, 500
_TIME_HEALS = {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException"}


class S3Reports:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def write(self, report: "Report", pages: Mapping[Language, str]) -> None:
        from ecrm.contracts.reports import ReportBody  # noqa: PLC0415 (all that a report is of, which whoever shows a page does without)

        for language, page in pages.items():
            self._put(_page(report.night, language), page.encode(), "text/html; charset=utf-8")
        self._put(_report(report.night), ReportBody.of(report).model_dump_json().encode(), "application/json")

    def read(self, night: date) -> bytes | None:
        return self._get(_report(night))

    def page(self, night: date, language: Language) -> str | None:
        found = self._get(_page(night, language))
        return None if found is None else found.decode()

    def newest(self, *, after: str | None, limit: int) -> Page[date]:
        """Each list of them reads the names of all, of which there are no more than days for which they are kept."""
        nights = sorted(self._nights(), reverse=True)
        wanted = list(islice((night for night in nights if after is None or night < after), limit + 1))
        found = tuple(map(date.fromisoformat, wanted[:limit]))
        return Page(found, wanted[limit - 1] if len(wanted) > limit else None)

    def _nights(self) -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=FOLDER, Delimiter="/")
        try:
            for page in pages:
                yield from (found["Key"].removeprefix(FOLDER).removesuffix(".json") for found in page.get("Contents", ()))
        except (BotoCoreError, ClientError) as error:
            raise _told(error) from error

    def _put(self, name: str, content: bytes, kind: str) -> None:
        try:
            self._client.put_object(Bucket=self._bucket, Key=name, Body=content, ContentType=kind)
        except (BotoCoreError, ClientError) as error:
            raise _told(error) from error

    def _get(self, name: str) -> bytes | None:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=name)["Body"].read()
        except ClientError as error:
            if _status(error) == _NOT_FOUND:
                return None
            raise _told(error) from error
        except BotoCoreError as error:
            raise _told(error) from error


def _told(error: BotoCoreError | ClientError) -> Exception:
    """Give Unavailable for what time heals; who waits at the door for a report is told of all else at once."""
    if isinstance(error, ClientError) and _status(error) < _SERVER_FAULT and error.response["Error"]["Code"] not in _TIME_HEALS:
        return error
    return Unavailable("the bucket of reports does not answer")


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _report(night: date) -> str:
    return f"{FOLDER}{night.isoformat()}.json"


def _page(night: date, language: Language) -> str:
    return f"{FOLDER}pages/{night.isoformat()}.{language}.html"
