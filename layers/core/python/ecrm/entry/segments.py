"""Segments and nights at the door."""

import re
import time
from collections.abc import Callable
from datetime import date
from typing import Protocol

from ecrm.application.segment_ports import Nights, Segments
from ecrm.application.segments import (
    ComingCampaigns,
    Explained,
    MemberPosition,
    Members,
    Preview,
    ReadyMade,
    list_segments,
    put_segment,
    read_segment,
    read_segment_version,
)
from ecrm.application.segments import read_night as night_of
from ecrm.application.traits import Traits
from ecrm.contracts.fields import PageQuery
from ecrm.contracts.members import (
    CustomersSegmentsBody,
    MemberBody,
    MembersPage,
    PreviewSegmentBody,
    SegmentDetailsBody,
    SegmentHeadBody,
    SegmentPreviewBody,
    SegmentsPage,
)
from ecrm.contracts.nights import NightBody, NightHeadBody, NightsPage
from ecrm.contracts.segments import PutSegmentBody, SegmentBody
from ecrm.domain.api_keys import Scope
from ecrm.domain.errors import NotFound
from ecrm.domain.instants import day_named
from ecrm.domain.segments import Rule

from .cursors import seal, unseal
from .definitions import expected_version
from .http import Call, HttpApi, Reply


class ListMembers(Protocol):
    def __call__(self, name: str, *, after: str | None, limit: int) -> Members: ...


PREVIEW_SECONDS = 8
"""After which a preview goes by what it has read; of the 29 seconds that API Gateway waits, the rest is for one shard more."""


def listed(_call: Call, *, segments: Segments, nights: Nights, ready_made: ReadyMade) -> Reply:
    found = list_segments(segments=segments, nights=nights, ready_made=ready_made)
    return Reply(200, SegmentsPage(data=[SegmentHeadBody.of(view) for view in found], next_cursor=None))


def shown(call: Call, *, segments: Segments, nights: Nights, ready_made: ReadyMade) -> Reply:
    found = read_segment(call.path["segment"], segments=segments, nights=nights, ready_made=ready_made)
    return Reply(200, SegmentDetailsBody.of_details(found), {"etag": f'"{found.view.segment.version}"'})


def version_shown(call: Call, *, segments: Segments, ready_made: ReadyMade) -> Reply:
    if not re.fullmatch(r"0|[1-9]\d{0,5}", call.path["version"], re.ASCII):
        raise NotFound("no such version of a segment", code="segment_not_found")
    found = read_segment_version(call.path["segment"], int(call.path["version"]), segments=segments, ready_made=ready_made)
    return Reply(200, SegmentBody.of(found), {"etag": f'"{found.version}"'})


def put(call: Call, *, segments: Segments, traits: Traits, coming: ComingCampaigns) -> Reply:
    body: PutSegmentBody = call.body
    stored, is_new = put_segment(
        body.to_segment(call.path["segment"], call.now),
        expected_version=expected_version(call),
        segments=segments,
        traits=traits,
        coming=coming,
    )
    return Reply(201 if is_new else 200, SegmentBody.of(stored), {"etag": f'"{stored.version}"'})


def previewed(call: Call, use: Callable[[Rule, date | None, Callable[[], bool]], Preview]) -> Reply:
    body: PreviewSegmentBody = call.body
    until = time.monotonic() + PREVIEW_SECONDS
    return Reply(200, SegmentPreviewBody.of(use(body.to_rule(), body.as_of, lambda: time.monotonic() > until)))


def with_members(api: HttpApi, use: ListMembers) -> HttpApi:
    """Declare the list of who is in a segment."""

    @api.route("GET", "/v1/segments/{segment}/members", scope=Scope.SEGMENTS_READ, query=PageQuery, answer=MembersPage)
    def list_members(call: Call) -> Reply:
        """List a segment's customers as the last night found them. Who goes on with a list stays with its night, for a day."""
        name = call.path["segment"]
        found = use(name, after=unseal(call.query.cursor, MemberPosition.is_one, "members", name), limit=call.query.limit)
        data = [MemberBody(customer_id=customer_id) for customer_id in found.customer_ids]
        return Reply(200, MembersPage(data=data, next_cursor=seal(found.last, "members", name)))

    return api


def with_explaining(api: HttpApi, use: Callable[[str], Explained]) -> HttpApi:
    """Declare what tells why a customer is in a segment."""

    @api.route("GET", "/v1/customers/{customer_id}/segments", scope=Scope.CUSTOMERS_READ, answer=CustomersSegmentsBody)
    def read_customers_segments(call: Call) -> Reply:
        """Judge a customer by every segment, now, from all facts, and say why; scores are by the last night's thresholds."""
        return Reply(200, CustomersSegmentsBody.of(use(call.path["customer_id"])))

    return api


def with_nights(api: HttpApi, nights: Callable[[], Nights]) -> HttpApi:
    """Declare the reading of nights."""

    @api.route("GET", "/v1/nights", scope=Scope.SEGMENTS_READ, query=PageQuery, answer=NightsPage)
    def list_nights(call: Call) -> Reply:
        """List nights, the last one first."""
        after = unseal(call.query.cursor, lambda text: day_named(text) is not None, "nights")
        page = nights().newest(after=after, limit=call.query.limit)
        data = [NightHeadBody.of(night) for night in page.items]
        return Reply(200, NightsPage(data=data, next_cursor=seal(page.last, "nights")))

    @api.route("GET", "/v1/nights/{night}", scope=Scope.SEGMENTS_READ, answer=NightBody)
    def read_night(call: Call) -> Reply:
        """Read what a night counted: sizes of segments, stages of the life cycle and the moves between them, its thresholds."""
        night = day_named(call.path["night"])
        if night is None:
            raise NotFound("there was no such night", code="night_not_found")
        return Reply(200, NightBody.of_night(night_of(night, nights=nights())))

    return api
