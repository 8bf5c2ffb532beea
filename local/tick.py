"""`make tick`: run everything that a schedule runs, at once, and wait until all that follows from it has happened.

Runs of campaigns wait for minutes between their steps: for pages to be planned, for mails to have gone out. Here they do not,
and everything is run again until that brings none of them any further.
"""

import json
import time
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key
from botocore.exceptions import ClientError

from local.down import drain
from local.stack import Stack, give_up
from local.up import step

LOOK_SECONDS = 0.2
STEPS = ("state", "planned_at", "woken_at", "verdicts", "settled_at")
"""What a run's item shows of how far it is."""


def tick(stack: Stack) -> list[str]:
    """Run each function that the stack has on a schedule, one after the other; return their names."""
    follow(stack)
    ran: list[str] = []
    before: dict[str, Any] | None = None
    while (now := hurry(stack)) != before:
        ran = [_told(stack, target) for target in scheduled(stack)]
        follow(stack)
        before = now
    return ran


def go_on(stack: Stack) -> None:
    """Run them once, let what is under way have waited long enough, and say nothing."""
    hurry(stack)
    for target in scheduled(stack):
        run(stack, target)
    follow(stack)


def scheduled(stack: Stack) -> list[dict[str, Any]]:
    """The targets of all rules that the stack has on a schedule."""
    events = boto3.client("events", **stack.client_settings())
    rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "ScheduleExpression" in rule]
    return [dict(target) for name in rules for target in events.list_targets_by_rule(Rule=name)["Targets"]]


def follow(stack: Stack) -> None:
    """Wait until no machine is at work, as long as its own patience lasts, and streams and queues are empty.

    Ends the program where they do not get on.
    """
    while _executions(stack):
        time.sleep(LOOK_SECONDS)
    if left := drain(stack):
        give_up(f"what follows does not get on: {left}")


def _told(stack: Stack, target: dict[str, Any]) -> str:
    with step(f"Ran {_name(target)}"):
        run(stack, target)
    return _name(target)


def _name(target: dict[str, Any]) -> str:
    return str(target["Arn"].split(":")[6])


def run(stack: Stack, target: dict[str, Any]) -> None:
    """Run a function as its schedule does. Ends the program where that fails."""
    functions = boto3.client("lambda", **stack.client_settings())
    answer = functions.invoke(FunctionName=target["Arn"], Payload=target.get("Input", "{}"))
    if "FunctionError" in answer:
        give_up(f"{_name(target)} failed: {json.loads(answer['Payload'].read())}")


def _executions(stack: Stack) -> list[str]:
    """The executions of all machines that are under way."""
    machines = boto3.client("stepfunctions", **stack.client_settings())
    return [
        execution["executionArn"]
        for machine in machines.list_state_machines()["stateMachines"]
        for execution in machines.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")[
            "executions"
        ]
    ]


def hurry(stack: Stack) -> dict[str, dict[str, Any]]:
    """Have whoever comes next come to every run of a campaign, and to its pages that wait; return how far each run is."""
    table = boto3.resource("dynamodb", **stack.client_settings()).Table((stack.facts() or {})["table"])
    listed = table.query(KeyConditionExpression=Key("PK").eq("LIST#active_runs"), ConsistentRead=True)["Items"]
    runs = [found for each in listed if (found := _item(table, f"RUN#{each['SK']}", "RUN"))]
    for run in runs:
        _make_due(table, run, run)
        for page in range(int(run["pages"])):
            _make_due(table, _item(table, f"{run['PK']}#{page}", "PAGE"), run)
    return {run["PK"]: {name: run.get(name) for name in STEPS} for run in runs}


def _item(table: Any, pk: str, sk: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = table.get_item(Key={"PK": pk, "SK": sk}, ConsistentRead=True).get("Item")
    return found


def _make_due(table: Any, item: dict[str, Any] | None, run: dict[str, Any]) -> None:
    """Let an item have been due since its run began, unless somebody is at it."""
    if item is None or "due" not in item:
        return
    try:
        table.update_item(
            Key={"PK": item["PK"], "SK": item["SK"]},
            UpdateExpression="SET due = :at",
            ConditionExpression="due = :seen",
            ExpressionAttributeValues={":at": run["started_at"], ":seen": item["due"]},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise


if __name__ == "__main__":
    tick(Stack.of_environment())
