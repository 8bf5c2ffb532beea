"""The restore drill: a side table made by AWS, and what the live one lacks brought back from it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from customers_api.handler import handler as customers
from ecrm import bootstrap
from ecrm.application.segment_ports import Night, Pointer
from ecrm.domain.api_keys import KeyKind
from ecrm.domain.campaigns import Head, Life, LifeState
from ecrm.domain.instants import to_answer
from ecrm.domain.nights import Generations, Membership, NightState
from ecrm.domain.runs import RunState
from ecrm.store import keys
from ecrm.store.keys import SHAPES
from ecrm.store.memberships import DynamoMemberships
from ecrm.store.nights import DynamoNights
from ecrm.store.table import Table
from messages_api.handler import handler as messages
from orders_api.handler import handler as orders
from segments_api.handler import handler as segments
from sites_api.handler import handler as sites
from tests.builders import NOON, a_consent, a_planned_send, a_proof, a_run, a_site, a_topic, an_event, an_order
from tests.cloud import Cloud
from tests.faults import Deliver, Kill, Sent, at, kill_before, on, refused_with, tapped
from tests.functions.test_erasure import found_in, planted, send
from tests.simulation.planning import RUN_ID, a_campaign
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
    return set_aside(shop)


def set_aside(cloud: Cloud) -> list[Item]:
    names = ("PK", "SK")
    cloud.dynamodb.create_table(
        TableName="side",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=True)],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
    )
    held = cloud.items()
    for item in held:
        cloud.dynamodb.put_item(TableName="side", Item=item)
    return held


@pytest.fixture
def run(side: list[Item], command: Run) -> Run:
    assert side
    return command


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command; gives its exit code, its counts, and what it complained about."""

    def run(*words: str) -> tuple[int, dict[str, int], list[str]]:
        monkeypatch.setattr("sys.argv", ["restore", "--from", "side", "--to", "table", "--workers", "1", *words])
        capsys.readouterr()
        code, complaint = 0, ""
        try:
            restore.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            complaint = end.code if isinstance(end.code, str) else ""
        printed = capsys.readouterr()
        lines = [
            line.rpartition("\t") for line in printed.out.splitlines() if "\t" in line
        ]  # others are of functions called meanwhile
        return code, {name.replace("\t", " "): int(times) for name, _, times in lines}, (printed.err + complaint).splitlines()

    return run


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


OF_A_PERSON = ("attributes", "consent", "contact", "event", "identity", "order", "order_listing", "order_pointer", "profile")
TOLD = ("product", "site", "topic")


def delete(cloud: Cloud, item: Item) -> None:
    cloud.dynamodb.delete_item(TableName="table", Key={"PK": item["PK"], "SK": item["SK"]})


def put(cloud: Cloud, item: Item) -> None:
    cloud.dynamodb.put_item(TableName="table", Item=item)


def stand(cloud: Cloud, kind: str) -> list[Item]:
    return list(of(cloud.items(), kind).values())


def counted(counts: dict[str, int], outcome: str) -> dict[str, int]:
    return {name.removesuffix(f" {outcome}"): times for name, times in counts.items() if name.endswith(f" {outcome}")}


def test_every_kind_of_item_but_jobs_and_counts_comes_back_as_it_was(cloud: Cloud, command: Run) -> None:
    customer_id = planted(cloud)
    send(cloud, "/v1/products/cup", {"name": "A cup", "stock": 3}, "PUT")
    send(cloud, f"/v1/customers/{customer_id}/export-jobs", None)
    side = set_aside(cloud)
    lose(cloud)
    code, counts, complaints = command()
    assert (0, []) == (code, complaints)
    assert {"consents", "job", "job_event", "job_listing", "key", "statistics"} == set(counted(counts, "left out"))
    assert {*OF_A_PERSON, *TOLD, "suppression"} == set(counted(counts, "written"))
    assert of(side, *OF_A_PERSON, *TOLD) == of(cloud.items(), *OF_A_PERSON, *TOLD)
    assert [{"N": "1"}] == [item["version"] for item in stand(cloud, "consents")]
    assert {} == counted(command()[1], "written")


