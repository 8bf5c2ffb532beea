"""Writing templates, reading every version of them, and trying them out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from ecrm.domain.attributes import vouched
from ecrm.domain.errors import Invalid, NotFound
from ecrm.domain.products import Product
from ecrm.domain.sites import Site
from ecrm.domain.templates import Purpose, Template, TemplateHead, choose, direction_of, looked_up

from .definitions import put_definition
from .orders import OrderView
from .ports import Sites, Topics
from .profiles import Profile


@dataclass(frozen=True, slots=True)
class CartItem:
    product: Product
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPlace:
    """Of which run of which campaign a mail is, and as which treatment of which of its messages; empty where of none."""

    campaign: str = ""
    run: str = ""
    message: str = ""
    treatment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a mail is made from beside its template. `attributes` are the customer's, by name; `data` is the caller's own.

    `segments` are the names of those that the customer is in; `products` and `cart` are as the catalogue tells them.
    """

    site: Site
    attributes: Mapping[str, Any] = field(default_factory=dict)
    segments: Sequence[str] = ()
    products: Sequence[Product] = ()
    cart: Sequence[CartItem] = ()
    order: OrderView | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    campaign: CampaignPlace = CampaignPlace()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    subject: str
    preheader: str
    html: str
    text: str

    @property
    def size_bytes(self) -> int:
        """Of the HTML part, which mail programs clip."""
        return len(self.html.encode())


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that an author should know and that hinders nothing; `line` counts from 1."""

    pointer: str
    line: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Preview:
    language: str
    mail: Rendered
    warnings: Sequence[Warned]


class Renderer(Protocol):
    def includes(self, template: Template, /) -> frozenset[str]:
        """Name the partials that a template includes, whether they are there or not."""
        ...

    def asks_for(self, template: Template, language: str, /) -> frozenset[str]:
        """Name what a variant speaks of, such as `cart` and `segments`, so that nobody reads what it does not."""
        ...

    def check(self, template: Template) -> Sequence[Warned]:
        """Give what an author should know. Raises Invalid, with the line of each thing that can never be right."""
        ...

    def render(self, template: Template, language: str, material: Material) -> Rendered:
        """Make the mail of one of the template's variants. Raises Invalid where the values are not what it can be made from."""
        ...

    def preview(self, template: Template, language: str, material: Material) -> Preview:
        """Render with a sample order and links where there are none, and say which values were missing."""
        ...


class Templates(Protocol):
    def find(self, name: str, /) -> Template | None:
        """Give the newest version, strongly consistent."""
        ...

    def version(self, name: str, version: int, /) -> Template | None: ...

    def heads(self) -> tuple[TemplateHead, ...]: ...

    def write(self, template: Template, /, *, seen: int) -> Template | None:
        """Write the next version if the newest is still `seen` (0: none yet); else give the newest."""
        ...


type ReadyMade = Callable[[], Mapping[str, Template]]
"""Gives the templates that are there before anybody has written one, by name."""


def put_template(
    template: Template,
    *,
    expected_version: int | None,
    templates: Templates,
    ready_made: ReadyMade,
    topics: Topics,
    sites: Sites,
    renderer: Renderer,
) -> tuple[Template, bool, Sequence[Warned]]:
    """Write a version of a template, as `put_definition` does, with the partials that it includes as they are now.

    Raises Invalid where it cannot be rendered or must not be sent.
    """
    if template.purpose is Purpose.MARKETING:
        if template.topic is None:
            raise Invalid.at("/topic", "missing", "a marketing template names the topic that it needs consent to")
        if topics.find(template.topic) is None:
            raise Invalid.at("/topic", "unknown_topic", "no such topic")
    elif template.topic is not None:
        raise Invalid.at("/topic", "topic_unused", "only a marketing template needs consent, and names a topic")
    template = pinned(template, templates=templates, ready_made=ready_made, renderer=renderer)
    warnings = [*renderer.check(template), *_unfit(template, sites)]
    stored, is_new = put_definition(
        template.template,
        lambda version: replace(template, version=version),
        expected_version=expected_version,
        definitions=templates,
    )
    return stored, is_new, warnings


def _unfit(template: Template, sites: Sites) -> Iterator[Warned]:
    """Tell of what a template lacks for the sites that can use it, and they for it; a partial goes out with others alone.

    Sites that name it among their mails have readers of all their languages. Any other may be a mail of each site that sends, and
    is held to its first language, which is what a reader gets whose own is missing.
    """
    if template.purpose is Purpose.PARTIAL:
        return
    sending = [site for site in sites.all() if site.sender is not None]
    naming = [site for site in sending if template.template in site.mails.values()]
    spoken: dict[str, str] = {}
    for site in naming or sending:
        for language in site.languages if naming else site.languages[:1]:
            spoken.setdefault(language, site.site)
        if template.purpose is Purpose.MARKETING and not site.has_postal_address:
            yield Warned("/purpose", 1, "no_postal_address", f"the site {site.site} sends no marketing: it has no postal address")
    for language, site_name in sorted(spoken.items()):
        if looked_up(language, template.variants) is None:
            detail = f"the site {site_name} speaks {language}, and there is no variant in it"
            yield Warned("/variants", 1, "missing_language", detail)


