"""Messages that belong to something a customer does: asking for one, planning those of an order, reading and writing them."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from ecrm.domain.attributes import known, merged
from ecrm.domain.consent import Channel
from ecrm.domain.customers import Customer, Identifier, Kind
from ecrm.domain.errors import Conflict, Invalid, NotFound
from ecrm.domain.events import Event
from ecrm.domain.links import Language, Link, Purpose, seal
from ecrm.domain.messages import MESSAGE_SHARD, Policy, Send, mailbox_of
from ecrm.domain.sites import Site
from ecrm.domain.suppressions import Address
from ecrm.domain.templates import Purpose as TemplatePurpose
from ecrm.domain.templates import Template, choose

from .identity import Authority, Person, follow, root, whose
from .mail_ports import Limits, Mail, MessageIds, Sends
from .orders import OrderView, find_order, read_order
from .ports import (
    AlreadyAnswered,
    Clock,
    Contended,
    Customers,
    Ids,
    LinkKeys,
    Orders,
    Profiles,
    Request,
    Sites,
    Standing,
    Suppressions,
    Timeline,
)
from .templates import Material, ReadyMade, Renderer, Templates, read_template

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
SITE_KEPT = timedelta(minutes=1)
TEMPLATE_KEPT = timedelta(seconds=10)
"""Both change by hand, and thousands of mails may need them."""
_TRANSACTIONAL_HEADERS = {
    # RFC 3834, section 5; and what Exchange looks at instead: no holiday note comes back.
    "Auto-Submitted": "auto-generated",
    "X-Auto-Response-Suppress": "OOF, AutoReply",
}


class AllIds(Ids, MessageIds, Protocol):
    """Ids of customers and of messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestMessage:
    """The customer by our id, or by identifiers, which make one where nobody has them. `language` None is the customer's own."""

    template: str
    site: str
    customer_id: str | None
    identifiers: tuple[Identifier, ...]
    data: Mapping[str, Any]
    language: str | None
    source: str
    order_id: str | None = None


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
    suppressions: Suppressions,
    orders: Orders,
    clock: Clock,
    ids: AllIds,
) -> MessageRequested:
    """Ask for a message; it is sent after this. 6 write units for a known customer, 2 more with an Idempotency-Key.

    Raises Invalid where it can never be sent: no such template, not a transactional one, a site without a sender, a customer
    without an address, somebody else's order; NotFound, Erased; Conflict where the address is suppressed.
    """
    now = clock.now()
    for attempt in range(ATTEMPTS):
        if run_id := sends.answered(request, now):
            return MessageRequested(read_message(run_id, sends=sends), replayed=True)
        _check(command, sites=sites, templates=templates, ready_made=ready_made)
        customer, standing = _addressee(command, attempt, customers=customers, now=now, ids=ids)
        _refuse_unreachable(customer, suppressions, now)
        _refuse_others_order(command, customer, orders)
        send, requested = new_message(ids.message_id(now), command, customer.customer_id, now)
        try:
            if sends.add(send, requested, standing, request):
                return MessageRequested(send)
        except AlreadyAnswered:
            continue
        except Contended:
            continue
    raise Contended("many requests for this customer at once; try again")


def _check(command: RequestMessage, *, sites: Sites, templates: Templates, ready_made: ReadyMade) -> None:
    site = sites.find(command.site)
    if site is None:
        raise Invalid.at("/site", "unknown_site", "no such site")
    if site.sender is None:
        raise Invalid.at("/site", "no_sender", "the site has no sender")
    try:
        template = read_template(command.template, templates=templates, ready_made=ready_made)
    except NotFound:
        raise Invalid.at("/template", "unknown_template", "no such template") from None
    if template.purpose is TemplatePurpose.MARKETING:
        raise Invalid.at(
            "/template", "template_is_marketing", "a marketing template is sent by campaigns, to those who consented"
        )


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