def test_segments_nights_and_memberships_come_back_but_of_nobody_who_was_erased_since(cloud: Cloud, command: Run) -> None:
    rule = {"stats": {"field": "orders", "op": ">=", "value": 1}}
    body = {"name": "Buyers", "description": "Who has bought.", "rule": rule}
    assert cloud.call(segments, "PUT", "/v1/segments/buyers", body, key=cloud.key(KeyKind.STAFF)).status == 201
    table, at = Table(cloud.dynamodb, "table", lambda _: None), datetime(2026, 11, 22, 4, tzinfo=UTC)
    pointer = Pointer(generations=Generations(1, 1), version=1)
    night = Night(night=at.date(), state=NightState.PUBLISHED, scheduled_at=at, started_at=at, version=1, generation=1)
    assert DynamoNights(table).write(night, pointer=pointer)
    DynamoMemberships(table).write(Membership("buyers", name, 1) for name in ("anna", "bela"))
    side = set_aside(cloud)
    lose(cloud)
    put(cloud, a_tombstone(_profile_of("bela"), "2"))
    kinds = ("segment", "segment_version", "night", "pointer", "membership")
    assert {"site": 1, **dict.fromkeys(kinds, 1)} == counted(command()[1], "written")
    assert [item for item in stand(cloud, "membership") if item["SK"] == {"S": "bela"}] == []
    kept = {key: item for key, item in of(side, *kinds).items() if key[1] != "bela"}
    assert kept == of(cloud.items(), *kinds)


def _profile_of(customer_id: str) -> Item:
    key = keys.profile(customer_id)
    return {
        "PK": {"S": key.pk},
        "SK": {"S": key.sk},
        "type": {"S": "profile"},
        "v": {"N": "1"},
        "created_at": {"S": "2026-11-20T00:00:00.000000Z"},
    }


def test_a_suppression_comes_back_without_what_was_written_about_it(cloud: Cloud, command: Run) -> None:
    planted(cloud)
    side = set_aside(cloud)
    ((key, suppression),) = of(side, "suppression").items()
    manual = suppression["grounds"]["M"]["manual"]["M"]
    assert "note" in manual
    bare = suppression | {"grounds": {"M": {"manual": {"M": {name: said for name, said in manual.items() if name != "note"}}}}}
    lose(cloud, "SUPPRESSION")
    for times in (1, 0):
        assert times == command()[1].get("suppression written", 0)
        assert {key: bare} == of(cloud.items(), "suppression")
    put(cloud, suppression)
    assert 0 == command()[1].get("suppression written", 0)
    assert {key: suppression} == of(cloud.items(), "suppression")


@pytest.mark.parametrize("lost", ["nothing", "all that leads to them"])
def test_of_a_person_who_was_erased_since_not_a_byte_comes_back(cloud: Cloud, command: Run, lost: str) -> None:
    assert 201 == cloud.call(orders, "POST", "/v1/orders", an_order(order_id="B-1", customer={"user_id": "u-1"})).status
    customer_id = planted(cloud)
    before = set_aside(cloud)
    send(cloud, f"/v1/customers/{customer_id}/erasure-jobs", None)
    theirs = found_in(json.dumps(before, ensure_ascii=False))
    assert theirs
    assert command()[1].keys() >= {"event there already"}  # the erasure has begun and deleted nothing yet
    cloud.work()
    if lost == "all that leads to them":
        for prefix in ("IDENTITY", "ORDER"):
            lose(cloud, prefix)
    left = cloud.items()
    code, counts, complaints = command()
    assert (0, []) == (code, complaints)
    assert {*OF_A_PERSON} == set(counted(counts, "erased"))
    written = {"identity": 1, "order": 1, "order_pointer": 1} if lost != "nothing" else {}  # those of somebody else
    assert written == counted(counts, "written")
    now = by_key(cloud.items())
    assert [] == found_in(json.dumps([*now.values()], ensure_ascii=False))
    assert (by_key(left), sum(written.values())) == ({key: now[key] for key in by_key(left)}, len(now) - len(left))


def a_tombstone(profile: Item, version: str) -> Item:
    kept = {name: profile[name] for name in ("PK", "SK", "type", "v", "created_at")}
    return kept | {"version": {"N": version}, "identifiers": {"L": []}, "erased_at": {"S": "2026-11-22T00:00:00.000000Z"}}


