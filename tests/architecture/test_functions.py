"""Every function is a folder, and is told what it needs to know."""

import re

import pytest

from tests.architecture.sources import ROOT, folders
from tests.architecture.stack import Stack, references

HTTP_LIMIT_SECONDS = 29  # API Gateway gives up after 30
MOST_RESOURCES = 500
RESERVED_RESOURCES = 135  # nine functions with an API each; below that, a nested stack is to be thought of


def test_every_function_has_a_folder_and_every_folder_a_function(stack: Stack) -> None:
    assert folders() == sorted(stack.functions())


@pytest.mark.parametrize("folder", folders())
def test_a_function_is_named_after_its_folder(stack: Stack, folder: str) -> None:
    function = stack.functions()[folder]
    words = "".join(word.capitalize() for word in folder.split("_"))
    assert function is stack.of("Lambda::Function")[f"{words}Function"]
    assert function["Handler"] == f"{folder}.handler.handler"
    assert function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"] == folder


@pytest.mark.parametrize("folder", folders())
def test_a_function_is_an_api_or_does_something_to_something(folder: str) -> None:
    assert re.fullmatch(r"[a-z]+_[a-z_]+", folder)


@pytest.mark.parametrize("folder", folders())
def test_a_function_says_what_it_does_in_a_sentence(stack: Stack, folder: str) -> None:
    assert re.fullmatch(r"[A-Z].{20,254}\.", stack.functions()[folder]["Description"])


@pytest.mark.parametrize("folder", folders())
def test_a_function_runs_the_python_of_this_project_on_the_chosen_processor(stack: Stack, folder: str) -> None:
    function = stack.functions()[folder]
    version = (ROOT / ".python-version").read_text(encoding="utf-8").strip()
    assert function["Runtime"] == f"python{version}"
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    for layer in stack.of("Lambda::LayerVersion").values():
        assert layer["CompatibleRuntimes"] == [f"python{version}"]
        assert layer["CompatibleArchitectures"] == [{"Ref": "Architecture"}]


@pytest.mark.parametrize("folder", folders())
def test_a_function_carries_both_layers_and_who_reads_contact_files_what_reads_them(stack: Stack, folder: str) -> None:
    carried = references(stack.functions()[folder]["Layers"])
    heavy = {"ImportsLayer"} if folder in {"import_file", "import_rows"} else set()
    assert {"DepsLayer", "CoreLayer"} | heavy == {re.sub(r"[0-9a-f]{10}$", "", layer) for layer in carried}


@pytest.mark.parametrize("folder", folders())
def test_a_function_has_a_time_out_and_memory_of_its_own(stack: Stack, folder: str) -> None:
    function = stack.functions()[folder]
    assert 5 <= function["Timeout"] <= (HTTP_LIMIT_SECONDS if folder.endswith("_api") else 900)
    assert 256 <= function["MemorySize"] <= 1769  # above it there is a second core, and no second thread to use it


@pytest.mark.parametrize("folder", folders())
def test_a_function_writes_to_a_log_group_that_forgets(stack: Stack, folder: str) -> None:
    (group,) = references(stack.functions()[folder]["LoggingConfig"]["LogGroup"])
    assert stack.resources[group]["Type"] == "AWS::Logs::LogGroup"
    assert group == f"{folder.title().replace('_', '')}Logs"


def test_every_log_group_forgets_when_the_parameter_says(stack: Stack) -> None:
    groups = stack.of("Logs::LogGroup")
    assert {name: {"Ref": "LogRetentionDays"} for name in groups} == {
        name: group.get("RetentionInDays") for name, group in groups.items()
    }


@pytest.mark.parametrize("folder", folders())
def test_no_function_reserves_concurrency(stack: Stack, folder: str) -> None:
    """A new account has ten executions for everything; what one function reserves, the others lack."""
    assert "ReservedConcurrentExecutions" not in stack.functions()[folder]


@pytest.mark.parametrize("folder", folders())
def test_lambda_lets_go_on_who_asks_for_itself_again_and_stops_every_other_circle(stack: Stack, folder: str) -> None:
    """Lambda breaks a chain in which a function was woken by itself some sixteen times: a long job is such a chain."""
    (function,) = (name for name in stack.of("Lambda::Function") if stack.folder(name) == folder)
    mappings = stack.of("Lambda::EventSourceMapping").values()
    wakes = references([each["EventSourceArn"] for each in mappings if stack.behind(each["FunctionName"]) == function])
    filled = references([each["Resource"] for each in stack.statements(folder) if "sqs:SendMessage" in each["Action"]])
    own_queues = wakes & filled & set(stack.of("SQS::Queue"))
    assert stack.functions()[folder].get("RecursiveLoop") == ("Allow" if own_queues else None)


@pytest.mark.parametrize("folder", folders())
def test_no_function_is_traced(stack: Stack, folder: str) -> None:
    assert "TracingConfig" not in stack.functions()[folder]


@pytest.mark.parametrize("folder", folders())
def test_a_functions_settings_hold_no_secret(stack: Stack, folder: str) -> None:
    """A setting is a plain word or points to something; what guards something is fetched when it is needed."""
    secrets = set(stack.of("SecretsManager::Secret"))
    for name, value in stack.functions()[folder]["Environment"]["Variables"].items():
        assert not re.search(r"SECRET|PASSWORD|TOKEN|KEY|CREDENTIAL", name) or name.endswith(("_SECRET_ID", "_ARN"))
        assert not looks_like_a_secret(value)
        if references(value) & secrets:
            assert value == {"Fn::GetAtt": [*references(value), "Id"]}


def looks_like_a_secret(value: object) -> bool:
    """Resolved from a secret store at deployment, or long and without meaning."""
    text = str(value)
    return "{{resolve:" in text or re.fullmatch(r"[A-Za-z0-9+/=_-]{24,}", text) is not None


def test_there_is_room_for_more_in_the_template(production: Stack) -> None:
    """CloudFormation takes 500 resources a template, counted after SAM has written its own; a gradual release has the most."""
    assert len(production.resources) <= MOST_RESOURCES - RESERVED_RESOURCES
