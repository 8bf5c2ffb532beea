"""The restore drill: a side table made by AWS, and what the live one lacks brought back from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from ecrm.domain.api_keys import KeyKind
from ecrm.store.keys import SHAPES
from orders_api.handler import handler as orders
from sites_api.handler import handler as sites
from tests.builders import a_site, an_event, an_order
from tests.cloud import Cloud
from tests.faults import Deliver, Kill, Sent, at, kill_before, on, refused_with, tapped
from tools import restore
from tools.ecrm import main as ecrm

type Run = Callable[..., tuple[int, dict[str, int], list[str]]]
type Item = dict[str, Any]


@pytest.fixture
def shop(cloud: Cloud) -> Cloud:
    """Three customers with an order each, one of them refunded in part, all counted; the second page of a scan begins in it."""
    for number in range(3):
        body = an_order(order_id=f"A-{number}", customer={"user_id": f"u-{number}"})
        assert cloud.call(orders, "POST", "/v1/orders", body, headers={"idempotency-key": f"k-{number}"}).status == 201
    assert cloud.call(orders, "POST", "/v1/orders/A-1/events", an_event("refunded", amount="7.00")).status == 201
    cloud.project()
    return cloud


@pytest.fixture
def side(shop: Cloud) -> list[Item]:
    """What the table held at the moment that is restored; it stands in the table `side`."""
    names = ("PK", "SK")
    shop.dynamodb.create_table(
        TableName="side",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=True)],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
    )
    held = shop.items()
    for item in held:
        shop.dynamodb.put_item(TableName="side", Item=item)
    return held


@pytest.fixture
def run(side: list[Item], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command; gives its exit code, its counts, and what it complained about."""
    assert side

    def command(*words: str) -> tuple[int, dict[str, int], list[str]]:
        monkeypatch.setattr("sys.argv", ["restore", "--from", "side", "--to", "table", "--workers", "1", *words])
        capsys.readouterr()
        code, complaint = 0, ""
        try:
            restore.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            complaint = end.code if isinstance(end.code, str) else ""
        printed = capsys.readouterr()
        lines = [line.rpartition("\t") for line in printed.out.splitlines()]
        return code, {name.replace("\t", " "): int(times) for name, _, times in lines}, (printed.err + complaint).splitlines()

    return command


def lose(cloud: Cloud, prefix: str = "") -> None:
    """Delete every item whose SK begins so."""
    for item in cloud.items(prefix):
        cloud.dynamodb.delete_item(TableName="table", Key={"PK": item["PK"], "SK": item["SK"]})


def by_key(items: list[Item]) -> dict[tuple[str, str], Item]:
    return {(item["PK"]["S"], item["SK"]["S"]): item for item in items}


def of(items: list[Item], *kinds: str) -> dict[tuple[str, str], Item]:
    return by_key([item for item in items if restore.kind_of(item) in kinds])


RESTORED = ("profile", "order", "event", "identity", "order_pointer", "order_listing", "site")
EVERYTHING = {
    "event written": 7,
    "identity written": 3,
    "key left out": 1,
    "order written": 3,
    "order_listing written": 3,
    "order_pointer written": 3,
    "profile written": 3,
    "replay left out": 3,
    "site written": 1,
    "statistics left out": 3,
}


def test_every_kind_of_item_has_a_rule() -> None:
    assert set(SHAPES) == set(restore.RULES)


def test_a_table_that_lost_everything_gets_back_its_facts(shop: Cloud, side: list[Item], run: Run) -> None:
    lose(shop)
    assert (0, EVERYTHING, []) == run()
    assert of(side, *RESTORED) == by_key(shop.items())


