"""The welcome: the mail that a site wants to go out when somebody has confirmed by their mailbox that they want its mails."""

import hashlib

from ecrm.domain.errors import NotFound
from ecrm.domain.messages import Send, mailbox_of
from ecrm.domain.sites import WELCOMED

from .identity import follow
from .mail_ports import Sends
from .messages import KEPT_FOR, Confirmed, RequestMessage, new_message
from .ports import Clock, Customers, Sites, Standing, Timeline
from .subscriptions import read_sign_up
from .templates import Templates


def plan_welcome(
    confirmed: Confirmed,
    *,
    sends: Sends,
    customers: Customers,
    sites: Sites,
    templates: Templates,
    timeline: Timeline,
    clock: Clock,
) -> Send | None:
    """Ask for the welcome, once for what one mail asked about, however often each of its topics is met.

    It is marketing, about the first of the topics that is met and that its template, where it names one, is written for. None
    where there is none: not wanted, of the past, no address. Raises Contended.
    """
    now = clock.now()
    site = sites.find(confirmed.site)
    template = site.mails.get(WELCOMED) if site else None
    customer = follow(confirmed.customer_id, customers) if template and now - confirmed.occurred_at <= KEPT_FOR else None
    if template is None or customer is None or customer.erased_at is not None or mailbox_of(customer) is None:
        return None
    own = templates.find(template)
    if own is not None and own.topic not in (None, confirmed.topic):
        return None
    command = RequestMessage(
        template=template,
        site=confirmed.site,
        customer_id=None,
        identifiers=(),
        data={},
        language=_language(confirmed, sends, timeline),
        source="consents",
    )
    named = f"welcome\0{confirmed.site}\0{confirmed.customer_id}\0{confirmed.reference}\0{template}"
    message_id = hashlib.sha256(named.encode()).hexdigest()[:32]
    send, requested = new_message(message_id, command, confirmed.customer_id, now, topic=confirmed.topic)
    return send if sends.add(send, requested, Standing(customer.customer_id, found=customer), None) else None


def _language(confirmed: Confirmed, sends: Sends, timeline: Timeline) -> str | None:
    """Give the language in which they were asked; None, which is the customer's own, where they were asked elsewhere."""
    try:
        return read_sign_up(confirmed.customer_id, confirmed.reference, sends=sends, timeline=timeline).language
    except NotFound:
        return None
