"""The machine of the night: its steps in their order, what each is handed, and what is tried again."""

import json
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel

from ecrm.application.night_ports import Group
from ecrm.application.nights import Planned, Skipped
from ecrm.contracts.night_steps import EndStep, GroupStep, NightStep, PlannedBody, PlanStep
from tests.architecture.stack import SUBSTITUTION, Stack, references

MAPS = {"Snapshot": "snapshot_customers", "Score": "score_customers", "Tell": "tell_night"}
TASKS = {
    "Plan": "plan_night",
    "Summarise": "summarise_night",
    "Publish": "publish_night",
    "Report": "report_night",
    "SayFailed": "publish_night",
}
UNTOLD = {"Plan", "Tell", "Report", "SayFailed"}  # before there is a night to fail, and after it cannot any more
HEALS = [
    {"ErrorEquals": ["StepFailed"], "MaxAttempts": 0},
    {
        "ErrorEquals": ["States.TaskFailed"],
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxDelaySeconds": 300,
        "MaxAttempts": 15,
    },
]
PLANNED = PlannedBody.of(Planned(date(2026, 3, 29), None, 7, (Group(0, 127), Group(128, 255)))).model_dump(mode="json")


def states(stack: Stack) -> dict[str, Any]:
    return states_of(stack, "NightMachine")


def states_of(stack: Stack, name: str) -> dict[str, Any]:
    """Give a machine's states; a function stands there by its folder, a parameter by its default."""
    machine = stack.of("StepFunctions::StateMachine")[name]
    parameters = stack.body["Parameters"]

    def filled(name: str) -> str:
        return str(parameters[name]["Default"]) if name in parameters else stack.folder(stack.behind({"Ref": name}))

    return dict(json.loads(SUBSTITUTION.sub(lambda found: filled(found[1]), machine["DefinitionString"]["Fn::Sub"]))["States"])


def task(state: dict[str, Any]) -> dict[str, Any]:
    """Give the task itself, or the one that a map does for each of its items."""
    if state["Type"] == "Task":
        return state
    processor = state["ItemProcessor"]
    assert processor["ProcessorConfig"] == {"Mode": "INLINE"}
    return dict(processor["States"][processor["StartAt"]])


def chosen(parameters: dict[str, str], of: dict[str, Any]) -> dict[str, Any]:
    """Do what the machine does with paths."""
    found: dict[str, Any] = {}
    for name, path in parameters.items():
        value: Any = of
        for part in path.removeprefix("$.").split("."):
            value = value[part]
        found[name.removesuffix(".$")] = value
    return found


def test_the_steps_follow_each_other_and_a_night_that_is_skipped_has_none(stack: Stack) -> None:
    machine = states(stack)
    choice = machine["IsThereANight"]
    assert choice["Choices"] == [{"Variable": "$.skipped", "IsNull": True, "Next": "Snapshot"}]
    assert (choice["Default"], machine["Skipped"]) == ("Skipped", {"Type": "Succeed"})
    assert machine["Plan"]["Next"] == "IsThereANight"
    order = ["Snapshot"]
    while "Next" in machine[order[-1]]:
        order.append(machine[order[-1]]["Next"])
    assert order == ["Snapshot", "Summarise", "Score", "Publish", "Tell", "Report"]
    assert machine["Report"]["End"] is True


def test_each_step_is_a_function_of_its_own(stack: Stack) -> None:
    found = {name: task(state)["Resource"] for name, state in states(stack).items() if state["Type"] in {"Task", "Map"}}
    assert found == MAPS | TASKS


