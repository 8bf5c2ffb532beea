"""The machine of campaigns: it has each page of a roster planned, and one that cannot be is in nobody's way."""

import json

from ecrm.contracts.campaign_steps import PageStep
from ecrm.messaging.machines import StepFunctionsCampaignMachine
from tests.architecture.stack import Stack, references
from tests.architecture.test_night import HEALS, states_of, task


class Told:
    """Step Functions' client, as far as it is used."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    def start_execution(self, **asked: str) -> None:
        self.asked.append(asked)


def test_each_page_is_a_step_of_its_own_and_tried_while_it_may_heal(stack: Stack) -> None:
    machine = states_of(stack, "CampaignMachine")
    assert set(machine) == {"PlanPages"}
    pages = machine["PlanPages"]
    step = task(pages)
    assert (pages["Type"], pages["ItemsPath"], pages["ResultPath"], pages["End"]) == ("Map", "$.pages", None, True)
    assert (step["Resource"], step["Retry"]) == ("plan_audience", HEALS)
    assert not {"ItemSelector", "Parameters"} & (set(pages) | set(step))


def test_a_page_that_cannot_be_planned_leaves_the_others_alone(stack: Stack) -> None:
    """Whether all are planned is in the table, and who looks there starts the next attempt."""
    pages = states_of(stack, "CampaignMachine")["PlanPages"]
    assert task(pages)["Catch"] == [{"ErrorEquals": ["States.ALL"], "Next": "Unplanned"}]
    assert pages["ItemProcessor"]["States"]["Unplanned"] == {"Type": "Pass", "End": True}


def test_the_machine_is_handed_names_of_pages_and_never_data() -> None:
    told = Told()
    assert StepFunctionsCampaignMachine(told, "arn").start("0" * 32, 3, 2)
    (asked,) = told.asked
    assert asked == {
        "stateMachineArn": "arn",
        "name": f"{'0' * 32}-3",
        "input": json.dumps({"pages": [{"run_id": "0" * 32, "page": page} for page in (0, 1)]}),
    }
    PageStep.model_validate({"run_id": "0" * 32, "page": 1})


def test_the_machine_may_call_its_step_and_nothing_else(stack: Stack) -> None:
    (policy,) = stack.of("IAM::Role")["CampaignMachineRole"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Action"]) == ("Allow", ["lambda:InvokeFunction"])
    assert stack.folder(stack.behind(statement["Resource"])) == "plan_audience"


def test_somebody_looks_every_minute_whether_a_campaign_is_due(stack: Stack) -> None:
    schedule = stack.of("Events::Rule")["StartCampaignsSchedule"]
    assert schedule["ScheduleExpression"] == "rate(1 minute)"
    assert {stack.folder(stack.behind(target["Arn"])) for target in schedule["Targets"]} == {"start_campaigns"}
    assert references(stack.of("Lambda::Permission")["StartCampaignsPermission"]["SourceArn"]) == {"StartCampaignsSchedule"}


def test_start_campaigns_knows_the_machine_by_its_name(stack: Stack) -> None:
    name = stack.of("StepFunctions::StateMachine")["CampaignMachine"]["StateMachineName"]
    arn = stack.functions()["start_campaigns"]["Environment"]["Variables"]["CAMPAIGN_MACHINE_ARN"]
    assert arn["Fn::Sub"].endswith(f":stateMachine:{name['Fn::Sub']}")
    (statement,) = (one for one in stack.statements("start_campaigns") if one["Action"] == ["states:StartExecution"])
    assert statement["Resource"] == arn
