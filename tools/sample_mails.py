"""The mails that come with the system, with samples in every place of them, as they are looked at in three languages."""

from ecrm.application.templates import Material
from ecrm.domain.links import Language
from ecrm.domain.sites import Site
from ecrm.domain.templates import READY_MADE, Purpose
from ecrm.messaging.mails import Mails
from ecrm.messaging.ready_made import ready_made
from ecrm.messaging.samples import LINKS, sample_cart, sample_order, sample_products
from tools.sample_person_pages import BRANDS, NOW

_NAMES = {Language.ENGLISH: "Sara", Language.PERSIAN: "سارا", Language.CHINESE: "小雅"}
_SAID = {
    "coupon": "AUTUMN-10",
    "valid_until": "2026-12-24",
    "cart_url": "https://example.com/cart",
    "names": ["News", "Offers"],
    "kind": "erasure",
    "title": "Autumn on vinyl",
    "opening": "Four records that we could not stop playing.",
    "vip": "You may listen before everybody else.",
    "stories": [
        {
            "title": "Hejira, pressed anew",
            "text": "Cut from the tapes, at half speed.",
            "url": "https://example.com/hejira",
            "image_url": "https://example.com/hejira.jpg",
            "image_text": "The sleeve: a road in the snow",
        },
        {"title": "Open until nine", "text": "In December, from Monday to Saturday."},
    ],
}


def sample_mails() -> dict[str, str]:
    """Render what is looked at, by name."""
    mails, templates = Mails(), ready_made()
    return {
        f"mail-{name}-{language}": mails.render(templates[name], language, _material(language)).html
        for name, purpose in READY_MADE.items()
        if purpose is not Purpose.PARTIAL
        for language in Language
    }


def _material(language: Language) -> Material:
    site = Site(
        site="de",
        brand=BRANDS[language],
        languages=(language,),
        time_zone="Asia/Tehran",
        currency="EUR",
        url="https://example.com",
        accent="#c2185b",
        postal_address="1 Main Street, 10115 Berlin",
        updated_at=NOW,
    )
    return Material(
        site=site,
        attributes={"first_name": _NAMES[language]},
        segments=("vip",),
        products=sample_products(site),
        cart=sample_cart(site),
        order=sample_order(site),
        data=_SAID,
        links=LINKS,
    )
