"""A person's own data: a copy of it, or its erasure, asked for on a page and confirmed in the mailbox.

The link to the page lies in every mail, and mails are passed on: so asking shows nothing, and does nothing but send a mail.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from ecrm.domain.customers import Customer
from ecrm.domain.errors import Invalid
from ecrm.domain.jobs import Job, JobState
from ecrm.domain.links import Language, PersonLink, Purpose, ends_at, person_url
from ecrm.domain.messages import mailbox_of
from ecrm.domain.sites import Site

from .identity import root
from .jobs import Requested, read_job, request_customers_export, request_erasure
from .link_keys import ring_for
from .links import open_person_link, site_behind
from .mail_ports import Limits, MessageIds, Sends
from .messages import RequestMessage, new_message
from .person_links import refuse_former
from .ports import (
    Clock,
    Consents,
    Contended,
    Customers,
    ExportFiles,
    JobIds,
    Jobs,
    LinkKeys,
    Request,
    Sites,
    Standing,
)

SOURCE = "public:my-data"
TEMPLATE = "data-request"
ASKED_A_DAY = 3
"""Mails about somebody's data that whoever has the link can bring about."""
DAY = 86_400
REMEMBERED = timedelta(days=7)
"""How long it is known that a link was used: longer than it lasts."""
ATTEMPTS = 5


class DataKind(StrEnum):
    EXPORT = "export"
    ERASURE = "erasure"


class DataIds(JobIds, MessageIds, Protocol):
    """Ids of jobs and of messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRoom:
    """The collaborators of all use cases here."""

    keys: LinkKeys
    sites: Sites
    customers: Customers
    consents: Consents
    limits: Limits
    sends: Sends
    jobs: Jobs
    files: ExportFiles
    clock: Clock
    ids: DataIds
    public_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MyData:
    """`is_asked`: a mail is on its way, where one can be and was not sent too often; the page does not tell which."""

    site: Site
    language: Language | None
    is_asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DataRequest:
    """What is to be confirmed. Of a copy that was, `files_url` leads to its files."""

    site: Site
    language: Language | None
    kind: DataKind
    is_done: bool = False
    files_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFiles:
    """How far a copy is; `files` are names and links, good for LINK_SECONDS."""

    site: Site
    language: Language | None
    state: JobState
    files: tuple[tuple[str, str], ...]


def read_my_data(token: str, *, room: DataRoom) -> MyData:
    """Raises NotFound, also where the customer is erased."""
    return _my_data(token, room)[2]


def ask_for_data(token: str, kind: DataKind, *, room: DataRoom) -> MyData:
    """Send the mail in which its reader confirms. Raises NotFound."""
    link, customer, page = _my_data(token, room)
    now = room.clock.now()
    if room.limits.allow("data-request", customer.customer_id, ASKED_A_DAY, DAY, now):
        _send(link, kind, now, room)
    return replace(page, is_asked=True)


def _my_data(token: str, room: DataRoom) -> tuple[PersonLink, Customer, MyData]:
    link = open_person_link(token, Purpose.MY_DATA, keys=room.keys, clock=room.clock)
    customer = root(link.customer_id, customers=room.customers)
    return link, customer, MyData(site=site_behind(link.site, room.sites), language=link.language)


def _send(link: PersonLink, kind: DataKind, now: datetime, room: DataRoom) -> None:
    command = RequestMessage(
        template=TEMPLATE,
        site=link.site,
        customer_id=None,
        identifiers=(),
        data={"kind": kind.value},
        language=link.language,
        source=SOURCE,
    )
    message_id = room.ids.message_id(now)
    for _ in range(ATTEMPTS):
        customer = root(link.customer_id, customers=room.customers)
        if mailbox_of(customer) is None:
            return
        send, requested = new_message(message_id, command, customer.customer_id, now)
        try:
            room.sends.add(send, requested, Standing(customer.customer_id, found=customer), None)
        except Contended:
            continue
        return
    raise Contended("many requests for this customer at once; try again")


def read_data_request(token: str, *, room: DataRoom) -> DataRequest:
    """Read what a link confirms. Raises NotFound: ended, erased, or sent to an address that is not the customer's now."""
    link = _confirming(token, room)
    _refuse_others(link, room)
    return _page(token, link, room.jobs.answered(_once(link, room), room.clock.now()), room)


def confirm_data_request(token: str, *, room: DataRoom) -> DataRequest:
    """Begin the export, or erase, which is in force when this returns; a second time changes nothing.

    Raises NotFound as `read_data_request` does, but for an erasure that is done: of whom nobody knows any address any more.
    """
    link = _confirming(token, room)
    once = _once(link, room)
    job = room.jobs.answered(once, room.clock.now())
    if job is None or _kind(link) is DataKind.EXPORT:
        _refuse_others(link, room)
    return _page(token, link, job or _begin(link, once, room).job, room)


def read_data_files(token: str, *, room: DataRoom) -> DataFiles:
    """Read how far a copy is. Raises NotFound: ended, erased, or confirmed where the customer is not reached any more."""
    link = open_person_link(token, Purpose.DATA, keys=room.keys, clock=room.clock)
    _refuse_others(link, room)
    job = read_job(link.about[0], jobs=room.jobs)
    return DataFiles(
        site=site_behind(link.site, room.sites),
        language=link.language,
        state=job.state,
        files=tuple((file.name.rpartition("/")[2], room.files.link(file.name)) for file in job.files)
        if job.state is JobState.DONE
        else (),
    )


def kind_of(text: str) -> DataKind:
    """Raises Invalid where this is nothing that can be asked for."""
    if text not in DataKind:
        raise Invalid("a copy or an erasure can be asked for", code="unknown_value")
    return DataKind(text)


def _begin(link: PersonLink, once: Request, room: DataRoom) -> Requested:
    begin = request_erasure if _kind(link) is DataKind.ERASURE else request_customers_export
    return begin(
        link.customer_id,
        once,
        source=SOURCE,
        jobs=room.jobs,
        customers=room.customers,
        clock=room.clock,
        ids=room.ids,
    )


def _confirming(token: str, room: DataRoom) -> PersonLink:
    return open_person_link(token, Purpose.DATA_REQUEST, keys=room.keys, clock=room.clock)


def _refuse_others(link: PersonLink, room: DataRoom) -> None:
    refuse_former(link, root(link.customer_id, customers=room.customers), room.consents)


def _kind(link: PersonLink) -> DataKind:
    return DataKind(link.about[0])


def _once(link: PersonLink, room: DataRoom) -> Request:
    """Name the one use that a link is good for; it is written with what it does."""
    named = hashlib.sha256(f"data-request\0{link.reference}".encode()).hexdigest()
    return Request(key=named, digest=named, expires_at=room.clock.now() + REMEMBERED)


def _page(token: str, link: PersonLink, job: Job | None, room: DataRoom) -> DataRequest:
    kind = _kind(link)
    return DataRequest(
        site=site_behind(link.site, room.sites),
        language=link.language,
        kind=kind,
        is_done=job is not None,
        files_url=_files_url(token, link, job, room) if job and kind is DataKind.EXPORT else None,
    )


def _files_url(token: str, link: PersonLink, job: Job, room: DataRoom) -> str:
    files = PersonLink(
        purpose=Purpose.DATA,
        site=link.site,
        customer_id=link.customer_id,
        about=(job.job_id,),
        sent_to=link.sent_to,
        expires_at=ends_at(Purpose.DATA, job.requested_at),
        language=link.language,
    )
    return person_url(room.public_url, files, ring_for(token, room.keys))
