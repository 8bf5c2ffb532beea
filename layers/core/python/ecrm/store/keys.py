"""The key of every item. `docs/data-model.md` holds the same shapes with their access patterns and cost; a test compares them.

A caller's id stands last in its key or is followed by a `#` that it cannot hold, so no two things share a key.
"""

import hashlib
import hmac
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

from ecrm.domain.instants import from_text, to_text

if TYPE_CHECKING:
    from ecrm.domain.consent import Subject
    from ecrm.domain.customers import Identifier
    from ecrm.domain.suppressions import Address

SHARDS = 256
LIST_SHARDS = 8
PRODUCT_SHARDS = 16
WORK_SHARDS = 16

SHAPES: dict[str, tuple[str, str]] = {
    "profile": ("CUSTOMER#<customer_id>", "PROFILE"),
    "attributes": ("CUSTOMER#<customer_id>", "ATTRIBUTES"),
    "order": ("CUSTOMER#<customer_id>", "ORDER#<site>#<order_id>"),
    "event": ("CUSTOMER#<customer_id>", "EVENT#<occurred_at>#<event_id>"),
    "identity": ("IDENTITY#<kind>#<hmac>", "IDENTITY"),
    "order_pointer": ("ORDER#<site>#<order_id>", "ORDER"),
    "order_listing": ("LIST#orders#<site>#<day>#<shard>", "<placed_at>#<order_id>"),
    "statistics": ("STATS#<shard>", "<customer_id>"),
    "replay": ("REPLAY#<hash>", "REPLAY"),
    "key": ("LIST#keys", "<sha256>"),
    "site": ("LIST#sites", "<site>"),
    "topic": ("LIST#topics", "<topic>"),
    "consents": ("CUSTOMER#<customer_id>", "CONSENT"),
    "consent": ("CUSTOMER#<customer_id>", "CONSENT#<channel>#<topic>"),
    "preferences": ("CUSTOMER#<customer_id>", "PREFERENCES"),
    "suppression": ("SUPPRESSION#<channel>#<hmac>", "SUPPRESSION"),
    "job": ("JOB#<job_id>", "JOB"),
    "job_event": ("JOB#<job_id>", "EVENT#<occurred_at>#<event_id>"),
    "job_listing": ("LIST#jobs", "<job_id>"),
    "contact": ("CUSTOMER#<customer_id>", "CONTACT#<site>#<contact_id>"),
    "product": ("LIST#products#<shard>", "<sku>"),
    "template": ("LIST#templates", "<template>"),
    "template_version": ("TEMPLATE#<template>", "VERSION#<version>"),
    "run": ("RUN#<run_id>", "RUN"),
    "run_pace": ("RUN#<run_id>", "PACE"),
    "planned_page": ("RUN#<run_id>", "PLANNED#<page>"),
    "tally": ("RUN#<run_id>", "TALLY#<page>"),
    "run_link": ("RUN#<run_id>", "LINK#<link>"),
    "run_listing": ("LIST#runs#<campaign>", "<scheduled_at>#<run_id>"),
    "active_run": ("LIST#active_runs", "<run_id>"),
    "campaign": ("LIST#campaigns", "<campaign>"),
    "campaign_version": ("CAMPAIGN#<campaign>", "VERSION#<version>"),
    "send": ("RUN#<run_id>#<shard>", "<customer_id>"),
    "page": ("RUN#<run_id>#<shard>", "PAGE"),
    "budget": ("CUSTOMER#<customer_id>", "BUDGET"),
    "sending": ("CONTROL#sending", "CONTROL"),
    "pace": ("CONTROL#pace", "CONTROL"),
    "breaker": ("CONTROL#breaker#<flow>", "CONTROL"),
    "limit": ("LIMIT#<kind>#<hmac>", "LIMIT"),
    "import": ("IMPORT#<import_id>", "IMPORT"),
    "import_progress": ("IMPORT#<import_id>", "PROGRESS"),
    "import_chunk": ("IMPORT#<import_id>", "CHUNK#<chunk>"),
    "import_row": ("IMPORT#<import_id>", "ROW#<row>"),
    "import_listing": ("LIST#imports", "<import_id>"),
    "import_file": ("FILE#<sha256>", "FILE"),
    "import_content": ("CONTENT#<sha256>", "CONTENT"),
    "segment": ("LIST#segments", "<segment>"),
    "segment_version": ("SEGMENT_VERSION#<segment>", "VERSION#<version>"),
    "membership": ("SEGMENT#<segment>#<shard>", "<customer_id>"),
    "night": ("LIST#nights", "<night>"),
    "pointer": ("CONTROL#night", "CONTROL"),
    "traits": ("CONTROL#traits", "CONTROL"),
}


