"""Endpoints of Amazon Pinpoint as its segments are exported: a line each, in the shape of EndpointBatchItem or EndpointResponse.

https://docs.aws.amazon.com/pinpoint/latest/apireference/apps-application-id-endpoints.html
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ecrm.application.import_rows import ContactRow
from ecrm.domain import attributes
from ecrm.domain.attributes import LONGEST_NAME
from ecrm.domain.consent import Channel
from ecrm.domain.errors import Invalid
from ecrm.domain.imports import Record, fact_at
from ecrm.domain.instants import is_time_zone
from ecrm.domain.suppressions import Address

from . import locales
from .contact_rows import identifiers, with_terms
from .import_rows import Cell, Reading, Wrong, held, own_id, phone_of

_CHANNELS = {"EMAIL": Channel.EMAIL, "SMS": Channel.SMS, "VOICE": Channel.SMS}
"""Of Pinpoint's channels; every other is a way of push."""
_LOCATION = {"City": "city", "Country": "country", "PostalCode": "postal_code", "Region": "region"}
_PLACES = {"Latitude": "latitude", "Longitude": "longitude"}
_DEVICE = {
    "AppVersion": "app_version",
    "Make": "device_make",
    "Model": "device_model",
    "ModelVersion": "device_model_version",
    "Platform": "platform",
    "PlatformVersion": "platform_version",
}


def is_endpoint(line: Mapping[str, Any]) -> bool:
    return "ChannelType" in line or "EndpointStatus" in line


def endpoint(reading: Reading, record: Record, line: Mapping[str, Any]) -> ContactRow:
    """Take an endpoint: one address of a person, who may have several. Raises Wrong.

    A person who opted out (`OptOut` is ALL) is kept, with the address suppressed on its channel.
    """
    channel, address = _reached(reading, line)
    user = _object(line, "User")
    named = {"user_id": own_id(user_id)} if (user_id := _cell(user, "UserId", "User.UserId")).text else {}
    if channel is not Channel.PUSH and address:
        named["email" if channel is Channel.EMAIL else "phone"] = address
    at = effective.read(locales.moment, reading.locale) if (effective := _cell(line, "EffectiveDate")).text else None
    at = at or fact_at(reading.import_, record.row)
    traits = dict(_traits(line, user))
    return ContactRow(
        row=record.row,
        site=reading.site,
        identifiers=identifiers(reading.site, named),
        attributes=held(lambda: attributes.stated(traits), {f"traits/{name}": name for name in traits}),
        at=at,
        tags=reading.tags,
        consents=with_terms(reading, (), at),
        is_part=True,
        suppressed=(Address(channel, address),) if address and _has_opted_out(line) else (),
    )


def _reached(reading: Reading, line: Mapping[str, Any]) -> tuple[Channel, str]:
    """Say where the endpoint is; the address may be empty, where a user was exported whole."""
    channel = _CHANNELS.get(_cell(line, "ChannelType").text, Channel.PUSH)
    cell = _cell(line, "Address")
    if not cell.text or channel is Channel.PUSH:
        return channel, cell.text
    if channel is Channel.EMAIL:
        return channel, cell.read(locales.email)
    return channel, phone_of(cell, _cell(_object(line, "Location"), "Country", "Location.Country"), reading)


def _has_opted_out(line: Mapping[str, Any]) -> bool:
    said = _cell(line, "OptOut")
    if said.text not in ("", "ALL", "NONE"):
        raise Wrong("bad_consent", "OptOut")
    return said.text == "ALL"


def _traits(line: Mapping[str, Any], user: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give attributes by name; what the user has stands above what an endpoint has."""
    demographic, location = _object(line, "Demographic"), _object(line, "Location")
    yield from _texts(demographic, _DEVICE)
    yield from _texts(location, _LOCATION)
    yield from _figures({ours: location.get(theirs) for theirs, ours in _PLACES.items()})
    yield from _figures(_object(line, "Metrics"))
    yield from _valued(_object(line, "Attributes"), "Attributes")
    yield from _valued(_object(user, "UserAttributes"), "UserAttributes")
    if (created := _cell(line, "CreationDate").text) and attributes.is_date(created):
        yield "created_at", created
    if spoken := _cell(demographic, "Locale").text:
        yield _language(spoken)
    if zone := _cell(demographic, "Timezone").text:
        yield ("time_zone" if is_time_zone(zone) else "device_time_zone"), zone


def _language(spoken: str) -> tuple[str, str]:
    """Take a device's locale as the language where it is one; else it is kept as it is."""
    try:
        return "language", locales.language(spoken)
    except locales.Unread:
        return "device_locale", spoken


def _texts(said: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for theirs, ours in names.items():
        if text := _cell(said, theirs).text:
            yield ours, text


def _figures(said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in said.items():
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            yield name, value
        elif value is not None:
            raise Wrong("value_type", name)


def _valued(said: Mapping[str, Any], column: str) -> Iterator[tuple[str, Any]]:
    """Give each attribute: one value as a text, several as a list; identifiers stand elsewhere."""
    for name, values in said.items():
        several = [values] if isinstance(values, str) else values
        if not isinstance(several, list) or not all(isinstance(value, str) for value in several):
            raise Wrong("value_type", column)
        given = [value for value in several if value]
        if given:
            value = given[0] if len(given) == 1 else given
            yield (name if _is_free(name, value) else f"pinpoint_{name}"[:LONGEST_NAME]), value


def _is_free(name: str, value: str | list[str]) -> bool:
    """Say whether an attribute may be called so: a name of ours may mean something else there."""
    try:
        attributes.stated({name: value})
    except Invalid:
        return False
    return name not in attributes.IDENTIFIERS


def _object(line: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = line.get(name)
    if found is not None and not isinstance(found, dict):
        raise Wrong("value_type", name)
    return found or {}


def _cell(line: Mapping[str, Any], name: str, column: str | None = None) -> Cell:
    return Cell(column or name, name, line.get(name))
