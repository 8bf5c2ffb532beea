"""docs/data-model.md beside the registries of the code: an item's key, an event's type."""

from ecrm.domain.events import CATALOGUE
from ecrm.store.keys import SHAPES
from tests.architecture.pages import code, table
from tests.architecture.sources import ROOT
from tests.architecture.stack import Stack

IRREGULAR = {"paid", "sent", "left"}


def test_every_key_shape_is_in_the_data_model_and_nothing_else_is() -> None:
    page = (ROOT / "docs" / "data-model.md").read_text(encoding="utf-8")
    listed = {item.strip("`"): (code(pk), code(sk)) for item, pk, sk in table(page, "item", "PK", "SK")}
    assert listed == {item: tuple(shape) for item, shape in SHAPES.items()}


def test_only_events_have_keys_that_wake_the_projection(stack: Stack) -> None:
    """The mapping's filter looks at the key's beginning, so no other item may begin so."""
    assert stack.of("Lambda::EventSourceMapping")["ProjectEventsMapping"]
    assert [item for item, (pk, sk) in SHAPES.items() if pk.startswith("CUSTOMER#") and sk.startswith("EVENT#")] == ["event"]


def test_only_requests_for_jobs_have_keys_that_wake_the_outbox() -> None:
    assert [item for item, (pk, sk) in SHAPES.items() if pk.startswith("JOB#") and sk.startswith("EVENT#")] == ["job_event"]


def test_every_event_type_is_in_the_catalogue_with_its_meaning() -> None:
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    assert {code(name): meaning for name, meaning in table(page, "type", "meaning")} == dict(CATALOGUE)


def test_every_event_type_is_dotted_and_past_tense() -> None:
    for name in CATALOGUE:
        subject, _, verb = name.rpartition(".")
        assert subject
        assert verb.endswith("ed") or verb in IRREGULAR, name
