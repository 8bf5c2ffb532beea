"""Segment's calls on the wire, as its libraries send them: open where Segment is open, strict about who, when and how much."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from ecrm.application.behaviour import Said
from ecrm.domain import behaviour as domain
from ecrm.domain.attributes import stated
from ecrm.domain.customers import Identifier, identifiers_of
from ecrm.domain.errors import Flaw, Invalid

from .fields import WIDEST_EXPONENT, Answer, Email, ForeignId, Instant, Name, OrderId, Phone, storable
from .problems import invalid_from

if TYPE_CHECKING:
    from ecrm.application.orders import Drafted, PlaceOrder, RecordOrderEvent

LARGEST_CALL = 32 * 1024
LARGEST_BATCH = 500 * 1024
MOST_CALLS = 500
"""Calls in one batch: so many of as many new customers are done well before the gateway gives up."""

CONTEXT = frozenset(
    {
        *("page", "campaign", "referrer", "locale", "timezone", "userAgent"),
        *("app", "device", "os", "screen", "library"),
    }
)
"""What is kept of a call's context; never an IP address."""


def _id(value: object) -> object:
    """Take a number as its digits, and nothing for an empty text: Segment's libraries do both."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None if value == "" else value


def _object(value: object) -> object:
    return {} if value is None else value


_TEXT = Annotated[str, StringConstraints(max_length=200)]
_OPTIONAL = BeforeValidator(_id, json_schema_input_type=_TEXT | int | None)
_REQUIRED = BeforeValidator(_id, json_schema_input_type=Annotated[str, StringConstraints(min_length=1, max_length=200)] | int)
Id = Annotated[ForeignId | None, _OPTIONAL]
Open = Annotated[dict[str, Any], BeforeValidator(_object), AfterValidator(storable)]
Label = Annotated[Name | None, _OPTIONAL]
MessageId = Annotated[_TEXT | None, _OPTIONAL]


class CallBody(BaseModel):
    """What every call has. `integrations`, `_metadata` and whatever else Segment's libraries add is passed over."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True)

    user_id: Annotated[Id, Field(alias="userId")] = None
    anonymous_id: Annotated[Id, Field(alias="anonymousId")] = None
    message_id: Annotated[MessageId, Field(alias="messageId")] = None
    timestamp: Instant | None = None
    original_timestamp: Annotated[Instant | None, Field(alias="originalTimestamp")] = None
    sent_at: Annotated[Instant | None, Field(alias="sentAt")] = None
    context: Open = Field(default_factory=dict)
    backfill: bool = False

    def to_said(self, heard: "Heard") -> "Said | PlaceOrder | RecordOrderEvent":
        """Say it as a command. Raises Invalid."""
        raise NotImplementedError

    def _said(self, heard: "Heard", **more: Any) -> Said:
        at = self.timestamp or self.original_timestamp or heard.received_at
        corrected = self._corrected(at, heard)
        if (corrected or at) > heard.received_at + domain.AHEAD:
            raise Invalid.at("/timestamp", "in_the_future", "more than 24 hours ahead of our clock")
        said: dict[str, Any] = {
            "identifiers": self._identifiers(heard.site),
            "name": _digest(heard.site, self.message_id or heard.new_id()),
            "at": at,
            "corrected_at": corrected,
            "backfill": self.backfill or self.context.get("backfill") is True,
        }
        return Said(**said | more)

    def _corrected(self, at: datetime, heard: "Heard") -> datetime | None:
        """The time of arrival, minus what the call had waited by its sender's own clock."""
        sent_at = self.sent_at or heard.sent_at
        if sent_at is None or (self.timestamp or self.original_timestamp) is None:
            return None
        try:
            return heard.received_at - (sent_at - at)
        except OverflowError:
            raise Invalid.at("/timestamp", "in_the_future", "more than 24 hours ahead of our clock") from None

    def _identifiers(self, site: str) -> tuple[Identifier, ...]:
        return _named(site, user_id=self.user_id, anonymous_id=self.anonymous_id)

    def _data(self, **said: Any) -> dict[str, Any]:
        """What is kept with the event; what was not said is left out."""
        context = {name: value for name, value in self.context.items() if name in CONTEXT}
        kept = {**said, "context": context, "message_id": self.message_id, "anonymous_id": self.anonymous_id}
        return {name: value for name, value in kept.items() if value not in (None, {})}


