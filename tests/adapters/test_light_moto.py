"""moto in its light form answers as moto does: what is proven on the one holds on the other."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from moto import mock_aws

from ecrm.store.table import Table
from tests.cloud import a_session, make_table
from tests.light_moto import make_light
from tests.simulation.sequences import Asked, sequences, told

type Ask = tuple[str, dict[str, Any]]


@contextmanager
def dynamodb(*, light: bool) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        if light:
            make_light(patch)
        client = a_session().create_client("dynamodb")
        make_table(client)
        yield client


def key(number: int, pk: str = "CUSTOMER#1") -> dict[str, Any]:
    return {"PK": {"S": pk}, "SK": {"S": f"ORDER#{number}"}}


def put(number: int, condition: Any = None, values: Any = None, **attributes: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"TableName": "table", "Item": key(number) | {"version": {"N": str(number)}} | attributes}
    if condition:
        asked |= {"ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    return asked | ({"ExpressionAttributeValues": values} if values else {})


def query(**options: Any) -> Ask:
    values = {":pk": {"S": "CUSTOMER#1"}, ":prefix": {"S": "ORDER#"}}
    condition = "PK = :pk AND begins_with(SK, :prefix)"
    return "query", {"TableName": "table", "KeyConditionExpression": condition, "ExpressionAttributeValues": values} | options


def waiting(number: int, work: int) -> Ask:
    return "put_item", put(number, work={"S": f"work#{work}"}, due={"S": f"2026-11-2{number % 3}"})


DUE: Ask = (
    "query",
    {
        "TableName": "table",
        "IndexName": "worklist",
        "KeyConditionExpression": "work = :work AND due <= :now",
        "ExpressionAttributeValues": {":work": {"S": "work#1"}, ":now": {"S": "2026-11-21"}},
    },
)


def transaction(*writes: dict[str, Any]) -> Ask:
    return "transact_write_items", {"TransactItems": [*writes]}


RICH = {
    "text": {"S": "Ünïcödé \U0001f3b8 \u2028"},
    "empty": {"S": ""},
    "price": {"N": "12.340"},
    "large": {"N": "1E+20"},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "lines": {"L": [{"M": {"sku": {"S": "CD-5"}, "quantity": {"N": "2"}}}, {"L": []}, {"M": {}}]},
}
CHECK = {"TableName": "table", "Key": key(1), "ConditionExpression": "attribute_exists(erased_at)"}
WIDE = {"text": {"S": "x" * 300_000}}
MEGABYTES = [("put_item", put(number, **WIDE)) for number in range(20, 26)]
SCRIPT: list[Ask] = [
    ("put_item", put(1, "attribute_not_exists(PK)", **RICH)),
    ("put_item", put(1, "attribute_not_exists(PK)", **RICH)),
    ("put_item", put(2, "version = :seen", {":seen": {"N": "7"}})),
    ("put_item", put(1, "version = :seen OR version < :seen", {":seen": {"N": "1.0"}}, **RICH)),
    ("put_item", put(1, "version < :seen AND attribute_exists(erased_at)", {":seen": {"N": "10"}})),
    ("put_item", put(2, "version = :seen", {":seen": {"N": "1"}, ":more": {"N": "1"}})),
    *(("put_item", put(number)) for number in (2, 10, 3, 4)),
    ("put_item", {"TableName": "table", "Item": key(1, pk="CUSTOMER#2")}),
    ("put_item", {"TableName": "table", "Item": key(1, pk="")}),
    ("put_item", {"TableName": "table", "Item": {"PK": {"S": "CUSTOMER#1"}}}),
    ("put_item", {"TableName": "table", "Item": {"PK": {"S": "CUSTOMER#1"}, "SK": {"N": "1"}}}),
    ("put_item", put(9, text={"S": "x" * 410_000})),
    ("put_item", put(9, text={"S": "ü" * 204_000})),
    ("put_item", put(9, price={"N": "many"})),
    ("put_item", {"TableName": "elsewhere", "Item": key(1)}),
    *(("get_item", {"TableName": "table", "Key": key(number), "ConsistentRead": True}) for number in (1, 2, 9)),
    *(waiting(number, number % 2) for number in range(30, 36)),
    DUE,
    ("put_item", put(31)),
    DUE,
    ("get_item", {"TableName": "table", "Key": key(1), "ProjectionExpression": "SK, price"}),
    ("batch_get_item", {"RequestItems": {"table": {"Keys": [key(1), key(3), key(8)]}}}),
    ("batch_get_item", {"RequestItems": {"table": {"Keys": [key(1), key(1)]}}}),
    query(),
    query(ScanIndexForward=False, Limit=2),
    query(ScanIndexForward=False, Limit=2, ExclusiveStartKey=key(3)),
    query(Limit=2, ExclusiveStartKey=key(2), ConsistentRead=True),
    query(ExclusiveStartKey=key(8)),
    query(ExpressionAttributeValues={":pk": {"S": "CUSTOMER#3"}, ":prefix": {"S": "ORDER#"}}),
    ("scan", {"TableName": "table", "ConsistentRead": True}),
    ("scan", {"TableName": "table", "Limit": 2}),
    ("scan", {"TableName": "table", "Limit": 2, "ExclusiveStartKey": key(10)}),
    (
        "scan",
        {
            "TableName": "table",
            "FilterExpression": "SK = :sk",
            "ExpressionAttributeValues": {":sk": {"S": "ORDER#1"}},
            "ProjectionExpression": "PK",
        },
    ),
    transaction({"Put": put(5)}, {"Put": put(1, "attribute_not_exists(PK)")}, {"Put": put(6, "attribute_exists(PK)")}),
    transaction({"Put": put(5)}, {"ConditionCheck": CHECK | {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}}),
    transaction({"Put": put(5)}, {"ConditionCheck": CHECK}),
    transaction({"Put": put(5)}, {"Put": put(5)}),
    transaction(*({"Put": put(number)} for number in range(100, 201))),
    transaction({"Put": put(5)}, {"Put": put(6, text={"S": "x" * 410_000})}),
    transaction({"Put": put(7)}, {"Delete": CHECK | {"Key": key(3)}}),
    transaction({"Put": put(7)}, {"Delete": CHECK | {"Key": key(3), "ConditionExpression": "attribute_exists(version)"}}),
    query(),
    transaction({"Put": put(5)}, {"Put": put(1, "version = :seen", {":seen": {"N": "1"}})}),
    ("batch_write_item", {"RequestItems": {"table": [{"DeleteRequest": {"Key": key(number)}} for number in (2, 3, 77)]}}),
    ("delete_item", {"TableName": "table", "Key": key(4)}),
    ("delete_item", {"TableName": "table", "Key": key(4)}),
    *MEGABYTES,
    query(),
    query(ExclusiveStartKey=key(22)),
    ("scan", {"TableName": "table"}),
    ("describe_time_to_live", {"TableName": "table"}),
]


def answered(client: Any, ask: Ask) -> Any:
    operation, asked = ask
    try:
        answer = getattr(client, operation)(**asked)
    except ClientError as refused:
        answer = refused.response
    return answer | {"ResponseMetadata": answer["ResponseMetadata"]["HTTPStatusCode"]}


def test_every_request_is_answered_alike() -> None:
    with dynamodb(light=False) as client:
        expected = [answered(client, ask) for ask in SCRIPT]
    with dynamodb(light=True) as client:
        assert expected == [answered(client, ask) for ask in SCRIPT]
    codes = {answer["Error"]["Code"] for answer in expected if "Error" in answer}
    conditional = {"ConditionalCheckFailedException", "TransactionCanceledException"}
    assert conditional | {"ValidationException", "ResourceNotFoundException"} <= codes


@settings(max_examples=50)
@given(sequence=sequences())
def test_every_sequence_of_the_stores_is_answered_alike(sequence: Sequence[Asked]) -> None:
    with dynamodb(light=False) as client:
        expected = told(Table(client, "table", lambda _seconds: None), sequence)
    with dynamodb(light=True) as client:
        assert expected == told(Table(client, "table", lambda _seconds: None), sequence)


def test_an_item_changed_in_place_is_refused() -> None:
    """What is kept beside an item would be of the time before."""
    with dynamodb(light=True) as client, pytest.raises(NotImplementedError, match="put as a whole"):
        client.update_item(TableName="table", Key=key(1), UpdateExpression="REMOVE version")