def test_what_was_restored_is_counted_again_by_a_rebuild(
    shop: Cloud, side: list[Item], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose(shop)
    run()
    monkeypatch.setattr("sys.argv", ["ecrm", "stats", "rebuild"])
    ecrm()
    assert of(side, "statistics") == of(shop.items(), "statistics")


def test_a_dry_run_says_what_the_run_will_do_and_does_nothing(shop: Cloud, run: Run) -> None:
    lose(shop, "ORDER")
    left = shop.items()
    foreseen = run("--dry-run")
    assert left == shop.items()
    assert foreseen == run()
    assert {"order written": 3, "order_pointer written": 3, "event there already": 7}.items() <= foreseen[1].items()


def test_a_second_run_finds_nothing_to_do(shop: Cloud, run: Run) -> None:
    lose(shop)
    run()
    left = shop.items()
    code, counts, _ = run()
    assert (0, set()) == (code, {name for name in counts if name.endswith("written")})
    assert left == shop.items()


def test_what_is_newer_in_the_live_table_stays(shop: Cloud, run: Run) -> None:
    assert shop.call(orders, "POST", "/v1/orders/A-0/events", an_event("refunded", amount="1.00")).status == 201
    assert shop.call(sites, "PUT", "/v1/sites/de", a_site(brand="Newer"), key=shop.key(KeyKind.STAFF)).status == 200
    left = shop.items()
    code, counts, _ = run()
    assert (0, 1, 1, 2) == (code, counts["order newer there"], counts["site newer there"], counts["order there already"])
    assert left == shop.items()


def test_what_is_written_between_the_look_and_the_write_stays(shop: Cloud, side: list[Item], run: Run) -> None:
    lose(shop)
    newer = next(item for item in side if restore.kind_of(item) == "site") | {"version": {"N": "9"}}

    def overtake(sent: Sent, deliver: Deliver) -> AWSResponse:
        if "LIST#sites" in str(sent.ask) and sent.operation == "TransactWriteItems":
            shop.dynamodb.put_item(TableName="table", Item=newer)
        return deliver()

    with tapped(overtake):
        assert {"site newer there": 1}.items() <= run()[1].items()
    assert [newer] == list(of(shop.items(), "site").values())


def test_an_order_that_somebody_else_places_between_the_look_and_the_write_stays_away(
    shop: Cloud, side: list[Item], run: Run
) -> None:
    (pointer,) = (item for item in of(side, "order_pointer").values() if item["PK"]["S"].endswith("A-0"))
    theirs = pointer | {"customer_id": {"S": "somebody-else"}}
    lose(shop)

    def overtake(sent: Sent, deliver: Deliver) -> AWSResponse:
        if sent.operation == "TransactWriteItems" and "'SK': {'S': 'ORDER#de#A-0'}" in str(sent.ask):
            shop.dynamodb.put_item(TableName="table", Item=theirs)
        return deliver()

    with tapped(overtake):
        assert 1 == run()[0]
    assert 2 == len(of(shop.items(), "order"))
    assert theirs in shop.items()


def test_a_versioned_item_that_fell_back_is_brought_forward(shop: Cloud, side: list[Item], run: Run) -> None:
    (order,) = (item for item in side if restore.kind_of(item) == "order" and item["SK"]["S"].endswith("A-1"))
    older = {name: value for name, value in order.items() if name != "facts"} | {"version": {"N": "1"}}
    assert {"N": "2"} == order["version"]
    shop.dynamodb.put_item(TableName="table", Item=older)
    assert 1 == run()[1]["order written"]
    assert by_key(side) == by_key(shop.items())


def test_an_item_of_the_same_version_that_says_something_else_stays_and_is_named(shop: Cloud, side: list[Item], run: Run) -> None:
    site = next(item for item in side if restore.kind_of(item) == "site")
    shop.dynamodb.put_item(TableName="table", Item=site | {"brand": {"S": "another"}})
    left = shop.items()
    code, counts, complaints = run()
    assert (1, 1, ["site contradicted: LIST#sites de"]) == (code, counts["site contradicted"], complaints)
    assert left == shop.items()


def test_an_order_that_was_placed_again_by_somebody_else_is_not_mixed_with_the_first_one(shop: Cloud, run: Run) -> None:
    for prefix in ("ORDER", "EVENT#", "PROFILE", "IDENTITY", "20"):
        lose(shop, prefix)
    again = shop.call(orders, "POST", "/v1/orders", an_order(order_id="A-1", customer={"user_id": "somebody-else"}))
    assert again.status == 201
    left = by_key(shop.items())
    for words in (("--dry-run",), ()):
        code, counts, _ = run(*words)
        contradicted = {name.split()[0]: times for name, times in counts.items() if name.endswith("contradicted")}
        assert (1, {"order": 1, "event": 2, "order_listing": 1, "order_pointer": 1}) == (code, contradicted)
    now = by_key(shop.items())
    assert left == {key: item for key, item in now.items() if key in left}
    assert shop.call(orders, "GET", "/v1/orders/A-1").json["customer_id"] == again.json["customer_id"]


def test_a_key_that_was_revoked_since_stays_revoked_and_a_lost_one_comes_back_only_if_asked(
    shop: Cloud, side: list[Item], run: Run
) -> None:
    (key,) = of(side, "key").values()
    revoked = key | {"revoked_at": {"S": "2026-11-21T00:00:00.000000Z"}}
    shop.dynamodb.put_item(TableName="table", Item=revoked)
    assert {"key newer there": 1}.items() <= run("--with-keys")[1].items()
    assert [revoked] == list(of(shop.items(), "key").values())
    shop.dynamodb.delete_item(TableName="table", Key={"PK": key["PK"], "SK": key["SK"]})
    assert {"key left out": 1}.items() <= run()[1].items()
    assert {} == of(shop.items(), "key")
    assert {"key written": 1}.items() <= run("--with-keys")[1].items()
    assert [key] == list(of(shop.items(), "key").values())


def test_an_item_of_no_known_kind_is_left_and_named(shop: Cloud, run: Run) -> None:
    shop.dynamodb.put_item(TableName="side", Item={"PK": {"S": "WHAT"}, "SK": {"S": "EVER"}})
    code, counts, complaints = run()
    assert (1, 1, ["unknown left out: WHAT EVER"]) == (code, counts["unknown left out"], complaints)


@pytest.mark.parametrize("call", range(1, 50, 8))
def test_a_run_that_is_killed_goes_on_where_it_stood(shop: Cloud, side: list[Item], run: Run, tmp_path: Path, call: int) -> None:
    lose(shop)
    words = ("--progress", str(tmp_path / "progress"), "--page", "5")
    with pytest.raises(Kill), tapped(at(call, kill_before)) as before:
        run(*words)
    with tapped() as after:
        code, counts, complaints = run(*words)
    assert (0, [], len(side)) == (code, complaints, sum(counts.values()))
    assert [] == list(tmp_path.iterdir())
    assert of(side, *RESTORED) == by_key(shop.items())
    finished = max(before.count("Scan") - 1, 0)  # the page that it died in is begun again
    assert len(side) // 5 - finished == after.count("Scan")


def test_a_progress_file_of_another_run_is_refused(shop: Cloud, run: Run, tmp_path: Path) -> None:
    progress = tmp_path / "progress"
    with pytest.raises(Kill), tapped(at(20, kill_before)):
        run("--dry-run", "--progress", str(progress), "--page", "5")
    left = shop.items()
    code, counts, (complaint,) = run("--progress", str(progress))
    assert (1, {}, left) == (code, counts, shop.items())
    assert complaint.startswith(f"{progress} is of another run: ")


def test_the_table_s_refusals_end_a_run_with_a_word(shop: Cloud, run: Run) -> None:
    lose(shop)
    with tapped(on("TransactWriteItems", refused_with("AccessDeniedException"))):
        assert (1, {}, ["AccessDeniedException: what was done stays done; run it again"]) == run()
