"""The mail of an entry: made from what was asked for, and from what is known of its customer at that moment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ecrm.domain.attributes import merged, vouched
from ecrm.domain.consent import Channel
from ecrm.domain.customers import Customer
from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.links import Language, Link, Purpose, seal
from ecrm.domain.messages import Policy, Send, mailbox_of
from ecrm.domain.runs import Run
from ecrm.domain.sites import Site
from ecrm.domain.templates import Template, choose

from .mail_ports import Composed, Mail
from .messages import requested_id
from .orders import OrderView, read_order
from .particulars import Particulars
from .person_links import links_of_mail
from .ports import Clock, Consents, LinkKeys, Orders, Profiles, Sites, Timeline
from .templates import CampaignPlace, Material, ReadyMade, Rendered, Renderer, Templates, read_template, read_template_version

SITE_KEPT = timedelta(minutes=1)
TEMPLATE_KEPT = timedelta(seconds=10)
"""Both change by hand, and thousands of mails may need them."""
CONFIRMATION, DATA_REQUEST = "confirm-address", "data-request"
"""Templates whose mails carry a link by which their person agrees to something, and by their names only these do."""
TRANSACTIONAL_HEADERS = {
    # RFC 3834, section 5; and what Exchange looks at instead: no holiday note comes back.
    "Auto-Submitted": "auto-generated",
    "X-Auto-Response-Suppress": "OOF, AutoReply",
}


@dataclass(frozen=True, slots=True)
class _Made:
    rendered: Rendered
    links: Mapping[str, str]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Makes the mails of entries; what changes by hand is read once in a while."""

    timeline: Timeline
    profiles: Profiles
    orders: Orders
    sites: Sites
    templates: Templates
    ready_made: ReadyMade
    renderer: Renderer
    consents: Consents
    particulars: Particulars
    link_keys: LinkKeys
    find_run: Callable[[str], Run | None]
    clock: Clock
    public_url: str
    _sites: dict[str, tuple[datetime, Site]] = field(default_factory=dict)
    _templates: dict[str, tuple[datetime, Template]] = field(default_factory=dict)
    _versions: dict[tuple[str, int], Template] = field(default_factory=dict)
    _runs: dict[str, Run] = field(default_factory=dict)

    def compose(self, send: Send, customer: Customer, *, is_fresh: bool) -> Composed:
        """Write a mail. Raises Invalid, NotFound: what no time heals, with the code that the books keep.

        1 read unit in a container that knows site and template, unless `is_fresh`; an order and particulars are read beside.
        """
        site = self._site(send.site, is_fresh=is_fresh)
        mailbox = mailbox_of(customer)
        if site.sender is None:
            raise Invalid("the site has no sender", code="no_sender")
        if mailbox is None:
            raise Invalid("the customer has no address", code="no_address")
        frozen = self._template_version(send) if send.message is not None else None
        template = frozen or self._template(send.template, is_fresh=is_fresh)
        if template.purpose.value != send.policy.value:
            raise Invalid("the template serves another purpose", code="template_purpose")
        if template.topic not in (None, send.topic):
            raise Invalid("the template is about another topic", code="other_topic")
        if send.policy is Policy.MARKETING and not site.has_postal_address:
            raise Invalid("the site has no postal address", code="no_postal_address")
        made = self._made(send, customer, site, template, mailbox, is_fresh=is_fresh)
        mail = Mail(
            from_name=site.brand,
            from_address=site.sender,
            to=mailbox,
            reply_to=site.reply_to,
            subject=made.rendered.subject,
            html=made.rendered.html,
            text=made.rendered.text,
            policy=send.policy,
            headers=_headers(send.policy, made.links),
            untracked=frozenset(made.links.values()),
        )
        return Composed(mail, site.contact_policy(made.attributes.get("time_zone")), template.version)

    def again(self, send: Send, customer: Customer) -> Rendered:
        """Make the mail that was sent once more, of the template and the cart as they were and of what is known now.

        Raises Invalid, NotFound.
        """
        site = self._site(send.site, is_fresh=False)
        template = self._template_version(send)
        mailbox, made_at = mailbox_of(customer) or "", send.claimed_at
        return self._made(send, customer, site, template, mailbox, is_fresh=False, cart_at=made_at).rendered

    def _made(
        self,
        send: Send,
        customer: Customer,
        site: Site,
        template: Template,
        mailbox: str,
        *,
        is_fresh: bool,
        cart_at: datetime | None = None,
    ) -> _Made:
        said = self._said(send)
        books = self.profiles.of(customer.partitions, consistent=is_fresh)
        attributes = vouched(merged(*(book.attributes for book in books)))
        language = choose(template.variants, said.get("language") or attributes.get("language"), site.languages)
        order = read_order(send.site, said["order_id"], orders=self.orders) if said.get("order_id") else None
        data = said.get("data", {})
        links = self._links(send, mailbox, language, data) | (
            {"order_status": self._status_url(order, language)} if order else {}
        )
        asked = self.renderer.asks_for(template, language)
        told = self.particulars.of(customer, send.site, data, asked, self.clock.now(), cart_at=cart_at)
        material = Material(
            site=site,
            attributes=attributes,
            segments=told.segments,
            products=told.products,
            cart=told.cart,
            order=order,
            data=data,
            links=links,
            campaign=self._place(send),
        )
        return _Made(self.renderer.render(template, language, material), links, attributes)

    def _links(self, send: Send, mailbox: str, language: str, data: Mapping[str, Any]) -> dict[str, str]:
        if send.policy is Policy.TRANSACTIONAL and send.template not in (CONFIRMATION, DATA_REQUEST):
            return {}
        return links_of_mail(
            send,
            digest=self.consents.digest(Channel.EMAIL, mailbox),
            kind=str(data.get("kind")) if send.template == DATA_REQUEST else None,
            language=language,
            ring=self.link_keys.ring(),
            public_url=self.public_url,
        )

    def _said(self, send: Send) -> Mapping[str, Any]:
        if send.message is not None:
            return {"data": self._run(send.run_id).treatment(send.message, send.treatment or "").data}
        if send.requested_at is None:
            return {}
        said = self.timeline.said(send.customer_id, send.requested_at, requested_id(send.run_id))
        if not said:
            raise NotFound("what was asked for is gone", code="request_gone")
        return said

    def _place(self, send: Send) -> CampaignPlace:
        if send.message is None:
            return CampaignPlace()
        campaign = self._run(send.run_id).campaign
        return CampaignPlace(campaign=campaign, run=send.run_id, message=send.message, treatment=send.treatment or "")

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

    def _template_version(self, send: Send) -> Template:
        """Give the template of a send as it was: versions never change."""
        name, version = send.template, send.template_version or 0
        if (name, version) not in self._versions:
            found = read_template_version(name, version, templates=self.templates, ready_made=self.ready_made)
            self._versions[name, version] = found
        return self._versions[name, version]

    def _run(self, run_id: str) -> Run:
        """Give a run, of which only that is asked that never changes."""
        if run_id not in self._runs:
            found = self.find_run(run_id)
            if found is None:
                raise NotFound("no such run", code="run_not_found")
            self._runs[run_id] = found
        return self._runs[run_id]

    def _kept[T](self, seen: dict[str, tuple[datetime, T]], name: str, kept: timedelta, read: Callable[[], T]) -> T:
        """Read something by its name, unless it was read within a time."""
        now = self.clock.now()
        known = seen.get(name)
        if known is not None and now - known[0] < kept:
            return known[1]
        seen[name] = now, (found := read())
        return found

    def _status_url(self, order: OrderView, language: str) -> str:
        tag = language.partition("-")[0]
        link = Link(Purpose.ORDER_STATUS, order.order.site, order.order.order_id, Language(tag) if tag in Language else None)
        return f"{self.public_url}/public/orders/{seal(link, self.link_keys.ring())}"


def _headers(policy: Policy, links: Mapping[str, str]) -> Mapping[str, str]:
    """Name the one-click address (RFC 8058, RFC 2369) in every marketing mail, and in no other."""
    if policy is Policy.TRANSACTIONAL:
        return TRANSACTIONAL_HEADERS
    return {"List-Unsubscribe": f"<{links['unsubscribe']}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