@dataclass(frozen=True, slots=True)
class Heard:
    """How a call reached us. `vouches` where a server or staff key says it; `sent_at` is that of its batch."""

    site: str
    source: str
    received_at: datetime
    vouches: bool
    new_id: Callable[[], str]
    sent_at: datetime | None = None


class IdentifyBody(CallBody):
    """Who somebody is."""

    traits: Open = Field(default_factory=dict)

    def to_said(self, heard: Heard) -> Said:
        """A server's address and phone are identifiers, a phone only where it is one; a write key's are traits alone.

        Traits that could not be kept are refused before anything is.
        """
        stated(self.traits)
        said = self._said(heard, is_statement=True, traits=self.traits)
        if not heard.vouches:
            return said
        email, phone = self.traits.get("email"), self.traits.get("phone")
        identifiers = _named(
            heard.site,
            user_id=self.user_id,
            anonymous_id=self.anonymous_id,
            email=None if email in (None, "") else _checked(_EMAIL, email, "/traits/email"),
            phone=_phone_of(phone),
        )
        return replace(said, identifiers=identifiers)


class TrackBody(CallBody):
    """What somebody did."""

    event: Name
    properties: Open = Field(default_factory=dict)

    def to_said(self, heard: Heard) -> "Said | PlaceOrder | RecordOrderEvent":
        if heard.vouches and self.event in domain.ORDER_NAMES:
            return self._order(heard)
        data = self._data(name=self.event, properties=self.properties)
        return self._said(heard, event_type=domain.type_of(self.event), data=data)

    def _order(self, heard: Heard) -> "PlaceOrder | RecordOrderEvent":
        said = self._said(heard)
        kind = domain.ORDER_NAMES[self.event]
        try:
            if kind == "placed":
                return self._placed(said, heard)
            return self._happened(kind, said, heard)
        except ValidationError as error:
            raise _in_properties(invalid_from(error, tagged=kind != "placed")) from None
        except Invalid as error:
            raise _in_properties(error) from None

    def _placed(self, said: Said, heard: Heard) -> "PlaceOrder":
        """An order is what its lines and totals say: sent again with another message id it is the same one."""
        of_order = {name: self.properties[name] for name in ("currency", "coupon") if self.properties.get(name) is not None}
        from .orders import PlaceOrderBody  # noqa: PLC0415 (most calls are no orders, and their shapes cost a start much)

        body = PlaceOrderBody.model_validate(
            {
                "order_id": _id(self.properties.get("order_id")),
                "placed_at": said.at.isoformat(),
                "customer": _whom(self.user_id, self.anonymous_id),
                **of_order,
                **_agreement(self.properties),
            }
        )
        digest = _digest("order", heard.site, said.identifiers, self.properties)
        command = body.to_command(heard.site, digest=digest, source=heard.source)
        return replace(command, backfill=said.backfill)

    def _happened(self, kind: str, said: Said, heard: Heard) -> "RecordOrderEvent":
        order_id, currency = _id(self.properties.get("order_id")), self.properties.get("currency")
        if order_id is None:
            raise Invalid.at("/order_id", "missing", "name the order")
        told = _facts_of(kind, self.properties) | {"type": kind, "occurred_at": said.at.isoformat()}
        if self.message_id is not None:
            told["event_id"] = said.name
        body = _order_event().validate_python(told)
        digest = _digest("event", heard.site, self.event, self.properties)
        checked = _checked(_ORDER_ID, order_id, "/order_id")
        command: RecordOrderEvent = body.to_command(heard.site, checked, digest=digest, source=heard.source)

        def draft(of_order: str) -> "Drafted":
            if currency not in (None, of_order):
                raise Invalid.at("/properties/currency", "currency_mismatch", f"the order is in {of_order}")
            return command.draft(of_order)

        return replace(command, backfill=said.backfill, draft=draft)


class ViewBody(CallBody):
    """A page or a screen that somebody looked at."""

    name: Label = None
    category: Label = None
    properties: Open = Field(default_factory=dict)

    def _viewed(self, heard: Heard, event_type: str) -> Said:
        data = self._data(name=self.name, category=self.category, properties=self.properties)
        return self._said(heard, event_type=event_type, data=data)


