"""Woken by requests under /v1/topics and /v1/suppressions; leaves behind what people may consent to, and whom nothing is sent."""

from functools import partial

from ecrm import bootstrap as wired
from ecrm.application.topics import read_topic as read_definition
from ecrm.contracts import suppressions as addresses
from ecrm.contracts import topics as wire
from ecrm.domain.api_keys import Scope
from ecrm.entry import suppressions as addresses_door
from ecrm.entry import topics as door
from ecrm.entry.http import Call, Reply

handler = wired.http_api()
suppression = partial(handler.route, "POST", answer=addresses.SuppressionBody)


@handler.route("GET", "/v1/topics", scope=Scope.TOPICS_READ, answer=wire.TopicsPage)
def list_topics(_call: Call) -> Reply:
    """List the topics that a person may consent to."""
    return Reply(200, wire.TopicsPage(data=[wire.TopicBody.of(topic) for topic in wired.topics().all()], next_cursor=None))


@handler.route("PUT", "/v1/topics/{topic}", scope=Scope.TOPICS_WRITE, body=wire.PutTopicBody, answer=wire.TopicBody)
def put_topic(call: Call) -> Reply:
    """Create or replace a topic. With If-Match, only the version named; with If-None-Match: *, only a new one."""
    return door.put(call, topics=wired.topics())


@handler.route("GET", "/v1/topics/{topic}", scope=Scope.TOPICS_READ, answer=wire.TopicBody)
def read_topic(call: Call) -> Reply:
    """Read a topic; its ETag is what If-Match wants."""
    return door.topic(200, read_definition(call.path["topic"], topics=wired.topics()))


SUPPRESS, LIFT = addresses.SuppressAddressBody, addresses.LiftSuppressionBody


@suppression("/v1/suppressions", scope=Scope.SUPPRESSIONS_WRITE, body=SUPPRESS, creates="AddressesSuppressed")
def suppress_address(call: Call) -> Reply:
    """Let nothing be sent to an address, whoever holds it. It is in force before the answer, and stronger than any consent."""
    return addresses_door.suppress(call, wired.suppress_address)


@suppression("/v1/suppressions/lookup", scope=Scope.SUPPRESSIONS_READ, body=addresses.LookUpSuppressionBody)
def look_up_suppression(call: Call) -> Reply:
    """Say whether an address is suppressed, and why. Suppressions are asked for by address; they are never listed."""
    return addresses_door.looked_up(call, suppressions=wired.suppressions())


@suppression("/v1/suppressions/lift", scope=Scope.SUPPRESSIONS_WRITE, body=LIFT, creates="SuppressionsLifted")
def lift_suppression(call: Call) -> Reply:
    """End a suppression by a proof of the person's own wish that is later than all that the address is suppressed for."""
    return addresses_door.lift(call, wired.lift_suppression)