def new_message(message_id: str, command: RequestMessage, customer_id: str, now: datetime) -> tuple[Send, Event]:
    """Make the entry of a transactional message, and the event that asks for it."""
    send = Send(
        run_id=message_id,
        shard=MESSAGE_SHARD,
        customer_id=customer_id,
        policy=Policy.TRANSACTIONAL,
        site=command.site,
        template=command.template,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Makes the mail of an entry, from what was asked for and from what is known of its customer at that moment."""

    timeline: Timeline
    profiles: Profiles
    orders: Orders
    sites: Sites
    templates: Templates
    ready_made: ReadyMade
    renderer: Renderer
    link_keys: LinkKeys
    clock: Clock
    public_url: str
    _sites: dict[str, tuple[datetime, Site]] = field(default_factory=dict)
    _templates: dict[str, tuple[datetime, Template]] = field(default_factory=dict)

    def compose(self, send: Send, customer: Customer, *, is_fresh: bool) -> Mail:
        """Write a mail. Raises Invalid, NotFound: what no time heals, with the code that the books keep.

        1 read unit in a container that knows site and template, unless `is_fresh`; an order is read beside.
        """
        said = self._said(send)
        site = self._site(send.site, is_fresh=is_fresh)
        mailbox = mailbox_of(customer)
        if site.sender is None:
            raise Invalid("the site has no sender", code="no_sender")
        if mailbox is None:
            raise Invalid("the customer has no address", code="no_address")
        template = self._template(send.template, is_fresh=is_fresh)
        if template.purpose.value != send.policy.value:
            raise Invalid("the template serves another purpose", code="template_purpose")
        books = self.profiles.of(customer.partitions, consistent=is_fresh)
        attributes = known(merged(*(book.attributes for book in books)))
        language = choose(template.variants, said.get("language") or attributes.get("language"), site.languages)
        order = self._order(send.site, said.get("order_id"))
        material = Material(
            site=site,
            attributes=attributes,
            order=order,
            data=said.get("data", {}),
            links={"order_status": self._status_url(order, language)} if order else {},
        )
        rendered = self.renderer.render(template, language, material)
        return Mail(
            from_name=site.brand,
            from_address=site.sender,
            to=mailbox,
            reply_to=site.reply_to,
            subject=rendered.subject,
            html=rendered.html,
            text=rendered.text,
            policy=send.policy,
            headers=_TRANSACTIONAL_HEADERS if send.policy is Policy.TRANSACTIONAL else {},
        )

    def _said(self, send: Send) -> Mapping[str, Any]:
        if send.requested_at is None:
            return {}
        said = self.timeline.said(send.customer_id, send.requested_at, requested_id(send.run_id))
        if not said:
            raise NotFound("what was asked for is gone", code="request_gone")
        return said

    def _site(self, name: str, *, is_fresh: bool) -> Site:
        def read() -> Site:
            site = self.sites.find(name)
            if site is None:
                raise NotFound("no such site", code="site_not_found")
            return site

        return self._kept(self._sites, name, timedelta(0) if is_fresh else SITE_KEPT, read)

    def _template(self, name: str, *, is_fresh: bool) -> Template:
        def read() -> Template:
            return read_template(name, templates=self.templates, ready_made=self.ready_made)

        return self._kept(self._templates, name, timedelta(0) if is_fresh else TEMPLATE_KEPT, read)

    def _kept[T](self, seen: dict[str, tuple[datetime, T]], name: str, kept: timedelta, read: Callable[[], T]) -> T:
        """Read something by its name, unless it was read within a time."""
        now = self.clock.now()
        known = seen.get(name)
        if known is not None and now - known[0] < kept:
            return known[1]
        seen[name] = now, (found := read())
        return found

    def _order(self, site: str, order_id: str | None) -> OrderView | None:
        return read_order(site, order_id, orders=self.orders) if order_id else None

    def _status_url(self, order: OrderView, language: str) -> str:
        tag = language.partition("-")[0]
        link = Link(Purpose.ORDER_STATUS, order.order.site, order.order.order_id, Language(tag) if tag in Language else None)
        return f"{self.public_url}/public/orders/{seal(link, self.link_keys.ring())}"