@pytest.mark.parametrize("version", ["1", "9"])
def test_a_tombstone_stands_whatever_its_version(shop: Cloud, side: list[Item], run: Run, version: str) -> None:
    profile = next(iter(of(side, "profile").values()))
    newer = profile | {"version": {"N": "5"}}
    shop.dynamodb.put_item(TableName="side", Item=newer)
    tombstone = a_tombstone(profile, version)
    put(shop, tombstone)
    assert {"profile": 1} == counted(run()[1], "erased")
    assert tombstone in shop.items()


@pytest.mark.parametrize(
    ("lost", "erased"), [("", {"profile": 1}), ("EVENT", {"event": 2, "profile": 1}), ("ORDER#", {"order": 1, "profile": 1})]
)
def test_an_erasure_between_the_look_and_the_write_wins(
    shop: Cloud, side: list[Item], run: Run, lost: str, erased: dict[str, int]
) -> None:
    """The tombstone has the version that was looked at, and what is written belongs to whom it stands for."""
    profile = next(iter(of(side, "profile").values()))
    shop.dynamodb.put_item(TableName="side", Item=profile | {"version": {"N": "5"}})
    tombstone = a_tombstone(profile, profile["version"]["N"])
    for item in side:
        if item["PK"] == profile["PK"] and lost and item["SK"]["S"].startswith(lost):
            delete(shop, item)
    left = by_key(shop.items())

    def overtake(sent: Sent, deliver: Deliver) -> AWSResponse:
        if sent.operation == "TransactWriteItems":
            put(shop, tombstone)
        return deliver()

    with tapped(overtake):
        assert erased == counted(run()[1], "erased")
    assert left | by_key([tombstone]) == by_key(shop.items())


def test_an_erasure_that_was_going_on_then_brings_back_nothing_that_it_had_not_deleted_yet(cloud: Cloud, command: Run) -> None:
    customer_id = planted(cloud)
    send(cloud, f"/v1/customers/{customer_id}/erasure-jobs", None)
    set_aside(cloud)
    lose(cloud)
    code, counts, complaints = command()
    assert (0, []) == (code, complaints)
    assert {*OF_A_PERSON} - {"profile"} == set(counted(counts, "erased"))
    assert [] == found_in(json.dumps(cloud.items(), ensure_ascii=False))
    assert 410 == cloud.call(customers, "GET", f"/v1/customers/{customer_id}").status


def test_a_profile_that_names_somebody_who_was_taken_out_and_erased_since_is_left_and_named(cloud: Cloud, command: Run) -> None:
    winner, loser = (
        str(send(cloud, "/v1/orders", an_order(order_id=email, customer={"email": email})).json["customer_id"])
        for email in ("one@example.com", "other@example.com")
    )
    send(cloud, f"/v1/customers/{winner}/merge", {"customer_id": loser})
    set_aside(cloud)
    send(cloud, f"/v1/customers/{winner}/unmerge", {"customer_id": loser})
    send(cloud, f"/v1/customers/{loser}/erasure-jobs", None)
    cloud.work()
    left = cloud.items()
    assert {"profile": 1} == counted(command()[1], "newer there")
    assert left == cloud.items()
    (profile,) = (item for item in stand(cloud, "profile") if item["PK"]["S"].endswith(winner))
    delete(cloud, profile)
    code, counts, complaints = command()
    assert (1, {"profile": 1}, [f"profile contradicted: CUSTOMER#{winner} PROFILE"]) == (
        code,
        counted(counts, "contradicted"),
        complaints,
    )
    assert "other@example.com" not in json.dumps(stand(cloud, "profile"))


def test_the_amounts_that_an_erasure_left_come_back_and_no_other_counts(shop: Cloud, command: Run) -> None:
    (customer_id, *_) = (item["PK"]["S"].removeprefix("CUSTOMER#") for item in stand(shop, "profile"))
    send(shop, f"/v1/customers/{customer_id}/erasure-jobs", None)
    shop.work()
    side = set_aside(shop)
    lose(shop)
    command()
    (row,) = (item for item in of(side, "statistics").values() if item["SK"]["S"] == customer_id)
    assert [row] == stand(shop, "statistics")


def consenting(cloud: Cloud, *said: Item) -> str:
    """A customer who said this of the newsletter, one after the other."""
    send(cloud, "/v1/topics/news", a_topic(double_opt_in=False), "PUT", KeyKind.STAFF)
    customer_id = str(send(cloud, "/v1/orders", an_order()).json["customer_id"])
    say(cloud, customer_id, *said)
    return customer_id


