"""A person's own pages: what they show is plain data, their words are beside them."""

from typing import Any

from ecrm.application.unsubscribes import Unsubscribing
from ecrm.domain.links import Language
from ecrm.domain.sites import Site
from ecrm.domain.templates import choose
from ecrm.domain.topics import Topic

from .person_words import WORDS
from .rendering import Pages
from .words import DIRECTIONS, NAMES, TAGS


class PersonPages:
    """Each page offers the other languages at its foot."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def unsubscribe(self, page: Unsubscribing, language: Language) -> str:
        return self._render(
            "unsubscribe",
            page.site,
            language,
            title="unsubscribed" if page.is_done else "unsubscribe_title",
            topic=name_of(page.topic, language, page.site) if page.topic else None,
            done=page.is_done,
            everything=page.is_everything,
            preferences_url=page.preferences_url,
        )

    def _render(self, name: str, site: Site, language: Language, *, title: str, **values: Any) -> str:
        words = WORDS[language]
        return self._pages.render(
            name,
            language,
            p=words,
            title=words[title],
            brand=site.brand,
            address=site.postal_address,
            choices=[_choice(each, language) for each in Language],
            **values,
        )


def name_of(topic: Topic, language: Language, site: Site) -> str:
    """Name a topic in the reader's language, else in the site's first that it has a name in."""
    return topic.names[choose(topic.names, language, site.languages)]


def _choice(each: Language, current: Language) -> dict[str, Any]:
    return {
        "code": each.value,
        "tag": TAGS[each],
        "direction": DIRECTIONS[each],
        "name": NAMES[each],
        "current": each is current,
    }
