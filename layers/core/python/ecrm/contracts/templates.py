"""Templates on the wire."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints

from ecrm.application.templates import Preview, TestSent, Warned, subject_of_test
from ecrm.domain import instants
from ecrm.domain.errors import Invalid
from ecrm.domain.templates import Purpose, Template, TemplateHead, Variant, direction_of

from .fields import (
    TEMPLATE_ID,
    Answer,
    Body,
    CustomerId,
    Email,
    Language,
    OrderId,
    Restated,
    SiteId,
    TemplateName,
    TopicId,
    not_blank,
)

Line = Annotated[str, StringConstraints(max_length=500)]
SegmentName = Annotated[str, StringConstraints(pattern=TEMPLATE_ID)]
"""Segments are named as templates are."""
PurposeName = Literal["transactional", "marketing", "partial"]


class VariantBody(Restated):
    """A template in one language. The plain text is derived from the HTML where none is given; a partial has no subject."""

    READ_ONLY = frozenset({"direction"})

    subject: Annotated[Line, AfterValidator(not_blank)] | None = None
    preheader: Line = ""
    html: Annotated[str, AfterValidator(not_blank)]
    text: str | None = None

    def to_variant(self) -> Variant:
        return Variant(subject=self.subject or "", preheader=self.preheader, html=self.html, text=self.text)


class PutTemplateBody(Restated):
    """What a mail says, by language. A marketing template names the topic that its receivers consented to."""

    READ_ONLY = frozenset({"template", "languages", "ready_made", "version", "updated_at", "partials", "used_by", "warnings"})

    purpose: PurposeName
    topic: TopicId | None = None
    variants: Annotated[dict[Language, VariantBody], Field(min_length=1, max_length=20)]

    def to_template(self, template: str, now: datetime | None = None) -> Template:
        if not re.fullmatch(TEMPLATE_ID, template):
            detail = "a template is named by lower-case letters, digits, hyphens and underscores, 40 at most"
            raise Invalid(detail, code="bad_template")
        for language, said in self.variants.items():
            self._refuse_subject(said, f"/variants/{language}/subject")
        return Template(
            template=template,
            purpose=Purpose(self.purpose),
            topic=self.topic,
            variants={language: said.to_variant() for language, said in self.variants.items()},
            updated_at=now,
        )

    def _refuse_subject(self, said: VariantBody, pointer: str) -> None:
        """Let every mail have a subject, and no piece of one."""
        if self.purpose != "partial" and said.subject is None:
            raise Invalid.at(pointer, "missing", "a mail has a subject")
        if self.purpose == "partial" and (said.subject is not None or said.preheader):
            raise Invalid.at(pointer, "subject_unused", "a partial has neither subject nor preheader")


class TriedBody(Body):
    """What a template is tried with: a customer or sample attributes, an order or a sample one."""

    version: Annotated[int, Field(ge=0, le=999_999)] | None = None
    language: Language | None = None
    site: SiteId | None = None
    customer_id: CustomerId | None = None
    customer: dict[str, Any] | None = None
    segments: Annotated[list[SegmentName], Field(max_length=100)] | None = None
    order_id: OrderId | None = None
    data: dict[str, Any] | None = None


class PreviewTemplateBody(TriedBody):
    """A template, given or named, and what it is to be tried with: a customer or sample attributes, an order or a sample one."""

    template: PutTemplateBody | None = None
    name: TemplateName | None = None


class SendTestBody(TriedBody):
    """Who is to get a template as a test, of the site's test recipients, and what it is tried with, as in a preview."""

    to: Annotated[list[Email], Field(min_length=1, max_length=5)]


class VariantAnswerBody(Answer):
    direction: str
    subject: str | None
    preheader: str
    html: str
    text: str | None

    @classmethod
    def of(cls, language: str, said: Variant) -> Self:
        return cls(
            direction=direction_of(language),
            subject=said.subject or None,
            preheader=said.preheader,
            html=said.html,
            text=said.text,
        )


class TemplateHeadBody(Answer):
    """`ready_made`: nobody has written one of this name, and this one comes with the system, at version 0."""

    template: TemplateName
    purpose: PurposeName
    topic: str | None
    languages: list[str]
    ready_made: bool
    version: int
    updated_at: str | None

    @classmethod
    def of(cls, head: TemplateHead) -> Self:
        return cls(
            template=head.template,
            purpose=head.purpose.value,
            topic=head.topic,
            languages=list(head.languages),
            ready_made=head.is_ready_made,
            version=head.version,
            updated_at=instants.to_answer(head.updated_at) if head.updated_at else None,
        )


class TemplatesPage(Answer):
    data: list[TemplateHeadBody]
    next_cursor: str | None


class TemplateBody(TemplateHeadBody):
    """`partials` are the versions of those that it includes, as they were when it was saved.

    `used_by` is of a partial: the version of it that each template has which includes it.
    """

    variants: dict[str, VariantAnswerBody]
    partials: dict[str, int]
    used_by: dict[str, int]

    @classmethod
    def of_template(cls, template: Template, used_by: Mapping[str, int]) -> Self:
        head = TemplateHeadBody.of(template.head)
        variants = {language: VariantAnswerBody.of(language, said) for language, said in sorted(template.variants.items())}
        return cls(**dict(head), variants=variants, partials=dict(template.pinned), used_by=dict(used_by))


class TemplateWarningBody(Answer):
    """Something that hinders nothing; `line` counts from 1 within the part that `pointer` names."""

    pointer: str
    line: int
    code: str
    detail: str

    @classmethod
    def all_of(cls, warnings: Sequence[Warned]) -> list[Self]:
        return [cls(pointer=each.pointer, line=each.line, code=each.code, detail=each.detail) for each in warnings]


class TemplateSavedBody(TemplateBody):
    warnings: list[TemplateWarningBody]

    @classmethod
    def of_saved(cls, template: Template, used_by: Mapping[str, int], warnings: Sequence[Warned]) -> Self:
        return cls(**dict(TemplateBody.of_template(template, used_by)), warnings=TemplateWarningBody.all_of(warnings))


class PreviewBody(Answer):
    """A mail as it would be sent; `size_bytes` is its HTML part's."""

    language: str
    direction: str
    subject: str
    preheader: str
    html: str
    text: str
    size_bytes: int
    warnings: list[TemplateWarningBody]

    @classmethod
    def of(cls, made: Preview) -> Self:
        mail = made.mail
        return cls(
            language=made.language,
            direction=direction_of(made.language),
            subject=mail.subject,
            preheader=mail.preheader,
            html=mail.html,
            text=mail.text,
            size_bytes=mail.size_bytes,
            warnings=TemplateWarningBody.all_of(made.warnings),
        )


class TestSentBody(Answer):
    """What the provider said of one mail: `accepted`, `refused`, `not_sent`, or `unknown`; `reason` is its own word."""

    to: str
    outcome: Literal["accepted", "refused", "not_sent", "unknown"]
    reason: str | None


class TestSendBody(Answer):
    """What was sent to whom; nothing of it is in any customer's history."""

    language: str
    subject: str
    size_bytes: int
    warnings: list[TemplateWarningBody]
    sent: list[TestSentBody]

    @classmethod
    def of(cls, made: Preview, sent: Sequence[TestSent]) -> Self:
        return cls(
            language=made.language,
            subject=subject_of_test(made),
            size_bytes=made.mail.size_bytes,
            warnings=TemplateWarningBody.all_of(made.warnings),
            sent=[TestSentBody(to=each.to, outcome=each.outcome, reason=each.reason) for each in sent],
        )
