"""Who may do what: each function has a role of its own, and each grant is one that its code uses."""

from collections import defaultdict

import pytest

from tests.architecture.sources import folders
from tests.architecture.stack import Stack, references, strings

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
QUEUE = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
WRITER = {"dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem"}

# What each function may do to what, next to its logs. Whoever adds a line says which call needs it.
GRANTS: dict[str, dict[str, set[str]]] = {
    "orders_api": {
        "Table": {*WRITER, "dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
        "LinkSecret": {"secretsmanager:GetSecretValue"},
    },
    "ingest_api": {"Table": {*WRITER, "dynamodb:Query"}, "IdentitySecret": {"secretsmanager:GetSecretValue"}},
    "customers_api": {"Table": {*WRITER, "dynamodb:Query"}, "IdentitySecret": {"secretsmanager:GetSecretValue"}},
    "consent_api": {
        "Table": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
    },
    "catalog_api": {"Table": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}},
    "sites_api": {"Table": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"}},
    "jobs_api": {"Table": {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"}, "ExportsBucket": {"s3:GetObject"}},
    "public_api": {"Table": {"dynamodb:GetItem"}, "LinkSecret": {"secretsmanager:GetSecretValue"}},
    "reference_api": {},
    "project_events": {
        "Table": {"dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        "Table.StreamArn": STREAM,
        "ProjectEventsDeadLetters": {"sqs:SendMessage"},
    },
    "publish_events": {
        "Table.StreamArn": STREAM,
        "JobQueue": {"sqs:SendMessage"},
        "PublishEventsDeadLetters": {"sqs:SendMessage"},
    },
    "run_jobs": {
        "Table": {"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
        "JobQueue": {*QUEUE, "sqs:SendMessage"},  # a job that is not done in its minute asks for itself again
        "ExportsBucket": {"s3:DeleteObject", "s3:ListBucket", "s3:PutObject"},  # an erasure takes away the person's own exports
    },
}


@pytest.mark.parametrize("folder", folders())
def test_a_function_may_do_what_is_listed_here_and_no_more(stack: Stack, folder: str) -> None:
    granted: dict[str, set[str]] = defaultdict(set)
    for statement in stack.statements(folder):
        assert statement["Effect"] == "Allow"
        assert set(statement) == {"Effect", "Action", "Resource"}
        granted[named(statement["Resource"])].update(statement["Action"])
    logs = f"{folder.title().replace('_', '')}Logs"
    assert granted == {logs: LOGS, **GRANTS[folder]}


def named(resource: dict[str, list[str]]) -> str:
    """The one resource that a statement is about; a stream is not its table."""
    (name,) = references(resource)
    return "Table.StreamArn" if resource == {"Fn::GetAtt": ["Table", "StreamArn"]} else name


def test_no_two_functions_share_a_role(stack: Stack) -> None:
    roles = [role for function in stack.functions().values() for role in references(function["Role"])]
    assert sorted([*roles, "DeploymentRole"]) == sorted(stack.of("IAM::Role"))


def test_a_role_is_for_lambda_and_has_inline_policies_alone(stack: Stack) -> None:
    for name, role in stack.of("IAM::Role").items():
        service = "codedeploy" if name == "DeploymentRole" else "lambda"
        assert set(role) == {"AssumeRolePolicyDocument", "Policies"}
        assert role["AssumeRolePolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]


def test_no_policy_holds_a_star_but_for_the_objects_of_a_bucket_and_where_cloudwatch_asks_for_one(stack: Stack) -> None:
    held = {text for role in stack.of("IAM::Role").values() for text in strings(role["Policies"]) if "*" in text}
    objects = {f"${{{bucket}.Arn}}/*" for bucket in stack.of("S3::Bucket")}
    assert held == {"arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*"} | objects


def test_nothing_grants_rights_but_the_roles_of_this_template(production: Stack) -> None:
    kinds = {resource["Type"] for resource in production.resources.values()}
    assert {kind for kind in kinds if kind.startswith("AWS::IAM::")} == {"AWS::IAM::Role"}
    assert {kind for kind in kinds if kind.endswith("Policy")} == {"AWS::S3::BucketPolicy"}
    for policy in production.of("S3::BucketPolicy").values():
        assert {statement["Effect"] for statement in policy["PolicyDocument"]["Statement"]} == {"Deny"}
