"""A release: what it publishes, who is led to it, and what turns it back."""

import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.conftest import transformed
from tests.architecture.sources import ROOT, folders
from tests.architecture.stack import Stack, references

TRIAL_SECONDS = 600  # Canary10Percent10Minutes


def environments() -> dict[str, dict[str, Any]]:
    """What samconfig.toml deploys: environment → its parameters, `parameter_overrides` taken apart."""
    configuration = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    found = {name: each["deploy"]["parameters"] for name, each in configuration.items() if name != "version" and "deploy" in each}
    return {
        name: each | {"parameter_overrides": dict(override.split("=", 1) for override in each["parameter_overrides"])}
        for name, each in found.items()
    }


def versions(stack: Stack) -> set[str]:
    return set(stack.of("Lambda::Version"))


@pytest.mark.parametrize("folder", folders())
def test_a_function_is_reached_through_the_alias_of_a_published_version(stack: Stack, folder: str) -> None:
    (alias,) = (each for name, each in stack.of("Lambda::Alias").items() if stack.folder(stack.behind({"Ref": name})) == folder)
    (version,) = references(alias["FunctionVersion"])
    assert alias["Name"] == "live"
    assert stack.of("Lambda::Version")[version]["FunctionName"] == alias["FunctionName"]


def test_a_new_layer_alone_publishes_a_version_of_every_function(stack: Stack) -> None:
    """Nearly all of our code is in a layer, and SAM looks at a function's own code unless it is told otherwise."""
    assert len(versions(stack)) == len(folders())
    assert versions(transformed(layers="s3://artefacts/changed")).isdisjoint(versions(stack))


def test_the_same_code_publishes_nothing(stack: Stack) -> None:
    assert versions(transformed()) == versions(stack)


def test_a_release_at_once_needs_no_codedeploy(stack: Stack) -> None:
    """The laptop's emulator has none, and transforms with the defaults."""
    assert stack.body["Parameters"]["Rollout"]["Default"] == "at-once"
    assert [name for name, each in stack.resources.items() if "CodeDeploy" in each["Type"] or "UpdatePolicy" in each] == []


def test_a_gradual_release_is_tried_on_a_tenth_of_the_calls_of_every_function(production: Stack) -> None:
    groups = production.of("CodeDeploy::DeploymentGroup")
    moved = {
        stack_alias: production.resources[stack_alias]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]
        for stack_alias in production.of("Lambda::Alias")
    }
    assert sorted(name for group in moved.values() for name in references(group)) == sorted(groups)
    assert len(groups) == len(folders())
    for group in groups.values():
        assert group["DeploymentConfigName"] == {
            "Fn::Sub": ["CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": "Canary10Percent10Minutes"}]
        }
        assert group["ServiceRoleArn"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]}


def test_an_alarm_turns_a_release_back_and_it_can_ring_before_the_trial_is_over(production: Stack) -> None:
    for group in production.of("CodeDeploy::DeploymentGroup").values():
        assert group["AutoRollbackConfiguration"]["Enabled"] is True
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert group["AlarmConfiguration"]["Enabled"] is True
        looked_at = references(group["AlarmConfiguration"]["Alarms"])
        assert looked_at == {"HttpServerErrorsAlarm", "ProjectEventsDeadLettersAlarm"}
        for name in looked_at:
            alarm = production.of("CloudWatch::Alarm")[name]
            assert alarm["Period"] * alarm["EvaluationPeriods"] < TRIAL_SECONDS, name


def test_codedeploy_may_move_each_alias_and_look_at_alarms_and_no_more(production: Stack) -> None:
    (policy,) = production.of("IAM::Role")["DeploymentRole"]["Policies"]
    moving, looking = policy["PolicyDocument"]["Statement"]
    assert moving["Action"] == ["lambda:GetAlias", "lambda:GetProvisionedConcurrencyConfig", "lambda:UpdateAlias"]
    functions = production.of("Lambda::Function")
    expected = [{"Fn::GetAtt": [name, "Arn"]} for name in functions] + [
        {"Fn::Sub": f"${{{name}.Arn}}:live"} for name in functions
    ]
    assert sorted(map(json.dumps, moving["Resource"])) == sorted(map(json.dumps, expected))
    assert looking["Action"] == ["cloudwatch:DescribeAlarms"]


def test_what_production_gets_has_no_finding_either(production: Stack, tmp_path: Path) -> None:
    """`make template` looks at the defaults; SAM writes CodeDeploy's part only where the rollout is gradual."""
    body = {name: part for name, part in production.body.items() if name != "Mappings"}  # SAM has used up this one
    body["Parameters"] = {name: each for name, each in body["Parameters"].items() if name != "Rollout"}  # and this one
    template = tmp_path / "production.json"
    template.write_text(json.dumps(body), encoding="utf-8")
    cfn_lint = ROOT / ".venv-tools/bin/cfn-lint"
    outcome = subprocess.run(
        [cfn_lint, "--template", template, "--regions", "us-east-1"], capture_output=True, text=True, check=False
    )
    assert (outcome.returncode, outcome.stdout) == (0, "")


def test_production_is_gradual_protected_and_looked_at_before_it_changes() -> None:
    prod = environments()["prod"]
    assert prod["parameter_overrides"] == {"Stage": "prod", "Rollout": "gradual", "LogRetentionDays": "90"}
    assert (prod["stack_name"], prod["confirm_changeset"], prod["capabilities"]) == ("ecrm-prod", True, "CAPABILITY_IAM")


def test_a_hotfix_is_production_at_once() -> None:
    """An alarm that rings already stops a gradual release, the one that mends it too."""
    prod, hotfix = environments()["prod"], environments()["hotfix"]
    assert hotfix == prod | {"parameter_overrides": prod["parameter_overrides"] | {"Rollout": "at-once"}}


def test_only_production_is_gradual() -> None:
    gradual = [name for name, each in environments().items() if each["parameter_overrides"].get("Rollout") == "gradual"]
    assert gradual == ["prod"]