class PageBody(ViewBody):
    def to_said(self, heard: Heard) -> Said:
        return self._viewed(heard, domain.PAGE)


class ScreenBody(ViewBody):
    def to_said(self, heard: Heard) -> Said:
        return self._viewed(heard, domain.SCREEN)


class GroupBody(CallBody):
    """The group, such as an account, that somebody belongs to."""

    group_id: Annotated[ForeignId, _REQUIRED, Field(alias="groupId")]
    traits: Open = Field(default_factory=dict)

    def to_said(self, heard: Heard) -> Said:
        data = self._data(group_id=self.group_id, properties=self.traits)
        return self._said(heard, event_type=domain.GROUP, data=data)


class AliasBody(CallBody):
    """An anonymous id, `previousId`, that is a known person's."""

    previous_id: Annotated[ForeignId, _REQUIRED, Field(alias="previousId")]
    user_id: Annotated[ForeignId, _REQUIRED, Field(alias="userId")]

    def to_said(self, heard: Heard) -> Said:
        identifiers = _named(heard.site, user_id=self.user_id, anonymous_id=self.previous_id)
        return self._said(heard, is_statement=True, identifiers=identifiers)


BODIES: dict[str, type[CallBody]] = {
    "identify": IdentifyBody,
    "track": TrackBody,
    "page": PageBody,
    "screen": ScreenBody,
    "group": GroupBody,
    "alias": AliasBody,
}


class BatchOfCallsBody(BaseModel):
    """Each call is judged by itself and says its `type`; what the batch's context says, each call's own says better."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True, defer_build=True)

    batch: Annotated[list[Any], Field(max_length=MOST_CALLS)]
    sent_at: Annotated[Instant | None, Field(alias="sentAt")] = None
    context: Open = Field(default_factory=dict)


class KeptOrderBody(Answer):
    """A call that an order's facts were made of: `created`, or `existing` where it was known."""

    index: int
    order_id: str
    outcome: Literal["created", "existing"]


class RefusedCallBody(Answer):
    index: int
    code: str


class TakenBody(Answer):
    """`errors` is there in a batch; `orders` where a server key's calls were orders."""

    success: Literal[True] = True
    errors: list[RefusedCallBody] | None = None
    orders: list[KeptOrderBody] | None = None


class SegmentIntegrationBody(Answer):
    model_config = ConfigDict(frozen=True, defer_build=True, validate_by_name=True)

    api_key: Annotated[str, Field(alias="apiKey")]
    api_host: Annotated[str, Field(alias="apiHost")]
    protocol: Literal["http", "https"]
    add_bundled_metadata: Annotated[bool, Field(alias="addBundledMetadata")] = False


class IntegrationsBody(Answer):
    model_config = ConfigDict(frozen=True, defer_build=True, validate_by_name=True)

    segment: Annotated[SegmentIntegrationBody, Field(alias="Segment.io")]


class BrowserSettingsBody(Answer):
    """What Segment's browser library asks for first: where it sends."""

    integrations: IntegrationsBody


_EMAIL = TypeAdapter[str](Email, config=ConfigDict(strict=True, defer_build=True))
_PHONE = TypeAdapter[str](Phone, config=ConfigDict(strict=True, defer_build=True))
_ORDER_ID = TypeAdapter[str](OrderId, config=ConfigDict(strict=True, defer_build=True))


def _checked(shape: TypeAdapter[str], value: object, pointer: str) -> str:
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        flaw = invalid_from(error).flaws[0]
        raise Invalid.at(pointer, flaw.code, flaw.detail) from None


def _phone_of(value: object) -> str | None:
    try:
        return _PHONE.validate_python(value)
    except ValidationError:
        return None


def _named(
    site: str, *, user_id: str | None, anonymous_id: str | None, email: str | None = None, phone: str | None = None
) -> tuple[Identifier, ...]:
    if user_id is None and anonymous_id is None:
        raise Invalid.at("/userId", "no_identifier", "say userId or anonymousId")
    return identifiers_of(site, user_id=user_id, email=email, phone=phone, anonymous_id=anonymous_id)


def _whom(user_id: str | None, anonymous_id: str | None) -> dict[str, str]:
    return {name: value for name, value in (("user_id", user_id), ("anonymous_id", anonymous_id)) if value is not None}


