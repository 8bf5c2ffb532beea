"""The double agrees with the real table, and promises no more than DynamoDB does (K1)."""

from collections.abc import Callable, Iterator, Sequence
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from ecrm.application.ports import Contended
from ecrm.domain.errors import Unavailable
from ecrm.store.keys import Key
from ecrm.store.table import Check, Held, Item, Put, Refused, Table
from tests.cloud import a_cloud
from tests.simulation.sequences import Asked, conditions, sequences, told
from tests.simulation.table import MemoryTable, Mistake, Moment, Resent, parsed

KEY = Key("CUSTOMER#1", "PROFILE")


def an_item(version: int, key: Key = KEY) -> Item:
    return {"PK": key.pk, "SK": key.sk, "version": version}


@pytest.fixture(scope="module")
def real() -> Iterator[Table]:
    """The real table on moto, without the site that every cloud begins with."""
    with a_cloud() as cloud:
        for item in cloud.items():
            cloud.dynamodb.delete_item(TableName="table", Key={name: item[name] for name in ("PK", "SK")})
        yield Table(cloud.dynamodb, "table", lambda _seconds: None)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=sequences())
def test_the_double_and_the_real_table_answer_every_sequence_alike(real: Table, sequence: Sequence[Asked]) -> None:
    expected = told(real, sequence)
    assert expected == told(MemoryTable(), sequence)
    assert expected == told(MemoryTable(page=2), sequence)


def test_the_double_reads_every_condition_of_the_stores() -> None:
    found = conditions()
    assert {"version = :seen", "attribute_not_exists(PK) OR expires_at < :now"} <= found
    assert all(parsed(condition) for condition in found)


def test_a_condition_that_no_store_uses_is_not_guessed_at() -> None:
    with pytest.raises(NotImplementedError, match="size"):
        MemoryTable().put(Put(an_item(1), "size(lines) = :few", "new", {":few": 1}))


@pytest.mark.parametrize("values", [None, {":seen": 1, ":more": 2}, {":other": 1}])
def test_the_values_of_a_condition_are_exactly_those_that_it_names(values: dict[str, int] | None) -> None:
    put = Put(an_item(1), "version = :seen", "as seen", values)
    with pytest.raises(Mistake, match="values"):
        MemoryTable().put(put)
    with pytest.raises(Mistake, match="values"):
        MemoryTable().write([put])


def test_what_is_put_in_and_taken_out_is_a_copy() -> None:
    table = MemoryTable()
    item = an_item(1) | {"more": [1]}
    table.put(Put(item, None, "new"))
    item["more"].append(2)
    table.items()[0]["more"].append(3)
    assert an_item(1) | {"more": [1]} == table.get(KEY)


def test_a_read_that_is_not_consistent_may_see_any_older_state_and_a_consistent_one_never() -> None:
    table = MemoryTable(stale=Random(1))
    for version in (1, 2):
        table.put(Put(an_item(version), None, "anything"))
    table.remove_many([KEY])
    table.put(Put(an_item(3), None, "anything"))
    for read in (got, got_among_others, queried):
        assert [3] * 100 == [read(table, consistent=True) for _ in range(100)]
        assert {None, 1, 2, 3} == {read(table, consistent=False) for _ in range(100)}


def got(table: Table, *, consistent: bool) -> int | None:
    return (table.get(KEY, consistent=consistent) or {}).get("version")


def got_among_others(table: Table, *, consistent: bool) -> int | None:
    return next((item["version"] for item in table.get_many([KEY], consistent=consistent)), None)


def queried(table: Table, *, consistent: bool) -> int | None:
    return next((item["version"] for item in table.query(KEY.pk, consistent=consistent)), None)


class Meanwhile:
    """Does something once, at one moment of an operation."""

    def __init__(self, moment: Moment, operation: str) -> None:
        self.at = (moment, operation)
        self.does: list[Callable[[], object]] = []

    def __call__(self, moment: Moment, operation: str) -> None:
        if (moment, operation) == self.at and self.does:
            self.does.pop()()


def stumble(error: BaseException) -> Callable[[], object]:
    def does() -> None:
        raise error

    return does


def test_a_transaction_under_way_holds_its_items_from_other_writers() -> None:
    meanwhile = Meanwhile(Moment.WITHIN, "write")
    table = MemoryTable(pause=meanwhile)
    seen: list[object] = []

    def others() -> None:
        with pytest.raises(Held) as held:
            table.write([Check(KEY, "attribute_not_exists(PK)", "mine"), Put(an_item(9, Key("a", "b")), None, "free")])
        with pytest.raises(Contended):
            table.put(Put(an_item(9), None, "anything"))
        with pytest.raises(Unavailable):
            table.remove_many([KEY])
        seen.extend((held.value.whys, table.get(KEY, consistent=True)))

    meanwhile.does.append(others)
    table.write([Put(an_item(1), None, "anything")])
    assert [{"mine"}, None] == seen
    assert [an_item(1)] == table.items()


@pytest.mark.parametrize(("moment", "expected"), [(Moment.BEFORE, []), (Moment.WITHIN, []), (Moment.AFTER, [an_item(1)])])
def test_who_dies_in_a_transaction_leaves_all_or_nothing_and_holds_nothing(moment: Moment, expected: list[Item]) -> None:
    meanwhile = Meanwhile(moment, "write")
    table = MemoryTable(pause=meanwhile)
    meanwhile.does.append(stumble(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        table.write([Put(an_item(1), None, "anything")])
    assert expected == table.items()
    table.write([Put(an_item(2), None, "anything")])
    assert [an_item(2)] == table.items()


def test_a_put_that_the_sdk_sends_again_meets_itself_and_a_transaction_does_not() -> None:
    for operation in ("put", "write"):
        meanwhile = Meanwhile(Moment.AFTER, operation)
        table = MemoryTable(pause=meanwhile)
        meanwhile.does.append(stumble(Resent()))
        put = Put(an_item(1), "attribute_not_exists(PK)", "new")
        if operation == "write":
            table.write([put])
        else:
            with pytest.raises(Refused) as refused:
                table.put(put)
            assert {"new": an_item(1)} == refused.value.found
        assert [an_item(1)] == table.items()


def test_a_batch_may_be_done_in_part() -> None:
    table = MemoryTable(pause=(meanwhile := Meanwhile(Moment.WITHIN, "remove_many")))
    both = [an_item(1, Key("a", sk)) for sk in "12"]
    for item in both:
        table.put(Put(item, None, "anything"))
    meanwhile.does.append(stumble(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        table.remove_many(Key("a", sk) for sk in "12")
    assert both[1:] == table.items()


def test_the_stream_tells_what_became_of_each_item() -> None:
    table = MemoryTable()
    for version in (1, 1, 2):
        table.put(Put(an_item(version), None, "anything"))
    table.remove_many([KEY, Key("none", "there")])
    one, two = ({"PK": {"S": KEY.pk}, "SK": {"S": KEY.sk}, "version": {"N": version}} for version in "12")
    assert [(None, one), (one, two), (two, None)] == [(change.old, change.new) for change in table.stream]
