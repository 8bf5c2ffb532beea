"""The double of the table and the emulator's answer every sequence of the stores alike (K1), as the double and moto do."""

from collections.abc import Iterator, Sequence

import boto3
import pytest
from hypothesis import HealthCheck, given, settings

from ecrm.store.table import Table
from local.stack import Stack
from tests.cloud import make_table
from tests.simulation.sequences import Asked, sequences, told
from tests.simulation.table import MemoryTable


@pytest.fixture(scope="module")
def emulated(stack: Stack) -> Iterator[Table]:
    """A table of the same shape beside the stack's own."""
    client = boto3.client("dynamodb", **stack.client_settings())
    make_table(client)
    yield Table(client, "table", lambda _seconds: None)
    client.delete_table(TableName="table")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=sequences())
def test_the_double_and_the_emulators_table_answer_every_sequence_alike(emulated: Table, sequence: Sequence[Asked]) -> None:
    assert told(emulated, sequence) == told(MemoryTable(), sequence)
