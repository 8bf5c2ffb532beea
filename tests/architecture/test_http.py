"""The HTTP API in plain resources: which path leads to which function."""

from importlib import import_module
from typing import Any

import pytest

from tests.architecture.sources import folders
from tests.architecture.stack import Stack, references

APIS = [folder for folder in folders() if folder.endswith("_api")]
REFERENCE = "reference_api"
PUBLIC = "public_api"
INGEST = "ingest_api"
SEGMENT = ("identify", "track", "page", "screen", "group", "alias", "batch")
# Functions that answer for resources of another name.
RESOURCES = {"catalog_api": ("products",), "consent_api": ("topics", "suppressions"), "segments_api": ("segments", "nights")}
# Paths that stand alone: one setting, and the public paths that make a mail.
ALONE = dict.fromkeys(("ANY /v1/sending", "ANY /public/orders/find", "ANY /public/subscribe"), "messages_api")


def routes(stack: Stack) -> dict[str, str]:
    """Route key → folder of the function that answers."""
    return {
        route["RouteKey"]: stack.folder(stack.behind(integration(stack, route)["IntegrationUri"]))
        for route in stack.of("ApiGatewayV2::Route").values()
    }


def integration(stack: Stack, route: dict[str, Any]) -> dict[str, Any]:
    (name,) = references(route["Target"])
    assert route["Target"] == {"Fn::Sub": f"integrations/${{{name}}}"}
    return stack.of("ApiGatewayV2::Integration")[name]


def test_each_resource_has_its_function_and_all_else_is_answered_by_the_reference(stack: Stack) -> None:
    expected = {"$default": REFERENCE, "ANY /public/{proxy+}": PUBLIC, "ANY /v1/projects/{proxy+}": INGEST}
    expected |= {f"ANY /v1/{name}": INGEST for call in SEGMENT for name in (call, call[0])} | ALONE
    for folder in set(APIS) - {REFERENCE, PUBLIC, INGEST}:
        for resource in RESOURCES.get(folder, (folder.removesuffix("_api"),)):
            expected[f"ANY /v1/{resource}"] = folder
            expected[f"ANY /v1/{resource}/{{proxy+}}"] = folder
    assert routes(stack) == expected


@pytest.mark.parametrize("folder", APIS)
def test_every_route_that_a_function_declares_reaches_it(stack: Stack, folder: str) -> None:
    """As API Gateway chooses: the whole path first, then the greediest prefix, `$default` last."""
    declared = {route.path for route, _ in import_module(f"{folder}.handler").handler.routes}
    assert declared
    for path in declared:
        resource = "/".join(path.split("/")[: 3 if path.startswith("/v1/") else 2])
        key = f"ANY {path}" if f"ANY {path}" in routes(stack) else f"ANY {resource}/{{proxy+}}"
        assert routes(stack).get(key, routes(stack)["$default"]) == folder, path


def test_there_is_one_integration_a_function_and_it_speaks_payload_2(stack: Stack) -> None:
    integrations = stack.of("ApiGatewayV2::Integration").values()
    assert sorted(stack.folder(stack.behind(each["IntegrationUri"])) for each in integrations) == APIS
    for each in integrations:
        assert (each["IntegrationType"], each["PayloadFormatVersion"]) == ("AWS_PROXY", "2.0")


def test_api_gateway_may_call_each_api_and_nothing_else(stack: Stack) -> None:
    permissions = [each for each in stack.of("Lambda::Permission").values() if each["Principal"] == "apigateway.amazonaws.com"]
    assert sorted(stack.folder(stack.behind(each["FunctionName"])) for each in permissions) == APIS
    for each in permissions:
        assert each["Action"] == "lambda:InvokeFunction"
        assert each["SourceArn"] == {
            "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpApi}/$default/*"
        }


def test_every_part_belongs_to_the_one_api(stack: Stack) -> None:
    assert list(stack.of("ApiGatewayV2::Api")) == ["HttpApi"]
    for kind in ("Stage", "Integration", "Route"):
        for each in stack.of(f"ApiGatewayV2::{kind}").values():
            assert each["ApiId"] == {"Ref": "HttpApi"}


def test_the_functions_authorise_and_answer_cors_themselves(stack: Stack) -> None:
    assert "CorsConfiguration" not in stack.of("ApiGatewayV2::Api")["HttpApi"]
    assert stack.of("ApiGatewayV2::Authorizer") == {}
    for route in stack.of("ApiGatewayV2::Route").values():
        assert "AuthorizerId" not in route


def test_the_stage_brakes_a_flood(stack: Stack) -> None:
    settings = stack.of("ApiGatewayV2::Stage")["HttpStage"]["DefaultRouteSettings"]
    assert settings == {
        "ThrottlingRateLimit": {"Ref": "HttpRequestsPerSecond"},
        "ThrottlingBurstLimit": {"Ref": "HttpRequestsPerSecond"},
    }


@pytest.mark.parametrize("personal", ["identity", "sourceIp", "path", "authorizer", "header"])
def test_the_access_log_is_no_register_of_persons(stack: Stack, personal: str) -> None:
    log = stack.of("ApiGatewayV2::Stage")["HttpStage"]["AccessLogSettings"]
    assert "$context.status" in log["Format"]
    assert personal not in log["Format"]


def test_a_domain_of_ones_own_leads_to_the_api_and_speaks_modern_tls_alone(stack: Stack) -> None:
    (domain,) = stack.of("ApiGatewayV2::DomainName").values()
    assert domain == {
        "DomainName": {"Ref": "DomainName"},
        "DomainNameConfigurations": [
            {"CertificateArn": {"Ref": "CertificateArn"}, "EndpointType": "REGIONAL", "SecurityPolicy": "TLS_1_2"}
        ],
    }
    (mapping,) = stack.of("ApiGatewayV2::ApiMapping").values()
    assert mapping == {"DomainName": {"Ref": "HttpDomain"}, "ApiId": {"Ref": "HttpApi"}, "Stage": {"Ref": "HttpStage"}}


def test_without_a_domain_there_is_none_and_with_one_the_stack_says_so(stack: Stack) -> None:
    for name in ("HttpDomain", "HttpDomainMapping"):
        assert stack.resources[name]["Condition"] == "HasDomainName"
    assert stack.body["Conditions"]["HasDomainName"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "DomainName"}, ""]}]}
    assert stack.body["Outputs"]["ApiUrl"]["Value"] == {
        "Fn::If": ["HasDomainName", {"Fn::Sub": "https://${DomainName}"}, {"Fn::GetAtt": ["HttpApi", "ApiEndpoint"]}]
    }


def test_links_lead_to_where_the_api_answers_unless_another_address_is_given(stack: Stack) -> None:
    linking, telling = (
        stack.functions()[name]["Environment"]["Variables"]["PUBLIC_URL"] for name in ("orders_api", "ingest_api")
    )
    assert linking == telling
    assert linking == {"Fn::If": ["HasPublicUrl", {"Ref": "PublicUrl"}, stack.body["Outputs"]["ApiUrl"]["Value"]]}
    assert stack.body["Conditions"]["HasPublicUrl"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "PublicUrl"}, ""]}]}


def test_a_domain_is_refused_without_its_certificate(stack: Stack) -> None:
    rule = stack.body["Rules"]["DomainAndCertificate"]
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "DomainName"}, ""]}]}
    assert [each["Assert"] for each in rule["Assertions"]] == [{"Fn::Not": [{"Fn::Equals": [{"Ref": "CertificateArn"}, ""]}]}]
