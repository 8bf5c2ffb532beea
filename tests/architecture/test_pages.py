"""The documentation holds together: links lead somewhere, decisions are dated, costs add up."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.architecture.pages import CODE_BLOCK, anchors, section, table
from tests.architecture.sources import ROOT
from tests.architecture.stack import Stack, references

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
IDLE_BUDGET = Decimal(5)
COST = ROOT / "docs" / "cost.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(CODE_BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if not link.startswith(("http://", "https://", "mailto:")):
            path, _, place = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            assert target.exists(), link
            assert not place or place in anchors(target), link


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_is_dated_names_what_was_rejected_and_which_door_it_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"^20\d\d-\d\d-\d\d · (one-way|two-way) door$", text, re.MULTILINE)
    assert re.search(r"^\*\*Rejected", text, re.MULTILINE)


def test_decisions_are_numbered_without_gap_or_repetition() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_an_idle_stack_costs_no_more_than_it_may_and_the_page_counts_what_the_template_has(stack: Stack) -> None:
    rows = table(section(COST, "An idle stack"), "what", "count", "each", "a month")
    items = {what: (Decimal(count), Decimal(each), Decimal(month)) for what, count, each, month in rows[:-1]}
    for what, (count, each, month) in items.items():
        assert month == count * each, what
    assert items["alarm"][0] == len(stack.of("CloudWatch::Alarm"))
    assert items["mapped queue, polled"][0] == len(polled(stack))
    assert items["secret"][0] == len(stack.of("SecretsManager::Secret"))
    total = sum(month for _, _, month in items.values())
    assert rows[-1][0] == "**total**"
    assert Decimal(rows[-1][3].strip("*")) == total <= IDLE_BUDGET


def polled(stack: Stack) -> set[str]:
    """The queues that Lambda asks all day for messages."""
    mappings = stack.of("Lambda::EventSourceMapping").values()
    return set(stack.of("SQS::Queue")) & {name for mapping in mappings for name in references(mapping["EventSourceArn"])}


def test_what_polling_costs_is_reckoned_as_the_page_says() -> None:
    """Five pollers ask a queue that stays empty every twenty seconds, all month."""
    asked = Decimal(5 * 3 * 60 * 24 * 30)
    ((_, each),) = (row for row in table(section(COST, "An idle stack"), "what", "each") if row[0] == "mapped queue, polled")
    assert Decimal(each) == (asked / 1_000_000 * Decimal("0.40")).quantize(Decimal("0.01"))


def test_what_can_be_switched_off_is_listed_apart(stack: Stack) -> None:
    ((what, parameter, each),) = table(section(COST, "What can be switched off"), "what", "parameter", "a month")
    (dashboard,) = stack.of("CloudWatch::Dashboard")
    assert (what, parameter, each) == ("dashboard", "`Dashboard=off`", "3.00")
    assert stack.resources[dashboard]["Condition"] == "HasDashboard"
    assert stack.body["Conditions"]["HasDashboard"] == {"Fn::Equals": [{"Ref": "Dashboard"}, "on"]}


def test_no_check_is_switched_off_without_a_reason() -> None:
    """In the template, a rule that is ignored stands on a line with its reason."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    rules = [line for line in text.splitlines() if re.search(r"\b[EWI]S?\d{4}\b", line)]
    assert rules
    for line in rules:
        assert re.search(r"# .{20,}", line), line
    for name in (".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml"):
        assert not (ROOT / name).exists()
