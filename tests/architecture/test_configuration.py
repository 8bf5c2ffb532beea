"""Every knob stands on the configuration page, and the page speaks of no knob that is not there."""

import re
import tomllib

from tests.architecture.pages import code, section, table
from tests.architecture.sources import CORE, ROOT, settings, shipped
from tests.architecture.stack import Stack

PAGE = ROOT / "docs" / "configuration.md"
# Read by libraries, not by our code.
READ_BY_LIBRARIES = {
    *("POWERTOOLS_LOG_LEVEL", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_SERVICE_NAME"),
    "PYDANTIC_DISABLE_PLUGINS",
}


def documented(title: str, column: str) -> list[str]:
    return [code(name) for (name,) in table(section(PAGE, title), column)]


def in_template(stack: Stack) -> set[str]:
    """Every variable that some function is given."""
    return {name for function in stack.functions().values() for name in function["Environment"]["Variables"]}


def test_the_page_lists_the_parameters_with_their_defaults(stack: Stack) -> None:
    listed = table(section(PAGE, "Parameters of the stack"), "parameter", "default")
    assert {code(name): default.strip("`") for name, default in listed} == {
        name: str(parameter["Default"]) or "empty" for name, parameter in stack.body["Parameters"].items()
    }


def test_every_parameter_can_be_left_out_and_says_what_it_is(stack: Stack) -> None:
    for name, parameter in stack.body["Parameters"].items():
        assert "Default" in parameter, name
        assert parameter["Description"].endswith("."), name


def test_the_page_lists_what_the_functions_are_told(stack: Stack) -> None:
    assert sorted(documented("What a function is told", "variable")) == sorted(in_template(stack))


def test_the_page_says_which_functions_are_told_what(stack: Stack) -> None:
    for name, told in table(section(PAGE, "What a function is told"), "variable", "functions"):
        functions = stack.functions()
        having = {folder for folder, each in functions.items() if code(name) in each["Environment"]["Variables"]}
        assert having == (set(functions) if told == "all" else set(re.findall(r"`(\w+)`", told))), name


def test_functions_are_told_what_the_code_reads_and_nothing_else(stack: Stack) -> None:
    read = {name for path in shipped() for name in settings(path)}
    assert in_template(stack) == read | READ_BY_LIBRARIES


def test_only_bootstrap_reads_the_environment() -> None:
    readers = {path for path in shipped() if settings(path)}
    assert readers <= {CORE / "ecrm" / "bootstrap.py"}


def test_the_page_lists_the_make_variables() -> None:
    """What the Makefile gives a default, and what its help text offers in capitals."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    defaults = set(re.findall(r"^([A-Z]+) \?=", makefile, re.MULTILINE))
    offered = {name for line in re.findall(r"## (.*)", makefile) for name in re.findall(r"\b([A-Z]+)=", line)}
    assert sorted(documented("Variables of make", "variable")) == sorted(defaults | offered)


def test_every_environment_of_samconfig_is_on_the_page_and_sets_parameters_that_exist(stack: Stack) -> None:
    configuration = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    environments = {name: each for name, each in configuration.items() if name != "version" and "deploy" in each}
    assert documented("Environments", "environment") == list(environments)
    for name, environment in environments.items():
        for override in environment["deploy"]["parameters"]["parameter_overrides"]:
            parameter, _, value = override.partition("=")
            allowed = stack.body["Parameters"][parameter].get("AllowedValues")
            assert allowed is None or value in map(str, allowed), f"{name}: {override}"


def test_the_outputs_are_on_the_page(stack: Stack) -> None:
    assert documented("What a stack answers with", "output") == list(stack.body["Outputs"])