class Key(NamedTuple):
    pk: str
    sk: str


PROFILE = "PROFILE"
ATTRIBUTES = "ATTRIBUTES"
KEYS_PARTITION = "LIST#keys"
SITES_PARTITION = "LIST#sites"
TOPICS_PARTITION = "LIST#topics"
JOBS_PARTITION = "LIST#jobs"
TEMPLATES_PARTITION = "LIST#templates"
IMPORTS_PARTITION = "LIST#imports"
SEGMENTS_PARTITION = "LIST#segments"
NIGHTS_PARTITION = "LIST#nights"
CAMPAIGNS_PARTITION = "LIST#campaigns"
ACTIVE_RUNS_PARTITION = "LIST#active_runs"
CAMPAIGN_WORK = "campaigns"
"""The shard of the index `worklist` in which campaigns and runs wait: few, and read by one."""
CONSENTS = "CONSENT"
UNCONFIRMED = "unconfirmed"
"""Where, in the index `worklist`, customers wait whom a sign-up has made and nobody confirmed."""
BUDGET = "BUDGET"
PREFERENCES = "PREFERENCES"
PAGE = "PAGE"
CONTROL = "CONTROL"
ORDER_PREFIX = "ORDER#"
EVENT_PREFIX = "EVENT#"
CHUNK_PREFIX = "CHUNK#"
PLANNED_PREFIX = "PLANNED#"
TALLY_PREFIX = "TALLY#"
LINK_PREFIX = "LINK#"


def customer_partition(customer_id: str) -> str:
    return f"CUSTOMER#{customer_id}"


def profile(customer_id: str) -> Key:
    return Key(customer_partition(customer_id), PROFILE)


def attributes(customer_id: str) -> Key:
    return Key(customer_partition(customer_id), ATTRIBUTES)


def order(customer_id: str, site: str, order_id: str) -> Key:
    return Key(customer_partition(customer_id), f"{ORDER_PREFIX}{site}#{order_id}")


def event(customer_id: str, occurred_at: datetime, event_id: str) -> Key:
    return Key(customer_partition(customer_id), f"{EVENT_PREFIX}{to_text(occurred_at)}#{event_id}")


def identity(identifier: "Identifier", secret: bytes) -> Key:
    """Keyed by HMAC-SHA-256, so that the table alone does not tell whom it knows."""
    message = f"{identifier.kind}\0{identifier.scope}\0{identifier.value}".encode()
    digest = hmac.new(secret, message, hashlib.sha256).hexdigest()
    return Key(f"IDENTITY#{identifier.kind}#{digest}", "IDENTITY")


def consents(customer_id: str) -> Key:
    return Key(customer_partition(customer_id), CONSENTS)


def consent(customer_id: str, subject: "Subject") -> Key:
    return Key(customer_partition(customer_id), f"{CONSENTS}#{subject.channel}#{subject.topic}")


def subject_of(sk: str) -> "Subject":
    from ecrm.domain.consent import Channel, Subject  # noqa: PLC0415 (every function has keys, few have consents)

    _, channel, topic = sk.split("#", 2)
    return Subject(Channel(channel), topic)


def suppression(address: "Address", secret: bytes) -> Key:
    return Key(f"SUPPRESSION#{address.channel}#{address_digest(address, secret)}", "SUPPRESSION")


