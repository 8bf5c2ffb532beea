"""Woken by any request under /v1/segments and /v1/nights; reads what nights found, and leaves behind versions of segments."""

from functools import partial

from ecrm import bootstrap as wired
from ecrm.application.segments import ReadyMade
from ecrm.contracts import members as found
from ecrm.contracts import segments as wire
from ecrm.domain.api_keys import Scope
from ecrm.entry import jobs
from ecrm.entry import segments as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()
read = partial(handler.route, "GET", scope=Scope.SEGMENTS_READ)
attempt = partial(handler.route, "POST", scope=Scope.SEGMENTS_READ)


@handler.route("PUT", "/v1/segments/{segment}", scope=Scope.SEGMENTS_WRITE, body=wire.PutSegmentBody, answer=wire.SegmentBody)
def put_segment(call: Call) -> Reply:
    """Write a version of a segment; nights count it from the next one on. With If-Match, only upon the version named."""
    return door.put(call, segments=wired.segments(), traits=wired.traits(), coming=wired.coming_campaigns)


@read("/v1/segments", answer=found.SegmentsPage)
def list_segments(call: Call) -> Reply:
    """List the segments with their sizes: your own, and those ready-made ones that you have none of your own for."""
    return door.listed(call, segments=wired.segments(), nights=wired.nights(), ready_made=ready_made(call))


@read("/v1/segments/{segment}", answer=found.SegmentDetailsBody)
def read_segment(call: Call) -> Reply:
    """Read the newest version of a segment, or the ready-made one, its sizes night by night, and which others name it."""
    return door.shown(call, segments=wired.segments(), nights=wired.nights(), ready_made=ready_made(call))


@read("/v1/segments/{segment}/versions/{version}", answer=wire.SegmentBody)
def read_segment_version(call: Call) -> Reply:
    """Read a version of a segment as it was written; 0 is the ready-made one."""
    return door.version_shown(call, segments=wired.segments(), ready_made=ready_made(call))


@attempt("/v1/segments/preview", body=found.PreviewSegmentBody, answer=found.SegmentPreviewBody)
def preview_segment(call: Call) -> Reply:
    """Count who would be in a segment of this rule now, or would have been on a day, and name ten of them; nothing is kept."""
    return door.previewed(call, wired.preview_segment)


def ready_made(call: Call) -> ReadyMade:
    """What is about money in them is about the currency of the key's site."""
    return partial(wired.ready_made_segments, call.site(None))


door.with_members(handler, wired.list_members)
jobs.with_segments_job(handler, wired.request_segment_export)
door.with_nights(handler, wired.nights)
