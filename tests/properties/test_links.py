"""Links of templates (P1): whatever an author writes and values say, what is kept of one that is followed is nobody's own.

And none leads where neither the author's text nor one value that it begins with says (§4).
"""

from html.parser import HTMLParser
from urllib.parse import urlsplit

from hypothesis import event, given, settings
from hypothesis import strategies as st

from ecrm.application.templates import Material
from ecrm.domain.delivery import shown_link
from ecrm.domain.errors import Invalid
from ecrm.domain.templates import Purpose, Template, Variant
from ecrm.messaging.mails import Mails
from ecrm.messaging.samples import LINKS
from tests.builders import a_stored_site

CANARY, EVIL = "canary", "evil"
MAILS = Mails()
SITE = a_stored_site(postal_address="Ringstraße 1, Berlin", url="https://site.example")
READER = {"name": CANARY, "tags": [CANARY, f"/{CANARY}?"], "page": f"https://reader.example/{CANARY}"}
HOSTILE = st.sampled_from([f"@{EVIL}.example/", f"//{EVIL}.example", f".{EVIL}.example", f"{EVIL}script:x", "?", "#", "/", ""])
BEGINNINGS = (
    "https://shop.example",
    "https://shop.example/p",
    "{{ data.url }}",
    "{{ site.url }}",
    "{{ data.no }}",
    "mailto:a",
    "",
)
TEXTS = (
    "/",
    "/",
    "//",
    "?",
    "#",
    "@x",
    ".x",
    " ",
    "javascript:",
    "https://",
    "\\",
    "&amp;a=",
    "{# ? #}",
    "{% raw %}?{% endraw %}",
)
VALUES = (
    *("{{ data.hostile }}", "{{ data.no }}", "{{ data.url }}", "{{ customer.name }}", "{{ customer.page }}", "{{ each }}"),
    *("{{ data.no | default: customer.name }}", "{{ segments | first }}", "{{ customer.name | upper | lower }}"),
)
BLOCKS = (
    *("{{% if data.no %}}{}{{% endif %}}", "{{% if data.url %}}{}{{% else %}}/{{% endif %}}"),
    *("{{% if data.no %}}{}{{% else %}}?{{% endif %}}", "{{% if data.no %}}?{{% elif data.url %}}{}{{% endif %}}"),
    *("{{% for each in customer.tags %}}{}{{% endfor %}}", "{{% for each in data.list %}}{}{{% else %}}?{{% endfor %}}"),
)
PART = st.one_of(st.sampled_from(TEXTS), st.sampled_from(VALUES))
PARTS = st.recursive(
    st.lists(PART, max_size=3).map("".join),
    lambda inner: st.tuples(inner, st.sampled_from(BLOCKS), inner, inner).map(
        lambda said: said[0] + said[1].format(said[2]) + said[3]
    ),
    max_leaves=6,
)


class _Links(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "a" and said.get("id") == "tried":
            self.found.append((said["href"] or "").strip())


@settings(max_examples=700)
@given(st.sampled_from(BEGINNINGS), PARTS, HOSTILE, st.sampled_from(["{}", "{{% for each in customer.tags %}}{}{{% endfor %}}"]))
def test_what_is_kept_of_a_link_is_nobodys_own_and_it_leads_where_its_author_says(
    beginning: str, parts: str, hostile: str, around: str
) -> None:
    link = around.format(f'<a id="tried" href="{beginning}{parts}">x</a>')
    html = f'{link}<a href="{{{{ links.unsubscribe }}}}">No more</a>{{{{ site.postal_address }}}}'
    template = Template(template="t", purpose=Purpose.MARKETING, variants={"en": Variant(subject="News", html=html)})
    data = {"url": "https://data.example", "hostile": hostile, "list": ["a", hostile]}
    material = Material(site=SITE, attributes=READER, segments=[CANARY], data=data, links=LINKS)
    try:
        MAILS.check(template)
        page = MAILS.render(template, "en", material).html
    except Invalid as refused:
        event(refused.code)
        return
    event("sent")
    for address in _Links(page).found:
        assert CANARY not in shown_link(address) or address.startswith(("mailto:", "#"))
        host = urlsplit(address.replace("\\", "/")).netloc
        assert EVIL not in host, address
        assert address == "" or address.startswith(("https://", "mailto:", "#")), address
