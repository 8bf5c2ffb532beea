"""`make tick`: run everything that a schedule runs, at once, and wait until all that follows from it has happened."""

import json

import boto3

from local.down import drain
from local.stack import Stack, give_up
from local.up import step


def tick(stack: Stack) -> list[str]:
    """Run each function that the stack has on a schedule, one after the other; return their names."""
    settings = stack.client_settings()
    events, functions = boto3.client("events", **settings), boto3.client("lambda", **settings)
    rules = [rule["Name"] for rule in events.list_rules()["Rules"] if "ScheduleExpression" in rule]
    ran = []
    for target in (target for rule in rules for target in events.list_targets_by_rule(Rule=rule)["Targets"]):
        name = target["Arn"].split(":")[6]
        with step(f"Ran {name}"):
            answer = functions.invoke(FunctionName=target["Arn"], Payload=target.get("Input", "{}"))
        if "FunctionError" in answer:
            give_up(f"{name} failed: {json.loads(answer['Payload'].read())}")
        ran.append(name)
    if left := drain(stack):
        give_up(f"what follows does not get on: {left}")
    return ran


if __name__ == "__main__":
    tick(Stack.of_environment())
