"""moto without what it does for others at each call: several times as fast for what the stores ask, and the same in every answer.

moto is built to be right for all of AWS. A call looks through hundreds of patterns of URLs for its service, the body is read and
written by the service's model down to each value, a query compares and sorts the whole table, and a transaction copies it for
each of its items. For DynamoDB's items none of it changes an answer: tests/adapters/test_light_moto.py asks both and compares.
The premise is that an item is put as a whole and never changed in place, so UpdateItem is refused.
"""

import copy
import json
from collections import defaultdict, deque
from functools import cache
from typing import Any

import botocore.auth
import botocore.parsers
import botocore.useragent
import moto.core.responses
import moto.dynamodb.responses
import pytest
from botocore.awsrequest import AWSPreparedRequest
from moto import backend_index
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.utils import method_names_from_class
from moto.dynamodb.comparisons import ConditionExpressionParser
from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.models.utilities import dynamo_to_dict
from moto.dynamodb.responses import DynamoHandler

ACCOUNT = "123456789012"
ASKED_FOR = ("dynamodb", "sqs", "secretsmanager", "s3")
ITEMS = ("GetItem", "BatchGetItem", "Query", "Scan", "PutItem", "DeleteItem", "TransactWriteItems", "BatchWriteItem")
LARGEST = 405_000
"""moto's limit of an item, in bytes."""
INDEX_NAME = 6
"""Where a query is told its index, behind the key."""


def make_light(patch: pytest.MonkeyPatch) -> None:
    _the_client(patch)
    _the_way_in(patch)
    _conditions(patch)
    _items(patch)
    _tables(patch)


def _the_client(patch: pytest.MonkeyPatch) -> None:
    """Take an attribute's value as it came, name the SDK once for all, and sign nothing that is sent to DynamoDB."""
    parser: Any = botocore.parsers.BaseJSONParser
    signer: Any = botocore.auth.SigV4Auth
    read, sign = parser._handle_structure, signer.add_auth

    def as_it_came(self: Any, shape: Any, value: Any) -> Any:
        return value if shape.name == "AttributeValue" else read(self, shape, value)

    def unsigned(self: Any, request: Any) -> None:
        if self._service_name != "dynamodb":
            sign(self, request)

    patch.setattr(parser, "_handle_structure", as_it_came)
    patch.setattr(signer, "add_auth", unsigned)
    patch.setattr(botocore.useragent.UserAgentString, "to_string", lambda _self: "tests")


def _the_way_in(patch: pytest.MonkeyPatch) -> None:
    """Give a request about items to its handler at once; for others, look first among the services that are asked for."""
    process, write = BotocoreStubber.process_request, DynamoHandler.serialized
    patterns = sorted(backend_index.backend_url_patterns, key=lambda found: found[0] not in ASKED_FOR)

    def straight(self: BotocoreStubber, request: AWSPreparedRequest) -> Any:
        said: Any = request.headers.get("X-Amz-Target", "")
        target = said.decode() if isinstance(said, bytes) else said
        if not (target.startswith("DynamoDB_") and target.endswith(ITEMS)):
            return process(self, request)
        handler: Any = DynamoHandler()
        handler.headers = {"x-amz-target": target, "Content-Type": "application/x-amz-json-1.0"}
        handler.response_headers, handler.querystring, handler.uri_match = {}, {}, {}
        handler.region, handler.current_account = request.url.split(".")[1], ACCOUNT
        handler.params = json.loads(request.body)  # type: ignore[arg-type]  # a request about items has one
        return handler.call_action()

    def as_it_is(self: Any, result: Any) -> Any:
        if self._get_action() in ITEMS and not isinstance(result.result, Exception):
            return 200, self.response_headers, json.dumps(result.result)
        return write(self, result)

    patch.setattr(BotocoreStubber, "process_request", straight)
    patch.setattr(DynamoHandler, "serialized", as_it_is)
    patch.setattr(backend_index, "backend_url_patterns", patterns)
    patch.setattr(moto.core.responses, "method_names_from_class", cache(method_names_from_class))


def _conditions(patch: pytest.MonkeyPatch) -> None:
    """Read the words of each condition once."""
    read = ConditionExpressionParser._lex_condition_expression

    @cache
    def words(condition: str) -> tuple[Any, ...]:
        return tuple(read(ConditionExpressionParser(condition, None, None)))

    patch.setattr(ConditionExpressionParser, "_lex_condition_expression", lambda self: deque(words(self.condition_expression)))


def _items(patch: pytest.MonkeyPatch) -> None:
    """Keep an item as it was put, beside what moto makes of it; weigh it once; compare texts as texts."""
    weigh = Item.size

    def made(item: Any, hash_key: DynamoType, range_key: DynamoType | None, attrs: dict[str, Any]) -> None:
        item.hash_key, item.range_key, item.weight = hash_key, range_key, None
        item.attrs = LimitedSizeDict()
        item.attrs.put = attrs
        dict.update(item.attrs, {name: DynamoType(value) for name, value in attrs.items()})
        if 4 * len(repr(attrs)) > LARGEST and item.size() > LARGEST:
            raise ItemSizeTooLarge

    def weighed(item: Any) -> Any:
        if item.weight is None:
            item.weight = weigh(item)
        return item.weight

    def as_it_was_put(found: Any) -> Any:
        match found:
            case LimitedSizeDict():
                return vars(found)["put"]
            case dict():
                return {name: as_it_was_put(value) for name, value in found.items()}
            case list():
                return [as_it_was_put(value) for value in found]
            case _:
                return dynamo_to_dict(found)

    def value(one: DynamoType) -> Any:
        return one.value if one.type == "S" else one.cast_value

    patch.setattr(Item, "__init__", made)
    patch.setattr(Item, "size", weighed)
    patch.setattr(Item, "__deepcopy__", lambda item, _memo: item)
    patch.setattr(Item, "to_json", lambda item, root="Attributes": {root: item.attrs.put})
    patch.setattr(moto.dynamodb.responses, "dynamo_to_dict", as_it_was_put)
    patch.setattr(DynamoType, "__eq__", lambda one, other: one.type == other.type and value(one) == value(other))
    patch.setattr(DynamoType, "__hash__", lambda one: hash(value(one)))


def _tables(patch: pytest.MonkeyPatch) -> None:
    """Keep a table for a rollback by its items alone, query one partition, and scan by text."""
    query = Table.query

    def kept(table: Any, _memo: object) -> Any:
        twin = copy.copy(table)
        twin.items = defaultdict(dict, {pk: dict(items) for pk, items in table.items.items()})
        return twin

    def queried(table: Any, hash_key: DynamoType, *args: Any, **more: Any) -> Any:
        if args[INDEX_NAME] is not None:
            return query(table, hash_key, *args, **more)
        twin = copy.copy(table)
        twin.items = {hash_key: table.items.get(hash_key, {})}
        return query(twin, hash_key, *args, **more)

    def in_order(table: Any) -> list[Any]:
        every = (item for items in table.items.values() for item in items.values())
        return sorted(every, key=lambda item: (item.hash_key.value, item.range_key.value))

    def never(*_args: object, **_more: object) -> None:
        raise NotImplementedError("an item is put as a whole")

    patch.setattr(Table, "__deepcopy__", kept, raising=False)
    patch.setattr(Table, "query", queried)
    patch.setattr(Table, "all_items", in_order)
    patch.setattr(DynamoDBBackend, "update_item", never)
