"""The links to a person's own pages that a mail carries, and whether they were sent to where the person is reached now."""

from datetime import datetime

from ecrm.domain.consent import Channel
from ecrm.domain.customers import Customer
from ecrm.domain.errors import NotFound
from ecrm.domain.links import Keyring, Language, PersonLink, Purpose, ends_at, mark_of, person_url
from ecrm.domain.messages import Policy, Send, mailbox_of

from .ports import Consents

_OF_MARKETING = {"unsubscribe": Purpose.UNSUBSCRIBE, "preferences": Purpose.PREFERENCES, "view": Purpose.VIEW}


def links_of_mail(send: Send, *, digest: str, kind: str | None, language: str, ring: Keyring, public_url: str) -> dict[str, str]:
    """Give the addresses by the names that templates have for them; `digest` is of the address that the mail goes to.

    A marketing mail has `unsubscribe` (the one-click address, too), `preferences` and `view`; any other `confirm`, or, where it
    carries the `kind` of a data request, `data_request`. Links that end count from when the mail was asked for.
    """
    tag = language.partition("-")[0]
    wanted = _OF_MARKETING if send.policy is Policy.MARKETING else _transactional(kind)
    urls: dict[str, str] = {}
    for name, purpose in wanted.items():
        link = PersonLink(
            purpose=purpose,
            site=send.site,
            customer_id=send.customer_id,
            about=_about(purpose, send, kind),
            sent_to=mark_of(digest),
            reference=send.run_id,
            expires_at=ends_at(purpose, _asked_at(send)),
            language=Language(tag) if tag in Language else None,
        )
        urls[name] = person_url(public_url, link, ring)
    return urls


def mailbox_behind(link: PersonLink, customer: Customer, consents: Consents) -> str | None:
    """Give the digest of the address at which a customer is reached now, if the link was sent there; else None."""
    mailbox = mailbox_of(customer)
    digest = consents.digest(Channel.EMAIL, mailbox) if mailbox else None
    return digest if digest is not None and mark_of(digest) == link.sent_to else None


def refuse_former(link: PersonLink, customer: Customer, consents: Consents) -> str:
    """Give that digest. Raises NotFound where the customer is reached elsewhere by now, as for a link that leads nowhere."""
    digest = mailbox_behind(link, customer, consents)
    if digest is None:
        raise NotFound("the customer is reached at another address by now", code="link_not_found")
    return digest


def _transactional(kind: str | None) -> dict[str, Purpose]:
    return {"confirm": Purpose.CONFIRM} if kind is None else {"data_request": Purpose.DATA_REQUEST}


def _about(purpose: Purpose, send: Send, kind: str | None) -> tuple[str, ...]:
    match purpose:
        case Purpose.UNSUBSCRIBE:
            return (send.topic or "", str(send.shard))
        case Purpose.VIEW:
            return (send.run_id, str(send.shard))
        case Purpose.DATA_REQUEST:
            return (kind or "",)
        case _:
            return ()


def _asked_at(send: Send) -> datetime:
    return send.requested_at or send.planned_at