def say(cloud: Cloud, customer_id: str, *said: Item) -> None:
    for consent in said:
        send(cloud, f"/v1/customers/{customer_id}/consents", {"consents": [{"method": "form", "text_version": "1"} | consent]})


def states(cloud: Cloud) -> list[str]:
    return [item["state"]["S"] for item in stand(cloud, "consent")]


YES, NO = a_consent(at="2026-11-20T12:00:00Z"), a_consent("denied", at="2026-11-20T13:00:00Z")
LATER_YES = a_consent(at="2026-11-20T14:00:00Z")
PROVEN = LATER_YES | {"proof": a_proof("2026-11-20T14:00:00Z")}


@pytest.mark.parametrize(
    ("then", "since", "state"),
    [
        ((YES,), (NO,), "denied"),
        ((YES, NO), (LATER_YES,), "denied"),
        ((NO,), (PROVEN,), "granted"),
        ((PROVEN,), (YES,), "granted"),
    ],
    ids=["a no since", "a no that was lost", "a proof since", "a proof that was lost"],
)
@pytest.mark.parametrize("lost", [True, False])
def test_consents_from_then_and_since_are_one_history(
    cloud: Cloud, command: Run, then: tuple[Item], since: tuple[Item], state: str, *, lost: bool
) -> None:
    customer_id = consenting(cloud, *then)
    set_aside(cloud)
    if lost:
        lose(cloud, "CONSENT")
    say(cloud, customer_id, *since)
    left = cloud.items()
    code, counts, complaints = command()
    assert (0, []) == (code, complaints)
    assert [state] == states(cloud)
    assert ("consent written" in counts) == (left != cloud.items())
    assert "consent written" not in command()[1]


def test_a_no_said_between_the_look_and_the_write_stays(cloud: Cloud, command: Run) -> None:
    customer_id = consenting(cloud, YES)
    set_aside(cloud)
    lose(cloud, "CONSENT")
    said: list[Item] = []

    def overtake(sent: Sent, deliver: Deliver) -> AWSResponse:
        if sent.operation == "TransactWriteItems" and not said:
            said.append(NO)
            say(cloud, customer_id, NO)
        return deliver()

    with tapped(overtake):
        assert 1 == command()[1]["consent written"]
    assert (["denied"], {"granted", "denied"}) == (states(cloud), set(stand(cloud, "consent")[0]["facts"]["M"]))


def test_a_no_that_is_restored_between_another_s_look_and_write_stays(cloud: Cloud, command: Run) -> None:
    customer_id = consenting(cloud, NO)
    set_aside(cloud)
    lose(cloud, "CONSENT")
    restored: list[int] = []

    def overtake(sent: Sent, deliver: Deliver) -> AWSResponse:
        if sent.operation == "TransactWriteItems" and not restored:
            restored.append(0)
            restored.append(command()[1]["consent written"])
        return deliver()

    with tapped(overtake):
        say(cloud, customer_id, LATER_YES)
    assert ([0, 1], ["denied"]) == (restored, states(cloud))
    assert {"granted", "denied"} == set(stand(cloud, "consent")[0]["facts"]["M"])


def test_a_suppression_is_added_and_joined_and_never_lifted(cloud: Cloud, command: Run) -> None:
    address = {"channel": "email", "address": "nobody@example.com"}
    send(cloud, "/v1/suppressions", address | {"reason": "manual"})
    later = to_answer(bootstrap.clock.now() + timedelta(minutes=1))
    send(cloud, "/v1/suppressions/lift", address | {"proof": a_proof(later)})
    set_aside(cloud)
    lose(cloud, "SUPPRESSION")
    send(cloud, "/v1/suppressions", address | {"reason": "unsubscribe"})
    for times in (1, 0):
        assert times == command()[1].get("suppression written", 0)
        (joined,) = stand(cloud, "suppression")
        assert ({"manual", "unsubscribe"}, True, False) == (
            set(joined["grounds"]["M"]),
            joined["active"]["BOOL"],
            "lifted" in joined,
        )


