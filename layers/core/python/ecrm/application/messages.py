"""Messages to one person each: asking for one, planning those of an order, reading them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from ecrm.domain.consent import Channel
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.errors import Conflict, Invalid, NotFound
from ecrm.domain.events import Event
from ecrm.domain.messages import MESSAGE_SHARD, Policy, Send, mailbox_of
from ecrm.domain.suppressions import Address
from ecrm.domain.templates import Purpose, Template

from .identity import Authority, Person, follow, root, whose
from .mail_ports import Limits, MessageIds, Sends
from .orders import find_order
from .ports import (
    AlreadyAnswered,
    Clock,
    Contended,
    Customers,
    Ids,
    Orders,
    Request,
    Sites,
    Standing,
    Suppressions,
    Topics,
)
from .templates import ReadyMade, Templates, read_template

ATTEMPTS = 12
REQUESTED = "message.requested"
KEPT_FOR = timedelta(days=3)
"""A message that could not be sent for so long is news to nobody: it expires, and an older fact of an order brings no mail."""
ORDER_LINK = "order-link"
HOUR, DAY = 3_600, 86_400
LINKS_AN_HOUR, LINKS_A_DAY = 3, 10
"""Order links that strangers may make us send to one address."""
LINKS_AN_IP = 20
"""Order links an hour that one place of the internet may ask for."""


class AllIds(Ids, MessageIds, Protocol):
    """Ids of customers and of messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMessage:
    """The customer by our id, or by identifiers, which make one where nobody has them. `language` None is the customer's own.

    `topic` is what marketing is about, where its template does not say.
    """

    template: str
    site: str
    customer_id: str | None
    identifiers: tuple[Identifier, ...]
    data: Mapping[str, Any]
    language: str | None
    source: str
    order_id: str | None = None
    topic: str | None = None


