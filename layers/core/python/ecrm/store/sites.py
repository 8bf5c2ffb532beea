"""Sites: few, in one partition; a site is never deleted, so a name once seen is known for good."""

from datetime import time, timedelta

from ecrm.domain.contact_policy import FREQUENCY_CAP, QUIET_HOURS, Cap, QuietHours
from ecrm.domain.instants import from_text, to_text
from ecrm.domain.sites import Site

from . import keys
from .table import Item, Refused, Table, put_as_seen


class DynamoSites:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, site: str) -> Site | None:
        item = self._table.get(keys.site(site), consistent=True)
        return _site_of(item) if item else None

    def all(self) -> tuple[Site, ...]:
        return tuple(_site_of(item) for item in self._table.query(keys.SITES_PARTITION, consistent=True))

    def write(self, site: Site, *, seen: int) -> Site | None:
        why = "site as it was seen"
        try:
            self._table.put(put_as_seen(_item(site), seen, why))
        except Refused as refused:
            return _site_of(refused.found[why])
        return None


_OPTIONAL = ("sender", "reply_to", "postal_address", "url", "logo_url", "accent")


def _item(site: Site) -> Item:
    key = keys.site(site.site)
    item: Item = {
        "PK": key.pk,
        "SK": key.sk,
        "type": "site",
        "v": 1,
        "version": site.version,
        "brand": site.brand,
        "languages": site.languages,
        "time_zone": site.time_zone,
        "currency": site.currency,
        "quiet_hours": [hours.start.isoformat(), hours.end.isoformat()] if (hours := site.quiet_hours) else [],
        "frequency_cap": [cap.most, int(cap.within.total_seconds())] if (cap := site.frequency_cap) else [],
        "updated_at": to_text(site.updated_at),
    }
    if site.test_recipients:
        item["test_recipients"] = site.test_recipients
    if site.mails:
        item["mails"] = site.mails
    return item | {name: getattr(site, name) for name in _OPTIONAL if getattr(site, name) is not None}


def _site_of(item: Item) -> Site:
    return Site(
        site=item["SK"],
        brand=item["brand"],
        languages=tuple(item["languages"]),
        time_zone=item["time_zone"],
        currency=item["currency"],
        updated_at=from_text(item["updated_at"]),
        version=item["version"],
        test_recipients=tuple(item.get("test_recipients", ())),
        quiet_hours=_quiet_hours_of(item),
        frequency_cap=_frequency_cap_of(item),
        mails=item.get("mails", {}),
        **{name: item.get(name) for name in _OPTIONAL},
    )


def _quiet_hours_of(item: Item) -> QuietHours | None:
    """An empty list is none; a site that was written before there were any has what holds for one that says nothing."""
    said = item.get("quiet_hours")
    if said is None:
        return QUIET_HOURS
    return QuietHours(*map(time.fromisoformat, said)) if said else None


def _frequency_cap_of(item: Item) -> Cap | None:
    said = item.get("frequency_cap")
    if said is None:
        return FREQUENCY_CAP
    return Cap(said[0], timedelta(seconds=said[1])) if said else None
