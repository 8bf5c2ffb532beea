"""Segment's calls at the door: each is judged by itself, and what is kept is the same whether sent alone or in a batch."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from ecrm.application.behaviour import Order, Result, Said
from ecrm.application.identity import Authority
from ecrm.application.ports import Keys
from ecrm.contracts import behaviour as wire
from ecrm.domain.api_keys import ApiKey, KeyKind
from ecrm.domain.errors import EcrmError, Invalid, NotFound, TooLarge

from . import observability
from .http import Call, HttpApi, Reply, shaped


class Take(Protocol):
    def __call__(
        self, calls: Sequence[Said | Order], *, site: str, source: str, authority: Authority, now: datetime
    ) -> Sequence[Result]:
        """Keep calls, and say of each what became of it."""
        ...


SETTINGS_KEPT = {"cache-control": "public, max-age=300"}
"""A browser asks once for five minutes, not once for every page."""


def single(call: Call, take: Take, new_id: Callable[[], str]) -> Reply:
    """Take one call. Raises what refuses it."""
    body: wire.CallBody = call.body
    (result,) = _kept(call, [body.to_said(_heard(call, new_id))], take)
    if isinstance(result, Exception):
        raise result
    return _taken(wire.TakenBody(orders=_orders({0: result})))


def batch(call: Call, take: Take, new_id: Callable[[], str]) -> Reply:
    """Take every call that can be taken, and name the others."""
    body: wire.BatchOfCallsBody = call.body
    heard = replace(_heard(call, new_id), sent_at=body.sent_at)
    refused: dict[int, Exception] = {}
    said: dict[int, Said | Order] = {}
    for index, element in enumerate(body.batch):
        try:
            said[index] = _said(element, body.context, heard)
        except EcrmError as error:
            refused[index] = error
    results = dict(zip(said, _kept(call, [*said.values()], take), strict=True))
    refused |= {index: result for index, result in results.items() if isinstance(result, Exception)}
    errors = [wire.RefusedCallBody(index=index, code=_code(call, index, refused[index])) for index in sorted(refused)]
    return _taken(wire.TakenBody(errors=errors, orders=_orders(results)))


def with_settings(api: HttpApi, keys: Callable[[], Keys], public_url: Callable[[], str]) -> HttpApi:
    """Declare what a browser asks before it speaks."""

    @api.route("GET", "/v1/projects/{write_key}/settings", answer=wire.BrowserSettingsBody, tracks=True)
    def browser_settings(call: Call) -> Reply:
        """Tell Segment's browser library where it sends: its `cdnURL` is this API's address."""
        return _settings(call, keys(), public_url())

    return api


def _settings(call: Call, keys: Keys, public_url: str) -> Reply:
    """Say where the browser's library sends. Raises NotFound for what is no write key in force."""
    secret = call.path["write_key"]
    key = keys.find(secret) if secret.isascii() else None
    if key is None or key.kind is not KeyKind.WRITE or not key.is_valid(call.now):
        raise NotFound("there is no such write key", code="write_key_not_found")
    url = urlsplit(public_url)
    segment = wire.SegmentIntegrationBody(
        api_key=secret, api_host=f"{url.netloc}{url.path.rstrip('/')}/v1", protocol="http" if url.scheme == "http" else "https"
    )
    body = wire.BrowserSettingsBody(integrations=wire.IntegrationsBody(segment=segment))
    return Reply(200, body.model_dump(by_alias=True), SETTINGS_KEPT)


def _kept(call: Call, said: Sequence[Said | Order], take: Take) -> Sequence[Result]:
    return take(said, site=call.site(None), source=call.source, authority=_authority(call.key), now=call.now)


def _taken(body: wire.TakenBody) -> Reply:
    return Reply(200, body.model_dump(exclude_none=True))


def _said(element: Any, context: dict[str, Any], heard: wire.Heard) -> Said | Order:
    if not isinstance(element, dict):
        raise Invalid("a call is an object", code="wrong_type")
    if len(json.dumps(element, ensure_ascii=False, default=str).encode()) > wire.LARGEST_CALL:
        raise TooLarge(f"a call is at most {wire.LARGEST_CALL} bytes")
    kind = element.get("type")
    shape = wire.BODIES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise Invalid.at("/type", "unknown_type", "a call is one of " + ", ".join(wire.BODIES))
    own = element.get("context")
    if context and (own is None or isinstance(own, dict)):
        element = element | {"context": context | (own or {})}
    body: wire.CallBody = shaped(shape, element)
    return body.to_said(heard)


def _heard(call: Call, new_id: Callable[[], str]) -> wire.Heard:
    return wire.Heard(
        site=call.site(None),
        source=call.source,
        received_at=call.now,
        vouches=_authority(call.key) is Authority.VOUCHER,
        new_id=new_id,
    )


def _authority(key: ApiKey | None) -> Authority:
    return Authority.CLAIM if key is None or key.kind is KeyKind.WRITE else Authority.VOUCHER


def _orders(results: dict[int, Result]) -> list[wire.KeptOrderBody] | None:
    kept = [
        wire.KeptOrderBody(index=index, order_id=result.view.order.order_id, outcome=result.outcome.value)
        for index, result in results.items()
        if result is not None and not isinstance(result, Exception)
    ]
    return kept or None


def _code(call: Call, index: int, error: Exception) -> str:
    """Name what refused a call; what is our mistake rings an alarm."""
    if isinstance(error, Invalid) and error.flaws:
        return error.flaws[0].code
    if isinstance(error, EcrmError):
        return error.code
    observability.alarm("unhandled in a batch", error, correlation_id=call.correlation_id, index=index)
    return "internal"