def read_template(name: str, *, templates: Templates, ready_made: ReadyMade) -> Template:
    """Give the company's own template, else the ready-made one of that name. Raises NotFound."""
    found = templates.find(name) or ready_made().get(name)
    if found is None:
        raise NotFound("no such template", code="template_not_found")
    return _completed(found, templates, ready_made)


def read_template_version(name: str, version: int, *, templates: Templates, ready_made: ReadyMade) -> Template:
    """Give a version of a template, 0 being the ready-made one. Raises NotFound."""
    found = templates.version(name, version) if version else ready_made().get(name)
    if found is None:
        raise NotFound("no such version of a template", code="template_not_found")
    return _completed(found, templates, ready_made)


def pinned(template: Template, *, templates: Templates, ready_made: ReadyMade, renderer: Renderer) -> Template:
    """Give a template with the newest of each partial that it includes; those that are not there are left out."""
    if template.purpose is Purpose.PARTIAL:
        return template
    found = {name: templates.find(name) or ready_made().get(name) for name in sorted(renderer.includes(template))}
    partials = {name: partial for name, partial in found.items() if partial and partial.purpose is Purpose.PARTIAL}
    return replace(template, pinned={name: partial.version for name, partial in partials.items()}, partials=partials)


def _completed(template: Template, templates: Templates, ready_made: ReadyMade) -> Template:
    """Give a template with its partials as they were when it was saved; versions are never taken away."""
    if template.pinned.keys() <= template.partials.keys():
        return template
    partials = {
        name: read_template_version(name, version, templates=templates, ready_made=ready_made)
        for name, version in template.pinned.items()
    }
    return replace(template, partials=partials)


def list_templates(*, templates: Templates, ready_made: ReadyMade) -> tuple[TemplateHead, ...]:
    """Give every template by name: the company's, and those ready-made ones that it has none of its own for."""
    own = {head.template: head for head in templates.heads()}
    heads = {name: template.head for name, template in ready_made().items()} | own
    return tuple(heads[name] for name in sorted(heads))


def including(partial: Template, *, templates: Templates, ready_made: ReadyMade) -> Mapping[str, int]:
    """Give the version of a partial that each template includes, as it is now, by the template's name; of no partial, none.

    Reads what a list of the templates reads.
    """
    if partial.purpose is not Purpose.PARTIAL:
        return {}
    heads = list_templates(templates=templates, ready_made=ready_made)
    return {head.template: head.pinned[partial.template] for head in heads if partial.template in head.pinned}


@dataclass(frozen=True, slots=True, kw_only=True)
class TryOut:
    """How a template is to be tried: as for a customer or with sample `attributes`, with an order or with a sample one."""

    template: Template
    site: Site
    language: str | None = None
    profile: Profile | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    order: OrderView | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    segments: Sequence[str] = ()
    products: Sequence[Product] = ()
    cart: Sequence[CartItem] = ()


@dataclass(frozen=True, slots=True)
class TestSent:
    """What the provider said of one test mail; `reason` is its own word where it has not taken it."""

    to: str
    outcome: Literal["accepted", "refused", "not_sent", "unknown"]
    reason: str | None = None


def subject_of_test(made: Preview) -> str:
    """Give the subject with what marks a test, by whose letters no mail program is to lay out the words behind it."""
    return ("\u200f" if direction_of(made.language) == "rtl" else "") + "[Test] " + made.mail.subject


def preview(wanted: TryOut, *, renderer: Renderer) -> Preview:
    """Render a template as it would be sent, stored or not. Raises Invalid as saving it would, as far as it is shown."""
    attributes = {**(vouched(wanted.profile.attributes) if wanted.profile else {}), **wanted.attributes}
    language = wanted.language
    if language is None:
        language = choose(wanted.template.variants, attributes.get("language"), wanted.site.languages)
    elif language not in wanted.template.variants:
        raise Invalid.at("/language", "unknown_language", "the template has no variant in this language")
    shown = replace(wanted.template, variants={language: wanted.template.variants[language]})
    warnings = renderer.check(shown)
    material = Material(
        site=wanted.site,
        attributes=attributes,
        order=wanted.order,
        data=wanted.data,
        segments=wanted.segments,
        products=wanted.products,
        cart=wanted.cart,
    )
    made = renderer.preview(shown, language, material)
    if shown.purpose is Purpose.MARKETING and not wanted.site.has_postal_address:
        warnings = [
            *warnings,
            Warned("/purpose", 1, "no_postal_address", "the site sends no marketing: it has no postal address"),
        ]
    return replace(made, warnings=[*warnings, *made.warnings])
