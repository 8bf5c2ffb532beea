"""docs/contact-files.md says what is true: its examples are taken, its tables are those of the code."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from ecrm import bootstrap
from ecrm.contracts import headers
from ecrm.contracts.sidecars import SidecarBody
from ecrm.domain import reasons
from ecrm.domain.consent import Channel
from ecrm.domain.imports import Kind
from tests.architecture.pages import CODE, section, table
from tests.cloud import Cloud
from tests.folder import Folder, a_topic
from tests.functions.api import ROOT, Shop
from tests.functions.mail import ses

PAGE = ROOT / "docs" / "contact-files.md"
SECTIONS = {kind: kind.value.capitalize() for kind in Kind}
REASONS = {
    "Files that were not read": reasons.FILE,
    "Rows that were not taken": reasons.ROW,
    "Rows that were not worked on": reasons.SKIP,
    "What was left aside": reasons.WARNING,
}
NEEDS = {Kind.SHIPMENTS: (Kind.ORDERS,)}


def example(kind: Kind) -> str:
    found = re.search(r"^```csv\n(.*?)^```", section(PAGE, SECTIONS[kind]), re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.mark.parametrize("title", REASONS)
def test_every_code_is_explained_in_the_words_of_the_rejects(title: str) -> None:
    said = {code.strip("`"): text for code, text in table(section(PAGE, title), "code", _second(title))}
    assert said.keys() == REASONS[title].keys()
    for code, sentence in REASONS[title].items():
        assert said[code].startswith(sentence[0].upper() + sentence[1:] + "."), code


def _second(title: str) -> str:
    return "what it means" if title == "Rows that were not worked on" else "what it means, and what to do"


@pytest.mark.parametrize("kind", Kind)
def test_every_target_has_names_that_mean_it(kind: Kind) -> None:
    rows = table(section(PAGE, SECTIONS[kind]), "target", "some of its names")
    assert [target.strip("`") for target, _ in rows] == _sorted_as(rows, kind)
    for target, names in rows:
        for name in CODE.findall(names):
            assert headers.target_of(kind, name) == target.strip("`"), name


def _sorted_as(rows: list[list[str]], kind: Kind) -> list[str]:
    """Every target of the kind, in the order of the page."""
    order = [target.strip("`") for target, _ in rows]
    return sorted(headers.synonyms(kind), key=lambda target: order.index(target) if target in order else len(order))


@pytest.mark.parametrize("kind", Kind)
def test_an_example_is_taken_whole(cloud: Cloud, kind: Kind) -> None:
    folder = Folder(cloud.s3, topics=(a_topic("news", Channel.EMAIL),))
    for before in NEEDS.get(kind, ()):
        folder.drop(f"{before}/first.csv", example(before), sidecar={"locale": "en-GB"})
    told = folder.drop(f"{kind}/example.csv", example(kind), sidecar={"locale": "en-GB"})
    counted = {name: told[name] for name in ("state", "rejected", "skipped", "unchanged")}
    assert {"state": "done", "rejected": 0, "skipped": 0, "unchanged": 0} == counted
    assert ({}, []) == (told["warnings"], told["column_warnings"])


def test_the_example_of_a_sidecar_is_one_and_its_fields_are_all_there() -> None:
    text = section(PAGE, "The sidecar")
    found = re.search(r"^```json\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found
    SidecarBody.model_validate(json.loads(found[1]))
    assert [row[0].strip("`") for row in table(text, "field", "what it says")] == _in_the_order_of_the_page(text)


def _in_the_order_of_the_page(text: str) -> list[str]:
    order = [row[0].strip("`") for row in table(text, "field", "what it says")]
    return sorted(SidecarBody.model_fields, key=lambda name: order.index(name) if name in order else len(order))


def test_a_yes_without_the_proof_that_its_topic_wants_stays_pending_and_asks_nobody(cloud: Cloud) -> None:
    """As the page says of `needs_proof`, and that the same file with its proof in the sidecar is the remedy."""
    bootstrap.topics().write(replace(a_topic("news", Channel.EMAIL, double_opt_in=True), version=1), seen=0)
    cloud.arm()
    proof: dict[str, Any] = {"kind": "signature", "confirmed_at": "2026-11-20T12:00:00Z"}
    found = []
    with ses() as provider:
        for name, more in (("before", {}), ("after", {"proof": proof})):
            sidecar = {"consent": {"channel": "email", "topic": "news", "source": "a list on paper", **more}}
            cloud.drop(f"contacts/{name}.csv", b"E-mail,Newsletter\nsara@example.com,yes\n", sidecar=sidecar)
            cloud.import_files()
            cloud.publish()
            assert [] == cloud.send()
            (customer_id,) = bootstrap.customers().all_ids()
            (consent,) = Shop(cloud, customer_id).call("GET", f"/v1/customers/{customer_id}/consents").json["consents"]
            found.append(consent["effective"])
    assert (["pending", "granted"], []) == (found, provider.mails)
