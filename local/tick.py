"""`make tick`: run everything that a schedule runs, at once, and wait until all that follows from it has happened.

Runs of campaigns wait for minutes between their steps, for pages to be planned and mails to have gone out. Here they are done
waiting as soon as that has happened, and are brought on as far as they come by themselves.
"""

import json
from typing import Any

import boto3
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError

from local.down import drain
from local.stack import Stack, give_up
from local.up import step, wait_until

CAMPAIGNS = "StartCampaignsFunction"
STEPS = ("state", "planned_at", "woken_at", "verdicts", "settled_at")
"""What a run's item shows of how far it is."""
WORK = "campaigns"
"""The shard of the index `worklist` in which runs wait, campaigns for their next occurrence too."""


def tick(stack: Stack) -> list[str]:
    """Run each function that the stack has on a schedule, one after the other; return their names."""
    settings = stack.client_settings()
    events = boto3.client("events", **settings)
    rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "ScheduleExpression" in rule]
    targets = [target for rule in rules for target in events.list_targets_by_rule(Rule=rule)["Targets"]]
    ran = [_run(stack, target) for target in targets]
    follow(stack)
    for target in (target for target in targets if CAMPAIGNS in target["Arn"]):
        bring_on(stack, target)
    return ran


def follow(stack: Stack) -> None:
    """Wait until streams and queues are empty and no machine is at work. Ends the program where they do not get on."""
    wait_until(lambda: not _executions(stack), "the machines do not come to an end")
    if left := drain(stack):
        give_up(f"what follows does not get on: {left}")


def bring_on(stack: Stack, target: dict[str, Any]) -> None:
    """Come back to the runs of campaigns until that changes nothing any more."""
    seen = _hurried(stack)
    while seen:
        _run(stack, target)
        follow(stack)
        now = _hurried(stack)
        seen = now if now != seen else {}


def _run(stack: Stack, target: dict[str, Any]) -> str:
    name = str(target["Arn"].split(":")[6])
    functions = boto3.client("lambda", **stack.client_settings())
    with step(f"Ran {name}"):
        answer = functions.invoke(FunctionName=target["Arn"], Payload=target.get("Input", "{}"))
    if "FunctionError" in answer:
        give_up(f"{name} failed: {json.loads(answer['Payload'].read())}")
    return name


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


def _hurried(stack: Stack) -> dict[str, dict[str, Any]]:
    """Have every run that waits come at once; return how far each is."""
    table = boto3.resource("dynamodb", **stack.client_settings()).Table((stack.facts() or {})["table"])
    waiting = table.query(IndexName="worklist", KeyConditionExpression=Key("work").eq(WORK))["Items"]
    keys = [{"PK": item["PK"], "SK": item["SK"]} for item in waiting if item["SK"] == "RUN"]
    runs = [table.get_item(Key=key, ConsistentRead=True)["Item"] for key in keys]
    for run in (run for run in runs if "due" in run):
        try:
            table.put_item(Item=run | {"due": run["started_at"]}, ConditionExpression=Attr("version").eq(run["version"]))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise  # else somebody is at it
    return {run["PK"]: {name: run.get(name) for name in STEPS} for run in runs}


if __name__ == "__main__":
    tick(Stack.of_environment())
