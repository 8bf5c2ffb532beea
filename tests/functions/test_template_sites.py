"""What an author is told of the sites that can use a template: languages that it lacks, and marketing that they do not send."""

from typing import Any

from ecrm.domain.api_keys import KeyKind
from tests.builders import a_site
from tests.cloud import Cloud
from tests.functions.api import Shop, open_shop
from tests.functions.test_templates import a_template, preview, put

NEWS_HTML = '<p>{{ site.postal_address }}</p><a href="{{ links.unsubscribe }}">No more</a>'


def site(shop: Shop, name: str, **said: Any) -> None:
    assert shop.call("PUT", f"/v1/sites/{name}", a_site(**said), key=shop.cloud.key(KeyKind.STAFF)).status in (200, 201)


def test_an_author_is_told_what_a_template_lacks_for_the_sites_that_can_use_it(cloud: Cloud) -> None:
    shop = open_shop(cloud)
    for each in ("de", "fr"):
        site(shop, each, sender=None)

    def told(name: str, body: dict[str, Any] | None = None) -> list[tuple[str, str]]:
        return [(each["code"], each["detail"]) for each in put(shop, name, body).json["warnings"]]

    assert [] == told("mail")
    site(shop, "ir", languages=["fa", "en", "de"], sender="a@example.com")
    site(shop, "cn", languages=["zh"], sender="a@example.com", postal_address="Shanghai")
    persian, chinese, german = (
        ("missing_language", f"the site {name} speaks {language}, and there is no variant in it")
        for name, language in (("ir", "fa"), ("cn", "zh"), ("ir", "de"))
    )
    assert [persian, chinese] == told("mail")
    site(shop, "ir", languages=["fa", "en", "de"], sender="a@example.com", mails={"order.placed": "mail"})
    assert [german, persian] == told("mail")
    no_address = ("no_postal_address", "the site ir sends no marketing: it has no postal address")
    marketing = a_template(NEWS_HTML, purpose="marketing", topic="news")
    assert [no_address, persian, chinese] == told("news", marketing)
    assert [] == told("piece", {"purpose": "partial", "variants": {"en": {"html": "<p>We</p>"}}})
    assert ["no_postal_address"] == [
        each["code"] for each in preview(shop, template=marketing, site="ir").json["warnings"] if each["code"] != "missing_value"
    ]
    assert [] == preview(shop, template=marketing, site="cn").json["warnings"]
