"""The rows of exports: of customers and orders what the API shows of them, of a person everything as it is stored."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ecrm.application.exports import CustomerRecord, Row, Shapes
from ecrm.application.orders import OrderView
from ecrm.domain.instants import to_answer
from ecrm.domain.jobs import FileFormat
from ecrm.domain.messages import Send, Status

from .consent import ConsentsBody
from .orders import OrderBody
from .profiles import CustomerBody
from .statistics import StatisticsBody

_ROUTES = {"PK", "SK", "v"}
_KINDS = {"email": "emails", "phone": "phones", "user_id": "user_ids", "anonymous_id": "anonymous_ids"}


def customer_row(record: CustomerRecord) -> Row:
    profile = CustomerBody.of(record.profile).model_dump(mode="json")
    statistics = StatisticsBody.of(record.profile.customer.customer_id, record.statistics).model_dump(mode="json")
    del statistics["customer_id"]
    consents = ConsentsBody.of(record.consents).model_dump(mode="json")
    return profile | {name: consents[name] for name in ("consents", "suppressed")} | {"statistics": statistics}


def order_row(view: OrderView) -> Row:
    return OrderBody.of(view).model_dump(mode="json")


_MOMENTS = (
    *("planned_at", "claimed_at", "settled_at", "delivered_at", "bounced_at", "complained_at"),
    *("opened_at", "clicked_at", "unsubscribed_at"),
)


def recipient_row(send: Send) -> Row:
    """One of a run's audience: `accepted_at` is when the provider had the mail, `ineligible` why they could not get any."""
    moments = {name: to_answer(at) if (at := getattr(send, name)) else None for name in _MOMENTS}
    settled_at = moments.pop("settled_at")
    return {
        "customer_id": send.customer_id,
        "message": send.message,
        "arm": send.arm.value if send.arm else None,
        "treatment": send.treatment,
        "pilot": send.is_pilot,
        "ineligible": send.ineligible,
        "status": send.status.value,
        "reason": send.reason,
        "template_version": send.template_version,
        "accepted_at": settled_at if send.status is Status.ACCEPTED else None,
        **moments,
    }


def shapes(file_format: FileFormat) -> Shapes:
    """A bulk export has one format; in a sheet a list of things stands in one cell."""
    return {file_format: _sheet_row if file_format is FileFormat.CSV else _as_it_is}


def _as_it_is(row: Row) -> Iterator[Row]:
    yield row


def _sheet_row(row: Row) -> Iterator[Row]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if name == "identifiers":
            flat |= {plural: [i["value"] for i in value if i["kind"] == kind] for kind, plural in _KINDS.items()}
        elif name == "statistics":
            flat |= value
        else:
            flat[name] = value
    yield flat


def _stored(item: Row) -> Iterator[Row]:
    """One thing that is stored, under the name that it has in its partition."""
    kind, _, name = str(item["PK"]).partition("#")
    owner = {"customer_id": name} if kind == "CUSTOMER" else {"kept_under": kind.lower()}
    owner |= {"segment": name.partition("#")[0]} if kind == "SEGMENT" else {}
    yield owner | {"name": item["SK"]} | {field: value for field, value in item.items() if field not in _ROUTES}


def _leaves(item: Row) -> Iterator[Row]:
    """One line for each single value, with the path that leads to it."""
    (row,) = _stored(item)
    about = {"customer_id": row.get("customer_id"), "name": row["name"], "type": row.get("type")}
    for field in (field for field in row if field not in about):
        yield from ({**about, "field": path, "value": value} for path, value in _paths(field, row[field]))


def _paths(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _paths(f"{path}.{name}", inner)
    elif isinstance(value, list | tuple) and value:
        for at, inner in enumerate(value):
            yield from _paths(f"{path}.{at}", inner)
    else:
        yield path, value


PERSON: Mapping[FileFormat, Callable[[Row], Iterator[Row]]] = {FileFormat.JSON: _stored, FileFormat.CSV: _leaves}