def test_steps_are_handed_names_of_things_and_never_data(stack: Stack) -> None:
    """Each state's input is what its function reads, and what it answers with is dropped, but for the plan."""
    machine = states(stack)
    failed = PLANNED | {"failure": {"Error": "StepFailed", "Cause": "{}"}}
    handed: dict[str, tuple[dict[str, Any], dict[str, Any], type[BaseModel]]] = {
        "Plan": (machine["Plan"]["Parameters"], {"scheduled_at": "2026-03-29T02:00:00Z"}, PlanStep),
        "Summarise": (machine["Summarise"]["Parameters"], PLANNED, NightStep),
        "Publish": (machine["Publish"]["Parameters"], PLANNED, EndStep),
        "Report": (machine["Report"]["Parameters"], PLANNED, NightStep),
        "SayFailed": (machine["SayFailed"]["Parameters"], failed, EndStep),
    }
    for name, (parameters, given, shape) in handed.items():
        assert set(chosen(parameters, given)) <= set(shape.model_fields), name
        shape.model_validate(chosen(parameters, given))
    for name in MAPS:
        assert machine[name]["ItemsPath"] == "$.groups"
        assert not {"ItemSelector", "Parameters"} & (set(machine[name]) | set(task(machine[name])))
        for group in PLANNED["groups"]:
            GroupStep.model_validate(group)
    dropped = {name for name, state in machine.items() if "ResultPath" in state and state["ResultPath"] is None}
    assert dropped == set(MAPS) | set(TASKS) - {"Plan"}


@pytest.mark.parametrize("skipped", [None, *Skipped])
def test_the_plan_always_says_whether_it_is_skipped(skipped: Skipped | None) -> None:
    """A choice by a path that is not there would be an error."""
    assert PlannedBody.of(Planned(date(2026, 3, 29), skipped)).model_dump(mode="json")["skipped"] == skipped


def test_whatever_may_heal_is_tried_for_forty_minutes_and_what_cannot_is_not(stack: Stack) -> None:
    for name, state in states(stack).items():
        if state["Type"] in {"Task", "Map"}:
            assert task(state)["Retry"] == HEALS, name
            assert state["Type"] == "Task" or "Retry" not in state, name  # a map tried again would do all groups again
    patience = sum(min(300, 2 * 2**attempt) for attempt in range(15))
    assert patience == 2610


def test_a_night_that_fails_before_it_is_published_says_so_and_fails(stack: Stack) -> None:
    machine = states(stack)
    for name in (set(MAPS) | set(TASKS)) - UNTOLD:
        assert machine[name]["Catch"] == [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "SayFailed"}], name
    assert [name for name in UNTOLD if "Catch" in machine[name]] == []
    assert machine["SayFailed"]["Next"] == "Failed"
    assert machine["Failed"] == {"Type": "Fail", "ErrorPath": "$.failure.Error", "CausePath": "$.failure.Cause"}


def test_as_many_groups_are_worked_on_at_once_as_the_parameter_says(stack: Stack) -> None:
    machine = stack.of("StepFunctions::StateMachine")["NightMachine"]
    assert machine["DefinitionString"]["Fn::Sub"].count('"MaxConcurrency": ${NightConcurrency}') == len(MAPS)


def test_the_machine_may_call_its_steps_and_nothing_else(stack: Stack) -> None:
    (policy,) = stack.of("IAM::Role")["NightMachineRole"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", ["lambda:InvokeFunction"])
    called = {stack.folder(stack.behind(resource)) for resource in statement["Resource"]}
    assert called == {*MAPS.values(), *TASKS.values()}


def test_the_schedule_keeps_the_companys_time_and_says_what_it_was_meant_for(stack: Stack) -> None:
    (schedule,) = stack.of("Scheduler::Schedule").values()
    target = schedule["Target"]
    assert schedule["ScheduleExpression"] == "cron(0 4 * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == {"Ref": "TimeZone"}
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["State"] == {"Fn::If": ["IsProtected", "ENABLED", "DISABLED"]}
    assert (target["Arn"], json.loads(target["Input"])) == (
        {"Ref": "NightMachine"},
        {"scheduled_at": "<aws.scheduler.scheduled-time>"},
    )


def test_a_start_that_fails_is_tried_while_the_night_is_worth_it_and_then_kept(stack: Stack) -> None:
    """A night found twelve hours late is skipped."""
    (schedule,) = stack.of("Scheduler::Schedule").values()
    target = schedule["Target"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 36_000, "MaximumRetryAttempts": 185}
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["NightDeadLetters", "Arn"]}}
    (policy,) = stack.of("IAM::Role")["NightScheduleRole"]["Policies"]
    granted = {tuple(each["Action"]): references(each["Resource"]) for each in policy["PolicyDocument"]["Statement"]}
    assert references(target["RoleArn"]) == {"NightScheduleRole"}
    assert granted == {("states:StartExecution",): {"NightMachine"}, ("sqs:SendMessage",): {"NightDeadLetters"}}