def address_digest(address: "Address", secret: bytes) -> str:
    from ecrm.domain.suppressions import comparable  # noqa: PLC0415 (the same)

    message = f"address\0{address.channel}\0{comparable(address)}".encode()
    return hmac.new(secret, message, hashlib.sha256).hexdigest()


def order_pointer(site: str, order_id: str) -> Key:
    return Key(f"ORDER#{site}#{order_id}", "ORDER")


def order_listing(site: str, day: date, order_id: str, position: str) -> Key:
    return Key(order_listing_partition(site, day, _shard(order_id, LIST_SHARDS)), position)


def order_listing_partition(site: str, day: date, shard: int) -> str:
    return f"LIST#orders#{site}#{day.isoformat()}#{shard}"


def statistics(customer_id: str) -> Key:
    return Key(statistics_partition(shard_of(customer_id)), customer_id)


def shard_of(customer_id: str) -> int:
    return _shard(customer_id, SHARDS)


def statistics_partition(shard: int) -> str:
    return f"STATS#{shard}"


def replay(request_key: str) -> Key:
    return Key(f"REPLAY#{request_key}", "REPLAY")


def key(secret: str) -> Key:
    return Key(KEYS_PARTITION, hashlib.sha256(secret.encode()).hexdigest())


def site(name: str) -> Key:
    return Key(SITES_PARTITION, name)


def topic(name: str) -> Key:
    return Key(TOPICS_PARTITION, name)


def contact(customer_id: str, site: str, contact_id: str) -> Key:
    return Key(customer_partition(customer_id), f"CONTACT#{site}#{contact_id}")


def product(sku: str) -> Key:
    return Key(products_partition(_shard(sku, PRODUCT_SHARDS)), sku)


def products_partition(shard: int) -> str:
    return f"LIST#products#{shard}"


def job(job_id: str) -> Key:
    return Key(f"JOB#{job_id}", "JOB")


def job_event(job_id: str, occurred_at: datetime, event_id: str) -> Key:
    return Key(f"JOB#{job_id}", f"{EVENT_PREFIX}{to_text(occurred_at)}#{event_id}")


def template(name: str) -> Key:
    return Key(TEMPLATES_PARTITION, name)


def template_version(name: str, version: int) -> Key:
    return Key(f"TEMPLATE#{name}", f"VERSION#{version:06}")


def run(run_id: str) -> Key:
    return Key(f"RUN#{run_id}", "RUN")


def run_id_of(pk: str) -> str:
    return pk.removeprefix("RUN#")


def run_pace(run_id: str) -> Key:
    return Key(f"RUN#{run_id}", "PACE")


def planned_page(run_id: str, page: int) -> Key:
    return Key(f"RUN#{run_id}", f"{PLANNED_PREFIX}{page:03}")


def planned_page_of(sk: str) -> int:
    return int(sk.removeprefix(PLANNED_PREFIX))


def tally(run_id: str, page: int) -> Key:
    return Key(f"RUN#{run_id}", f"{TALLY_PREFIX}{page:03}")


def tally_page_of(sk: str) -> int:
    return int(sk.removeprefix(TALLY_PREFIX))


def run_link(run_id: str, link: str) -> Key:
    return Key(f"RUN#{run_id}", f"{LINK_PREFIX}{link}")


def link_of(sk: str) -> str:
    return sk.removeprefix(LINK_PREFIX)


def runs_partition(campaign: str) -> str:
    return f"LIST#runs#{campaign}"


def run_listing(campaign: str, scheduled_at: datetime, run_id: str) -> Key:
    return Key(runs_partition(campaign), f"{to_text(scheduled_at)}#{run_id}")


def run_listed_at(sk: str) -> datetime:
    return from_text(sk.partition("#")[0])


def active_run(run_id: str) -> Key:
    return Key(ACTIVE_RUNS_PARTITION, run_id)


def campaign(name: str) -> Key:
    return Key(CAMPAIGNS_PARTITION, name)