def _digest(*said: object) -> str:
    """Stand for something said: nothing of it can be read from a key."""
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _agreement(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Write the spec's totals and products as an order's. Raises Invalid."""
    products = properties.get("products")
    if not isinstance(products, list) or not all(isinstance(product, dict) for product in products):
        raise Invalid.at("/products", "missing", "an order has products, a list of objects")
    given = {name: properties[name] for name in ("shipping", "tax", "discount") if properties.get(name) is not None}
    said = {**given, "lines": [_line(product) for product in products]}
    if properties.get("tax_included") is not None:
        said["tax_included"] = properties["tax_included"]
    return said | {"total": _total(properties, said)}


def _line(product: Mapping[str, Any]) -> dict[str, Any]:
    sku = _id(product.get("sku")) or _id(product.get("product_id"))
    line = {
        "sku": sku,
        "name": product.get("name") or sku,
        "quantity": product.get("quantity", 1),
        "unit_price": product.get("price"),
    }
    if product.get("category"):
        line["category"] = product["category"]
    return line


def _total(properties: Mapping[str, Any], said: Mapping[str, Any]) -> object:
    """Give `total`; without it, what `subtotal` or `revenue` make with shipping and tax.

    The spec's `subtotal` is after discounts; whether its `revenue` is, it leaves to the site: so it is before them where it is
    the lines' sum.
    """
    if properties.get("total") is not None:
        return properties["total"]
    amounts = {name: _decimal(said.get(name, 0)) for name in ("shipping", "tax", "discount")}
    goods = sum((_decimal(line["quantity"]) * _decimal(line["unit_price"]) for line in said["lines"]), Decimal(0))
    if properties.get("subtotal") is not None:
        net = _decimal(properties["subtotal"])
    elif properties.get("revenue") is not None and _decimal(properties["revenue"]) != goods:
        net = _decimal(properties["revenue"])
    else:
        net = goods - amounts["discount"]
    return format(net + amounts["shipping"] + (0 if said.get("tax_included") is True else amounts["tax"]), "f")


def _decimal(value: object) -> Decimal:
    """Read an amount to count with; what is none counts nothing, and is refused where it stands."""
    try:
        number = Decimal(value) if isinstance(value, str | int | Decimal) else Decimal(0)
    except ArithmeticError:
        return Decimal(0)
    return number if number.is_finite() and abs(number.adjusted()) < WIDEST_EXPONENT else Decimal(0)


def _facts_of(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Choose from a call's properties what an order's event of this kind takes."""
    if kind == "amended":
        return _agreement(properties)
    if kind == "refunded":
        return {"amount": amount} if (amount := _refund_of(properties)) is not None else {}
    if kind == "cancelled":
        return {}
    names = ("shipment_id", "carrier", "tracking_number", "tracking_url", "estimated_on", "lines")
    taken = {"shipped": names, "delivered": ("shipment_id", "lines"), "returned": ("lines", "reason")}[kind]
    return {name: properties[name] for name in taken if properties.get(name) is not None}


def _refund_of(properties: Mapping[str, Any]) -> object:
    """Give what was paid back: the total said, else the products'; None is all that is left."""
    if properties.get("total") is not None:
        return properties["total"]
    products = properties.get("products")
    if not isinstance(products, list) or not products:
        return None
    lines = [_line(product) for product in products if isinstance(product, dict)]
    return format(sum((_decimal(line["quantity"]) * _decimal(line["unit_price"]) for line in lines), Decimal(0)), "f")


def _in_properties(error: Invalid) -> Invalid:
    """Say where in the call's own words something is wrong."""
    flaws = tuple(Flaw(_pointer(flaw.pointer), flaw.code, flaw.detail) for flaw in error.flaws)
    return Invalid(error.detail, code=error.code, flaws=flaws)


def _pointer(pointer: str) -> str:
    if pointer in ("/placed_at", "/occurred_at", "/timestamp"):
        return "/timestamp"
    if pointer.startswith(("/userId", "/customer", "/properties")):
        return pointer.replace("/customer", "/userId")
    return "/properties" + pointer.replace("/lines", "/products", 1).replace("/unit_price", "/price")


@cache
def _order_event() -> TypeAdapter[Any]:
    from .orders import OrderEventBody  # noqa: PLC0415 (the same)

    return TypeAdapter[Any](OrderEventBody, config=ConfigDict(defer_build=True))
