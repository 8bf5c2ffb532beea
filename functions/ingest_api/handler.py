"""Woken by Segment's libraries; leaves behind behaviour, who somebody is and, where a backend says so, orders."""

from functools import partial

from ecrm import bootstrap as wired
from ecrm.contracts import behaviour as wire
from ecrm.domain.api_keys import Scope
from ecrm.entry import behaviour as door
from ecrm.entry.http import Call, Reply

handler = door.with_settings(wired.http_api(), wired.api_keys, wired.public_url)
calls = partial(handler.route, "POST", scope=Scope.EVENTS_WRITE, answer=wire.TakenBody, tracks=True)
call_of = partial(calls, largest=wire.LARGEST_CALL)
take = partial(door.single, take=wired.take, new_id=wired.ids.event_id)


@call_of("/v1/identify", alias="/v1/i", body=wire.IdentifyBody)
def identify(call: Call) -> Reply:
    """Say who somebody is, and what is known of them."""
    return take(call)


@call_of("/v1/track", alias="/v1/t", body=wire.TrackBody)
def track(call: Call) -> Reply:
    """Say what somebody did. What a server key says of an order, from Order Completed on, are the order's facts."""
    return take(call)


@call_of("/v1/page", alias="/v1/p", body=wire.PageBody)
def page(call: Call) -> Reply:
    """Say which page somebody looked at."""
    return take(call)


@call_of("/v1/screen", alias="/v1/s", body=wire.ScreenBody)
def screen(call: Call) -> Reply:
    """Say which screen of an app somebody looked at."""
    return take(call)


@call_of("/v1/group", alias="/v1/g", body=wire.GroupBody)
def group(call: Call) -> Reply:
    """Say which group, such as an account, somebody belongs to."""
    return take(call)


@call_of("/v1/alias", alias="/v1/a", body=wire.AliasBody)
def alias(call: Call) -> Reply:
    """Say that an anonymous id is a known person's."""
    return take(call)


@calls("/v1/batch", alias="/v1/b", body=wire.BatchOfCallsBody, largest=wire.LARGEST_BATCH)
def batch(call: Call) -> Reply:
    """Send up to 500 calls; each is judged by itself, and those refused are named."""
    return door.batch(call, wired.take, wired.ids.event_id)
