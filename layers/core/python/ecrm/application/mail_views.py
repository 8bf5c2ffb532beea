"""A mail once more, in the browser: for whoever has the link that stands in it, and without anybody being told."""

from collections.abc import Callable

from ecrm.domain.customers import Customer
from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.links import Purpose
from ecrm.domain.messages import Send

from .identity import root
from .links import open_person_link
from .mail_ports import Sends
from .person_links import refuse_former
from .ports import Clock, Consents, Customers, LinkKeys
from .templates import Rendered


def read_mail_view(
    token: str,
    *,
    keys: LinkKeys,
    customers: Customers,
    consents: Consents,
    sends: Sends,
    again: Callable[[Send, Customer], Rendered],
    clock: Clock,
) -> Rendered:
    """Make a mail once more, for who has the link while its customer is reached where it was sent.

    It says what is known of them now. Raises NotFound: ended, erased, reached elsewhere, or made of what is not there any more.
    """
    link = open_person_link(token, Purpose.VIEW, keys=keys, clock=clock)
    run_id, shard = link.about
    customer = root(link.customer_id, customers=customers)
    refuse_former(link, customer, consents)
    send = sends.find(run_id, int(shard), link.customer_id, consistent=False)
    if send is None or send.closed_at is not None:
        raise NotFound("there is nothing behind this link", code="link_not_found")
    try:
        return again(send, customer)
    except Invalid as error:
        raise NotFound("the mail cannot be made any more", code="link_not_found") from error
