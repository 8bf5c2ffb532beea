"""A person's own pages with samples in them, as they are looked at in three languages."""

from collections.abc import Iterator
from datetime import UTC, datetime

from ecrm.application.data_requests import DataFiles, DataKind, DataRequest, MyData
from ecrm.application.opt_ins import OptIn
from ecrm.application.preferences import ChannelChoice, Note, PreferencePage, TopicChoice
from ecrm.application.unsubscribes import Unsubscribing
from ecrm.domain.consent import Channel
from ecrm.domain.jobs import JobState
from ecrm.domain.links import Language
from ecrm.domain.preferences import Frequency
from ecrm.domain.sites import Site
from ecrm.domain.topics import Topic
from ecrm.messaging.person_pages import PersonPages

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HERE = "https://shop.example.com/public"
BRANDS = {Language.ENGLISH: "Blue Note", Language.PERSIAN: "کتاب‌فروشی آبی", Language.CHINESE: "蓝调唱片"}


def _topic(name: str, names: tuple[str, str, str], told: tuple[str, str, str]) -> Topic:
    return Topic(
        topic=name,
        names=dict(zip(Language, names, strict=True)),
        descriptions=dict(zip(Language, told, strict=True)),
        double_opt_in=True,
        channels=(Channel.EMAIL,),
        updated_at=NOW,
    )


NEWS = _topic(
    "news",
    ("Newsletter", "خبرنامه", "新闻通讯"),
    ("New records, twice a month", "آثار تازه، ماهی دو بار", "新唱片，每月两次"),  # noqa: RUF001 (Chinese)
)
OFFERS = _topic("offers", ("Offers", "پیشنهادهای ویژه", "优惠"), ("Now and then", "گاه‌به‌گاه", "不定期"))


def person_pages(pages: PersonPages) -> dict[str, str]:
    """Render what is looked at, by name."""
    return {f"{name}-{language}": page for language in Language for name, page in _pages(pages, language)}


def _pages(pages: PersonPages, language: Language) -> Iterator[tuple[str, str]]:
    site = Site(
        site="de",
        brand=BRANDS[language],
        languages=(language,),
        time_zone="Asia/Tehran",
        currency="EUR",
        postal_address="1 Main Street, 10115 Berlin",
        updated_at=NOW,
    )
    leaving = Unsubscribing(site=site, topic=NEWS, language=language, preferences_url=f"{HERE}/preferences/x")
    yield "unsubscribe", pages.unsubscribe(leaving, language)
    left = Unsubscribing(site=site, topic=NEWS, language=language, preferences_url=f"{HERE}/preferences/x", is_done=True)
    yield "unsubscribed", pages.unsubscribe(left, language)
    yield "preferences", pages.preferences(_preferences(site, language, None), language)
    yield "chosen", pages.preferences(_preferences(site, language, datetime(2026, 12, 20, 12, tzinfo=UTC)), language)
    for name, is_done in (("confirm", False), ("confirmed", True)):
        yield name, pages.opt_in(OptIn(site=site, language=language, topics=(NEWS, OFFERS), is_done=is_done), language)
    yield "my-data", pages.my_data(MyData(site=site, language=language), language)
    yield "my-data-asked", pages.my_data(MyData(site=site, language=language, is_asked=True), language)
    yield "erase", pages.data_request(DataRequest(site=site, language=language, kind=DataKind.ERASURE), language)
    copied = DataRequest(site=site, language=language, kind=DataKind.EXPORT, is_done=True, files_url=f"{HERE}/data/x")
    yield "copy", pages.data_request(copied, language)
    files = (("019aa2c7d1e07a3e9b1f5a9b2d4e6f81.json", f"{HERE}/a"), ("019aa2c7d1e07a3e9b1f5a9b2d4e6f81.csv", f"{HERE}/b"))
    yield "files", pages.data_files(DataFiles(site=site, language=language, state=JobState.DONE, files=files), language)
    yield "waiting", pages.data_files(DataFiles(site=site, language=language, state=JobState.QUEUED, files=()), language)


def _preferences(site: Site, language: Language, paused_until: datetime | None) -> PreferencePage:
    others = (
        ChannelChoice(Channel.POST, is_on=False, is_open=True, note=None),
        ChannelChoice(Channel.PUSH, is_on=True, is_open=True, note=Note.WAITING),
        ChannelChoice(Channel.SMS, is_on=False, is_open=False, note=Note.SHUT),
    )
    return PreferencePage(
        site=site,
        link_language=language,
        topics=(
            TopicChoice(NEWS, is_on=True, others=others if paused_until else ()),
            TopicChoice(OFFERS, is_on=False, others=()),
        ),
        frequency=Frequency.WEEKLY,
        paused_until=paused_until,
        language=language,
        has_birthday=True,
        is_blocked=False,
        my_data_url=f"{HERE}/my-data/x",
        is_saved=paused_until is not None,
        asked=(OFFERS,) if paused_until else (),
        wrong_birthday=("2", "30") if paused_until else None,
    )