def campaign_version(name: str, version: int) -> Key:
    return Key(f"CAMPAIGN#{name}", f"VERSION#{version:06}")


def page_partition(run_id: str, shard: int) -> str:
    return f"RUN#{run_id}#{shard}"


def send(run_id: str, shard: int, customer_id: str) -> Key:
    return Key(page_partition(run_id, shard), customer_id)


def page(run_id: str, shard: int) -> Key:
    return Key(page_partition(run_id, shard), PAGE)


def page_of(pk: str) -> tuple[str, int]:
    """Give the run and the shard of which this is the partition."""
    _, run_id, shard = pk.split("#")
    return run_id, int(shard)


def work(pk: str) -> str:
    """Name the shard of the index `worklist` in which an item of this partition waits."""
    return work_shard(_shard(pk, WORK_SHARDS))


def work_shard(number: int) -> str:
    return f"work#{number}"


def budget(customer_id: str) -> Key:
    return Key(customer_partition(customer_id), BUDGET)


def preferences(customer_id: str) -> Key:
    return Key(customer_partition(customer_id), PREFERENCES)


def sending() -> Key:
    return Key("CONTROL#sending", CONTROL)


def pace() -> Key:
    return Key("CONTROL#pace", CONTROL)


def breaker(flow: str) -> Key:
    return Key(f"CONTROL#breaker#{flow}", CONTROL)


def limit(kind: str, subject: str, secret: bytes) -> Key:
    """Keyed by HMAC-SHA-256, because what is limited may be an address."""
    digest = hmac.new(secret, f"limit\0{kind}\0{subject}".encode(), hashlib.sha256).hexdigest()
    return Key(f"LIMIT#{kind}#{digest}", "LIMIT")


def import_partition(import_id: str) -> str:
    return f"IMPORT#{import_id}"


def import_(import_id: str) -> Key:
    return Key(import_partition(import_id), "IMPORT")


def import_progress(import_id: str) -> Key:
    return Key(import_partition(import_id), "PROGRESS")


def import_chunk(import_id: str, chunk: int) -> Key:
    return Key(import_partition(import_id), f"{CHUNK_PREFIX}{chunk:06}")


def chunk_of(sk: str) -> int:
    return int(sk.removeprefix(CHUNK_PREFIX))


def import_row(import_id: str, row: int) -> Key:
    return Key(import_partition(import_id), f"ROW#{row:08}")


def import_listing(import_id: str) -> Key:
    return Key(IMPORTS_PARTITION, import_id)


def import_file(name: str) -> Key:
    """Keyed by a hash, because whoever named the file may have named a person."""
    return Key(f"FILE#{hashlib.sha256(name.encode()).hexdigest()}", "FILE")


def import_content(digest: str) -> Key:
    return Key(f"CONTENT#{digest}", "CONTENT")


def segment(name: str) -> Key:
    return Key(SEGMENTS_PARTITION, name)


def segment_version(name: str, version: int) -> Key:
    return Key(f"SEGMENT_VERSION#{name}", f"VERSION#{version:06}")


def membership(segment: str, customer_id: str) -> Key:
    return Key(memberships_partition(segment, shard_of(customer_id)), customer_id)


def memberships_partition(segment: str, shard: int) -> str:
    return f"SEGMENT#{segment}#{shard}"


def segment_of(pk: str) -> str:
    return pk.split("#")[1]


def night(day: date) -> Key:
    return Key(NIGHTS_PARTITION, day.isoformat())


def pointer() -> Key:
    return Key("CONTROL#night", CONTROL)


def traits() -> Key:
    return Key("CONTROL#traits", CONTROL)


def import_id_of(pk: str) -> str:
    return pk.removeprefix("IMPORT#")


def job_id_of(pk: str) -> str:
    return pk.removeprefix("JOB#")


def customer_id_of(pk: str) -> str:
    return pk.removeprefix("CUSTOMER#")


def _shard(name: str, shards: int) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % shards