@dataclass(frozen=True, slots=True)
class MessageRequested:
    """`replayed` says that an Idempotency-Key was recognised."""

    send: Send
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """An event of an order, as far as a mail about it needs to know; `customer_id` is whose partition it stands in.

    `named` has the parcel and the event by which the caller named them: the mail is about those, not about the latest.
    """

    id: str
    type: str
    occurred_at: datetime
    customer_id: str
    site: str
    order_id: str
    backfill: bool
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A consent that a double opt-in has granted; `reference` names the mail that asked, and is one for all of its topics."""

    customer_id: str
    site: str
    topic: str
    reference: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FindOrder:
    """What somebody says who has lost the link to an order; `ip` is where they say it from."""

    site: str
    order_id: str
    email: str
    ip: str


def request_message(
    command: RequestMessage,
    request: Request | None,
    *,
    sends: Sends,
    customers: Customers,
    sites: Sites,
    templates: Templates,
    ready_made: ReadyMade,
    topics: Topics,
    suppressions: Suppressions,
    orders: Orders,
    clock: Clock,
    ids: AllIds,
) -> MessageRequested:
    """Ask for a message; it is sent after this. 6 write units for a known customer, 2 more with an Idempotency-Key.

    Whether marketing may go to them is decided when it would, and told. Raises Invalid where a message can never be sent: no such
    template, a partial, a site without a sender or, for marketing, a postal address, a customer without an address, somebody
    else's order; NotFound, Erased; Conflict where the address is suppressed.
    """
    now = clock.now()
    for attempt in range(ATTEMPTS):
        if run_id := sends.answered(request, now):
            return MessageRequested(read_message(run_id, sends=sends), replayed=True)
        template = _checked(command, sites=sites, templates=templates, ready_made=ready_made)
        topic = _topic(command, template, topics)
        customer, standing = _addressee(command, attempt, customers=customers, now=now, ids=ids)
        _refuse_unreachable(customer, suppressions, now)
        _refuse_others_order(command, customer, orders)
        send, requested = new_message(ids.message_id(now), command, customer.customer_id, now, topic=topic)
        try:
            if sends.add(send, requested, standing, request):
                return MessageRequested(send)
        except AlreadyAnswered:
            continue
        except Contended:
            continue
    raise Contended("many requests for this customer at once; try again")


def _checked(command: RequestMessage, *, sites: Sites, templates: Templates, ready_made: ReadyMade) -> Template:
    """Give the template of a message that can be sent."""
    site = sites.find(command.site)
    if site is None:
        raise Invalid.at("/site", "unknown_site", "no such site")
    if site.sender is None:
        raise Invalid.at("/site", "no_sender", "the site has no sender")
    try:
        template = read_template(command.template, templates=templates, ready_made=ready_made)
    except NotFound:
        raise Invalid.at("/template", "unknown_template", "no such template") from None
    if template.purpose is Purpose.PARTIAL:
        raise Invalid.at("/template", "template_is_partial", "a partial is a piece of other templates, and no mail")
    if template.purpose is Purpose.MARKETING and not site.has_postal_address:
        raise Invalid.at("/site", "no_postal_address", "marketing says where it comes from: the site has no postal address")
    return template


def _topic(command: RequestMessage, template: Template, topics: Topics) -> str | None:
    """Give the topic that a message needs consent to; None where it needs none."""
    if template.purpose is not Purpose.MARKETING:
        if command.topic is not None:
            raise Invalid.at("/topic", "topic_unused", "only marketing needs consent, and names a topic")
        return None
    if template.topic is not None and command.topic not in (None, template.topic):
        raise Invalid.at("/topic", "other_topic", "the template is about another topic")
    topic = template.topic or command.topic
    if topic is None:
        raise Invalid.at("/topic", "missing", "the template names no topic: say which the message is about")
    if template.topic is None and topics.find(topic) is None:
        raise Invalid.at("/topic", "unknown_topic", "no such topic")
    return topic


def _addressee(
    command: RequestMessage, attempt: int, *, customers: Customers, now: datetime, ids: Ids
) -> tuple[Customer, Standing]:
    """Find whom a message is for; who is named by identifiers that nobody has comes into being with it."""
    if command.customer_id is not None:
        customer = root(command.customer_id, customers=customers)
        return customer, Standing(customer.customer_id, found=customer)
    person = Person(
        site=command.site,
        identifiers=command.identifiers,
        authority=Authority.VOUCHER,
        statement=False,
        at=now,
        cause=f"message:{command.template}",
        source=command.source,
    )
    standing = whose(person, customers=customers, now=now, ids=ids, consistent=attempt > 0)
    if standing.claim is not None:
        return standing.claim.customer, standing
    customer = standing.found or root(standing.customer_id, customers=customers)
    return customer, Standing(customer.customer_id, found=customer)


def _refuse_unreachable(customer: Customer, suppressions: Suppressions, now: datetime) -> None:
    mailbox = mailbox_of(customer)
    if mailbox is None:
        raise Invalid.at("/customer", "no_address", "the customer has no e-mail address that a server has vouched for")
    if suppressions.find(Address(Channel.EMAIL, mailbox))[0].is_active(now):
        raise Conflict("nothing is sent to the customer's address: it is suppressed", code="address_suppressed")


def _refuse_others_order(command: RequestMessage, customer: Customer, orders: Orders) -> None:
    if command.order_id is None:
        return
    if find_order(command.site, command.order_id, orders, consistent=True).customer_id not in customer.partitions:
        raise Invalid.at("/order_id", "not_their_order", "the order is somebody else's")


def new_message(
    message_id: str, command: RequestMessage, customer_id: str, now: datetime, *, topic: str | None = None
) -> tuple[Send, Event]:
    """Make the entry of a message, and the event that asks for it; with a topic, which marketing alone has, of marketing."""
    send = Send(
        run_id=message_id,
        shard=MESSAGE_SHARD,
        customer_id=customer_id,
        policy=Policy.MARKETING if topic else Policy.TRANSACTIONAL,
        site=command.site,
        template=command.template,
        topic=topic,
        planned_at=now,
        requested_at=now,
        expires_at=now + KEPT_FOR,
    )
    said: dict[str, Any] = {"run_id": message_id, "shard": MESSAGE_SHARD, "template": command.template, "data": command.data}
    if command.language is not None:
        said["language"] = command.language
    if command.order_id is not None:
        said["order_id"] = command.order_id
    requested = Event(
        id=requested_id(message_id),
        type=REQUESTED,
        occurred_at=now,
        received_at=now,
        site=command.site,
        customer_id=customer_id,
        source=command.source,
        data=said,
    )
    return send, requested


def requested_id(message_id: str) -> str:
    return f"message:{message_id}:requested"


def read_message(message_id: str, *, sends: Sends) -> Send:
    """Read a message that was asked for by itself, strongly consistent. Raises NotFound."""
    found = next(iter(sends.page(message_id, MESSAGE_SHARD)), None)
    if found is None or found.requested_at is None:
        raise NotFound("no such message", code="message_not_found")
    return found


def plan_order_mail(happened: OrderEvent, *, sends: Sends, customers: Customers, sites: Sites, clock: Clock) -> Send | None:
    """Ask for the mail that the site wants after an event of an order, once however often the event is met.

    None where there is none: not wanted, of the past, no address. Raises Contended.
    """
    now = clock.now()
    if happened.backfill or now - happened.occurred_at > KEPT_FOR:
        return None
    site = sites.find(happened.site)
    template = site.mails.get(happened.type) if site else None
    customer = follow(happened.customer_id, customers) if template else None
    if template is None or customer is None or customer.erased_at is not None or mailbox_of(customer) is None:
        return None
    command = RequestMessage(
        template=template,
        site=happened.site,
        customer_id=None,
        identifiers=(),
        data=happened.named,
        language=None,
        source="orders",
        order_id=happened.order_id,
    )
    named = f"order mail\0{happened.site}\0{happened.order_id}\0{happened.id}\0{template}"
    message_id = hashlib.sha256(named.encode()).hexdigest()[:32]
    # The entry keeps the id under which the order stands, or a merger between two tries would make it two entries.
    send, requested = new_message(message_id, command, happened.customer_id, now)
    return send if sends.add(send, requested, Standing(customer.customer_id, found=customer), None) else None


def send_order_link(
    asked: FindOrder,
    *,
    limits: Limits,
    orders: Orders,
    sends: Sends,
    customers: Customers,
    sites: Sites,
    clock: Clock,
    ids: MessageIds,
) -> Send | None:
    """Send the link to an order's page to its customer, where the address given is theirs. None where it is not sent.

    Whoever asks may not learn which it was: each way reads and writes about as much.
    """
    now = clock.now()
    allowed = (
        limits.allow("order-link-ip", asked.ip, LINKS_AN_IP, HOUR, now),
        limits.allow("order-link-hour", asked.email.casefold(), LINKS_AN_HOUR, HOUR, now),
        limits.allow("order-link-day", asked.email.casefold(), LINKS_A_DAY, DAY, now),
    )
    site = sites.find(asked.site)
    order = orders.find(asked.site, asked.order_id, consistent=True)
    customer = follow(order.customer_id if order else ids.message_id(now), customers)
    is_theirs = customer is not None and customer.erased_at is None and _is_reached_at(customer, asked.email)
    if customer is None or not is_theirs or site is None or site.sender is None or not all(allowed):
        limits.allow("order-link-nobody", ids.message_id(now), 1, HOUR, now)
        return None
    command = RequestMessage(
        template=ORDER_LINK,
        site=asked.site,
        customer_id=customer.customer_id,
        identifiers=(),
        data={},
        language=None,
        source="public:orders/find",
        order_id=asked.order_id,
    )
    send, requested = new_message(ids.message_id(now), command, customer.customer_id, now)
    return send if sends.add(send, requested, Standing(customer.customer_id, found=customer), None) else None


def _is_reached_at(customer: Customer, email: str) -> bool:
    """Say whether a voucher has named an address as the customer's; letter case tells no two apart."""
    theirs = (i.value for i in customer.identifiers if i.kind is Kind.EMAIL and i not in customer.claimed)
    return email.casefold() in {value.casefold() for value in theirs}