def test_what_was_said_of_attributes_and_products_since_stays_beside_what_was_lost(cloud: Cloud, command: Run) -> None:
    def put_both(**said: str) -> None:
        send(cloud, "/v1/customers", {"user_id": "u-77", "traits": said}, "PUT")
        send(cloud, "/v1/products/cup", said, "PUT")

    for price in ("1", "2", "3"):
        put_both(name=price, category="cups")
    set_aside(cloud)
    for kind in ("attributes", "product"):
        (item,) = stand(cloud, kind)
        delete(cloud, item)
    put_both(name="4")
    counts = command()[1]
    assert (1, 1) == (counts["attributes written"], counts["product written"])
    kept = [stand(cloud, "attributes")[0]["attributes"]["M"], stand(cloud, "product")[0]["fields"]["M"]]
    assert [{"name": "4", "category": "cups"}] * 2 == [
        {name: said["M"]["value"]["S"] for name, said in one.items()} for one in kept
    ]
    left = cloud.items()
    counts = command()[1]
    assert (1, 1, left) == (counts["attributes newer there"], counts["product newer there"], cloud.items())


def test_what_was_still_to_be_sent_comes_back_as_what_nobody_knows(cloud: Cloud, command: Run) -> None:
    """It may have been sent after the backup: sending it now would be sending it twice."""
    planned(cloud)
    side = of(set_aside(cloud), "send")
    lose(cloud)
    command()
    (kept,) = stand(cloud, "send")
    ((_, before),) = side.items()
    assert ("planned", "unknown_final", "restored") == (before["status"]["S"], kept["status"]["S"], kept["reason"]["S"])
    assert [] == stand(cloud, "page")
    assert "work" not in kept


def planned(cloud: Cloud) -> str:
    """The id of a message that waits to be sent."""
    asked = cloud.call(
        messages, "POST", "/v1/messages", {"template": "order-confirmed", "customer": {"email": "mail@example.com"}}
    )
    assert 202 == asked.status
    bootstrap.sends().come_back(asked.json["message_id"], 0, bootstrap.clock.now())
    return str(asked.json["message_id"])


def test_a_campaign_comes_back_paused_and_a_run_that_was_under_way_as_one_that_ended(cloud: Cloud, command: Run) -> None:
    """The next occurrence may have begun since the backup, and the run may have gone out: either would be sent twice."""
    cloud.arm()
    campaign = a_campaign()
    life = Life(state=LifeState.SCHEDULED, next_at=NOON, launched_at=NOON, launched_by="key:1", revision=1)
    assert bootstrap.campaigns().define(Head(campaign, life)) is None
    run = a_run(RUN_ID, campaign="spring", state=RunState.PLANNING, planned_at=None, due_at=NOON)
    head = Head(campaign, replace(life, last_run=RUN_ID, revision=2))
    assert bootstrap.runs().begin(run, head)
    over = a_run("0" * 32, campaign="spring", state=RunState.SETTLED, settled_at=NOON, retries=(RUN_ID,))
    assert bootstrap.runs().retry(over, replace(run, retried_by=over.run_id, version=2), head)
    bootstrap.run_rosters().add([a_planned_send(RUN_ID, "c1")])
    bootstrap.run_rosters().plan(RUN_ID, 0, 1)
    set_aside(cloud)
    lose(cloud)

    code, counts, _ = command()

    assert (0, 2, 2, 1) == (code, counts["run written"], counts["run_listing written"], counts["campaign written"])
    assert {"active_run left out": 1, "sending left out": 1} == {
        name: times for name, times in counts.items() if name.endswith("left out")
    }
    paused, ended = life_of("spring"), bootstrap.runs().find(RUN_ID)
    assert ended is not None
    assert (LifeState.PAUSED, NOON, 3) == (paused.state, paused.next_at, paused.revision)
    assert (RunState.CANCELLED, "restored", None, True) == (ended.state, ended.reason, ended.due_at, ended.is_over)
    assert over == bootstrap.runs().find(over.run_id)
    cloud.arm()
    assert [] == bootstrap.start_campaigns(lambda: False).begun
    assert LifeState.ENDED == life_of("spring").state, "its occurrence has its run"
    assert {"status": {"S": "unknown_final"}} == {"status": stand(cloud, "send")[0]["status"]}
    again = command()
    assert (0, 2, 1) == (again[0], again[1]["run newer there"] + again[1]["run there already"], again[1]["campaign newer there"])


def life_of(campaign: str) -> Life:
    head = bootstrap.campaigns().find(campaign)
    assert head is not None
    return head.life
