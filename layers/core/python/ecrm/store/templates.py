"""Templates: a small head that names the newest version, and every version whole, in an item that never changes.

So a list reads no mail, and whoever sends reads the head alone: a version that was read once stays in memory.
"""

from typing import Any

from ecrm.domain.instants import from_text, to_text
from ecrm.domain.templates import Purpose, Template, TemplateHead, Variant

from . import keys
from .table import Item, Put, Refused, Table, put_as_seen

MOST_KEPT = 50
"""Versions that are kept in memory; at 300 KB each, 15 MB at most."""


class DynamoTemplates:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._seen: dict[tuple[str, int], Template] = {}

    def find(self, name: str) -> Template | None:
        """One read unit where the newest version is in memory."""
        head = self._table.get(keys.template(name), consistent=True)
        return self.version(name, head["version"]) if head else None

    def version(self, name: str, version: int) -> Template | None:
        known = self._seen.get((name, version))
        if known is not None:
            return known
        item = self._table.get(keys.template_version(name, version), consistent=True)
        if item is None:
            return None
        if len(self._seen) >= MOST_KEPT:
            self._seen.clear()
        self._seen[name, version] = found = _template_of(item, name)
        return found

    def heads(self) -> tuple[TemplateHead, ...]:
        return tuple(_head_of(item) for item in self._table.query(keys.TEMPLATES_PARTITION, consistent=True))

    def write(self, template: Template, *, seen: int) -> Template | None:
        why = "template as it was seen"
        try:
            self._table.write(
                (
                    put_as_seen(_head(template), seen, why),
                    Put(_item(template), "attribute_not_exists(PK)", "version is new"),
                )
            )
        except Refused as refused:
            return self.version(template.template, refused.found[why]["version"])
        return None


def _head(template: Template) -> Item:
    key = keys.template(template.template)
    head = template.head
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "template", "v": 1, "languages": head.languages}
    return item | _shared(template)


def _item(template: Template) -> Item:
    key = keys.template_version(template.template, template.version)
    variants = {
        language: {"subject": said.subject, "preheader": said.preheader, "html": said.html}
        | ({} if said.text is None else {"text": said.text})
        for language, said in template.variants.items()
    }
    item: Item = {"PK": key.pk, "SK": key.sk, "type": "template_version", "v": 1, "variants": variants}
    return item | _shared(template)


def _shared(template: Template) -> Item:
    if template.updated_at is None:
        raise ValueError("only ready-made templates have no time, and those are not stored")
    topic = {} if template.topic is None else {"topic": template.topic}
    pinned = {"pinned": template.pinned} if template.pinned else {}
    return {"version": template.version, "purpose": template.purpose, "updated_at": to_text(template.updated_at)} | topic | pinned


def _head_of(item: Item) -> TemplateHead:
    return TemplateHead(template=item["SK"], languages=tuple(item["languages"]), **_shared_of(item))


def _template_of(item: Item, name: str) -> Template:
    variants = {language: Variant(**said) for language, said in item["variants"].items()}
    return Template(template=name, variants=variants, **_shared_of(item))


def _shared_of(item: Item) -> dict[str, Any]:
    return {
        "version": item["version"],
        "purpose": Purpose(item["purpose"]),
        "topic": item.get("topic"),
        "updated_at": from_text(item["updated_at"]),
        "pinned": item.get("pinned", {}),
    }
