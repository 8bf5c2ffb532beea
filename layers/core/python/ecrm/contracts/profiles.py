"""Profiles on the wire: what is said of a customer, and who they are."""

from typing import Annotated, Any, Self

from pydantic import Field

from ecrm.application.consent import MOST_CHANGES
from ecrm.application.profiles import Kept, Profile, PutCustomer, UpdateCustomer
from ecrm.domain import attributes, instants, money
from ecrm.domain.attributes import IDENTIFIERS, MOST_NAMES, Attribute
from ecrm.domain.consent import Channel, address_of
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Flaw, Invalid

from .consent import ConsentBody
from .customers import json_of
from .fields import Answer, Body, CustomerId, Instant, Language, SiteId, TimeZone
from .orders import IdentifiersBody

BESIDE_TRAITS = ("language", "time_zone")
"""Attributes that a body says beside its traits, and an answer, too."""


class UpdateCustomerBody(IdentifiersBody):
    """What is missing is left alone; an attribute that is null is cleared. Identifiers are added, never taken away."""

    traits: Annotated[dict[str, Any], Field(max_length=MOST_NAMES)] = Field(default_factory=dict)
    language: Language | None = None
    time_zone: TimeZone | None = None
    site: SiteId | None = None
    occurred_at: Instant | None = None
    backfill: bool = False

    def to_command(self, customer_id: str, site: str, *, cause: str, source: str) -> UpdateCustomer:
        named = self.to_identifiers(site, "") if any(getattr(self, name) is not None for name in IDENTIFIERS) else ()
        return UpdateCustomer(customer_id=customer_id, identifiers=named, **self._said(site, cause, source))

    def _said(self, site: str, cause: str, source: str) -> dict[str, Any]:
        return {
            "site": site,
            "attributes": self._attributes(),
            "at": self.occurred_at,
            "cause": cause,
            "source": source,
            "backfill": self.backfill,
        }

    def _attributes(self) -> dict[str, Any]:
        """Take traits and what is said beside them together. Raises Invalid."""
        beside = {name: getattr(self, name) for name in BESIDE_TRAITS if name in self.model_fields_set}
        flaws = [
            *(
                Flaw(f"/traits/{name}", "not_a_trait", "an identifier is said beside the traits")
                for name in sorted(IDENTIFIERS & self.traits.keys())
            ),
            *(Flaw(f"/{name}", "said_twice", "this stands among the traits, too") for name in beside.keys() & self.traits.keys()),
        ]
        if flaws:
            raise Invalid(flaws[0].detail, flaws=tuple(flaws))
        return attributes.stated(self.traits) | beside


class PutCustomerBody(UpdateCustomerBody):
    """What is said of a customer whom at least one identifier names."""

    consents: Annotated[list[ConsentBody], Field(max_length=MOST_CHANGES)] = Field(default_factory=list)

    def to_put(self, site: str, *, cause: str, source: str) -> PutCustomer:
        return PutCustomer(identifiers=self.to_identifiers(site, ""), **self._said(site, cause, source))


class LookupCustomersBody(IdentifiersBody):
    """At least one identifier; whoever holds one of them is given."""

    site: SiteId | None = None


class OtherCustomerBody(Body):
    customer_id: CustomerId


class IdentifierBody(Answer):
    kind: str
    value: str
    site: str | None
    claimed: bool

    @classmethod
    def all_of(cls, customer: Customer) -> list[Self]:
        return [
            cls(kind=i.kind, value=i.value, site=i.scope or None, claimed=i in customer.claimed) for i in customer.identifiers
        ]


class ProvenanceBody(Answer):
    """Where an attribute comes from; one that is `claimed` was said by a write key alone."""

    type: str
    at: str
    source: str
    claimed: bool

    @classmethod
    def of(cls, attribute: Attribute) -> Self:
        return cls(
            type=attributes.type_of(attribute.value),
            at=instants.to_answer(attribute.at),
            source=attribute.source,
            claimed=attribute.is_claimed,
        )


class CustomerBody(Answer):
    """Who a customer is. `email` and `phone` are where they are reached now, `merged` the ids that were made one with this."""

    customer_id: str
    identifiers: list[IdentifierBody]
    email: str | None
    phone: str | None
    traits: dict[str, Any]
    language: str | None
    time_zone: str | None
    provenance: dict[str, ProvenanceBody]
    merged: list[str]
    created_at: str
    has_role_address: bool
    """Whether an address belongs to a function (info@, sales@), not to a person."""

    @classmethod
    def of(cls, profile: Profile) -> Self:
        return cls(**_shown(profile))


class KeptCustomerBody(CustomerBody):
    """`not_taken` names the identifiers of the request that this customer did not get, because somebody else has them."""

    not_taken: list[str]

    @classmethod
    def of_kept(cls, kept: Kept) -> Self:
        return cls(**_shown(kept.profile), not_taken=[identifier.kind for identifier in kept.not_taken])


class CustomersBody(Answer):
    data: list[CustomerBody]


def _shown(profile: Profile) -> dict[str, Any]:
    customer = profile.customer
    known = {name: one for name, one in sorted(profile.attributes.items()) if one.value is not None}
    values = {name: _value(name, one.value) for name, one in known.items()}
    return {
        "customer_id": customer.customer_id,
        "identifiers": IdentifierBody.all_of(customer),
        "email": address_of(customer, Channel.EMAIL),
        "phone": address_of(customer, Channel.SMS),
        "traits": {name: value for name, value in values.items() if name not in BESIDE_TRAITS},
        **{name: values.get(name) for name in BESIDE_TRAITS},
        "provenance": {name: ProvenanceBody.of(one) for name, one in known.items()},
        "merged": list(customer.absorbed),
        "created_at": instants.to_answer(customer.created_at),
        "has_role_address": customer.has_role_address,
    }


def _value(name: str, value: Any) -> Any:
    """Give a value as it was sent; money is kept in minor units and given as text."""
    if name != attributes.FIRST_TOUCH or "cost" not in value:
        return json_of(value)
    cost = value["cost"]
    return value | {"cost": {"amount": money.to_text(cost["amount_minor"], cost["currency"]), "currency": cost["currency"]}}
