"""Who may do what: each function has a role of its own, and each grant is one that its code uses."""

from collections import defaultdict
from typing import Any

import pytest

from tests.architecture.sources import folders
from tests.architecture.stack import Stack, references, strings

LOGS = {"logs:CreateLogStream", "logs:PutLogEvents"}
STREAM = {"dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"}
QUEUE = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}
WRITER = {"dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem"}
# A file that is not there is a 404 only for who may list.
READS_NIGHTS = {"NightsBucket": {"s3:ListBucket"}, "NightsBucket/nights/*": {"s3:GetObject"}}
READS_REPORTS = {"NightsBucket": {"s3:ListBucket"}, "NightsBucket/reports/*": {"s3:GetObject"}}
WRITES_NIGHTS = READS_NIGHTS | {"NightsBucket/nights/*": {"s3:GetObject", "s3:PutObject"}}

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
    "imports_api": {
        "Table": {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        "ImportsBucket/imports/*": {"s3:GetObject", "s3:PutObject"},  # what a signed link or upload may do, its signer may
    },
    "import_file": {
        "Table": {"dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        "ImportQueue": {*QUEUE, "sqs:SendMessage"},  # a file that is not read in five minutes asks for itself again
        "ChunkQueue": {"sqs:SendMessage"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},  # a customer's last row may have to be applied once more at the end
        "ImportsBucket": {"s3:ListBucket"},  # a sidecar that is not there is a 404 only for who may list
        "ImportsBucket/imports/*": {"s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"},
        "ImportsBucket/chunks/*": {"s3:GetObject", "s3:PutObject"},
    },
    "import_rows": {
        "Table": {*WRITER, "dynamodb:Query"},
        "ChunkQueue": QUEUE,
        "ImportQueue": {"sqs:SendMessage"},  # the last chunk asks for the result
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
        "ImportsBucket/chunks/*": {"s3:GetObject", "s3:PutObject"},
    },
    "public_api": {
        "Table": {*WRITER, "dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},  # a consent is one for an address, known by its digest
        "LinkSecret": {"secretsmanager:GetSecretValue"},
        "ExportsBucket/customers/*": {"s3:GetObject"},  # a signed link to one's own data may do what its signer may
        **READS_REPORTS,
    },
    "templates_api": {
        # whether anything is sent is a matter of the table's own id
        "Table": {"dynamodb:BatchGetItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},  # suppressions and limits know an address by its digest
        "TransactionalConfigurationSet": {"ses:SendEmail"},
        "identity/*": {"ses:SendEmail"},
    },
    "messages_api": {
        # whether sending is armed is a matter of the table's own id
        "Table": {*WRITER, "dynamodb:DescribeTable", "dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
    },
    "reference_api": {},
    "project_events": {
        "Table": (WRITER - {"dynamodb:ConditionCheckItem"}) | {"dynamodb:BatchWriteItem", "dynamodb:Query"},
        "Table.StreamArn": STREAM,
        "IdentitySecret": {"secretsmanager:GetSecretValue"},  # rows copy the consents that segments name
        "ProjectEventsDeadLetters": {"sqs:SendMessage"},
    },
    "publish_events": {
        "Table": {"dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem"},  # the mails of orders
        "Table.StreamArn": STREAM,
        "JobQueue": {"sqs:SendMessage"},
        "MessageQueue": {"sqs:SendMessage"},
        "PublishEventsDeadLetters": {"sqs:SendMessage"},
    },
    "run_jobs": {
        # an erasure deletes in batches, undoing an import with conditions
        "Table": (WRITER - {"dynamodb:ConditionCheckItem"})
        | {"dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:Query"},
        "Table/index/worklist": {"dynamodb:Query"},  # who has not confirmed a sign-up
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
        "JobQueue": {*QUEUE, "sqs:SendMessage"},  # a job that is not done in its minute asks for itself again
        "ExportsBucket": {"s3:DeleteObject", "s3:ListBucket", "s3:PutObject"},  # an erasure takes away the person's own exports
        "ImportsBucket/chunks/*": {"s3:GetObject"},  # undoing reads what each row did
    },
    "send_messages": {
        "Table": {*WRITER, "dynamodb:DescribeTable", "dynamodb:Query"},
        "MessageQueue": {*QUEUE, "sqs:SendMessage"},  # a page that is not done in its minute asks for itself again
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
        "LinkSecret": {"secretsmanager:GetSecretValue"},
        "TransactionalConfigurationSet": {"ses:SendEmail"},
        "MarketingConfigurationSet": {"ses:SendEmail"},
        "identity/*": {"ses:SendEmail"},
        "*": {"ses:GetAccount"},
    },
    "settle_sends": {
        # what has ended without being sent is told, and gives its place in the budget back
        "Table": {*WRITER, "dynamodb:DescribeTable", "dynamodb:Query"},
        "Table/index/worklist": {"dynamodb:Query"},
        "MessageQueue": {"sqs:SendMessage"},
    },
    "record_delivery": {
        "Table": {*WRITER, "dynamodb:Query"},
        "DeliveryQueue": QUEUE,
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
    },
    "segments_api": {
        "Table": (WRITER - {"dynamodb:ConditionCheckItem"}) | {"dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},  # whoever a rule asks for consent is looked up
        **READS_NIGHTS,
    },
    "campaigns_api": {
        "Table": {
            *("dynamodb:BatchGetItem", "dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query")
        },
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
        "LinkSecret": {"secretsmanager:GetSecretValue"},
        "identity/*": {"ses:GetEmailIdentity"},
    },
    "reports_api": {"Table": {"dynamodb:GetItem"}, "LinkSecret": {"secretsmanager:GetSecretValue"}, **READS_REPORTS},
    "plan_night": {
        "Table": {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"},
        "Table/index/worklist": {"dynamodb:Query"},  # whether anybody has not confirmed a sign-up
        **WRITES_NIGHTS,
    },
    "snapshot_customers": {"Table": {"dynamodb:Query"}, **WRITES_NIGHTS},
    "summarise_night": WRITES_NIGHTS,
    "score_customers": {
        # whoever their row does not suffice for is read whole
        "Table": {*WRITER, "dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
        **WRITES_NIGHTS,
    },
    "publish_night": {"Table": {"dynamodb:GetItem", "dynamodb:PutItem"}, **READS_NIGHTS},
    "tell_night": {"Table": {"dynamodb:ConditionCheckItem", "dynamodb:GetItem", "dynamodb:PutItem"}, **READS_NIGHTS},
    "report_night": {"Table": {"dynamodb:GetItem"}, **READS_NIGHTS, "NightsBucket/reports/*": {"s3:PutObject"}},
    "start_campaigns": {
        # a run that is over is active no more
        "Table": (WRITER - {"dynamodb:ConditionCheckItem"}) | {"dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:Query"},
        "Table/index/worklist": {"dynamodb:Query"},
        "MessageQueue": {"sqs:SendMessage"},
        "CampaignMachine": {"states:StartExecution"},
    },
    "plan_audience": {
        # whoever their row does not suffice for is read whole
        "Table": (WRITER - {"dynamodb:ConditionCheckItem"}) | {"dynamodb:Query"},
        "IdentitySecret": {"secretsmanager:GetSecretValue"},
        "MessageDeadLetters": {"sqs:SendMessage"},  # a page that can never be planned
        **READS_NIGHTS,
        "NightsBucket/runs/*": {"s3:GetObject", "s3:PutObject"},
    },
}
# Roles of no function, and the service that takes each.
SERVICES = {
    "CampaignMachineRole": "states",
    "DeploymentRole": "codedeploy",
    "NightMachineRole": "states",
    "NightScheduleRole": "scheduler",
}
STARS = {
    "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:*",  # CloudWatch asks for it whichever are read
    "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:identity/*",  # sites say whom they send as, without a deployment
    "*",  # ses:GetAccount, for which IAM knows no resource
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


FOLDERS = ("${ImportsBucket.Arn}/", "${NightsBucket.Arn}/", "${ExportsBucket.Arn}/customers/")

# Not ours, or not to be referred to: a reference to the machine would be circular.
BY_NAME = {":identity/*": "identity/*", ":stateMachine:${AWS::StackName}-campaigns": "CampaignMachine"}


def named(resource: str | dict[str, Any]) -> str:
    """The one resource that a statement is about; a stream or an index is not its table, a folder not its bucket."""
    match resource:
        case str():
            return resource
        case {"Fn::GetAtt": ["Table", "StreamArn"]}:
            return "Table.StreamArn"
        case {"Fn::Sub": str(text)} if "/index/" in text:
            return text.replace("${Table.Arn}", "Table")
        case {"Fn::Sub": str(text)} if text.endswith(tuple(BY_NAME)):
            return next(name for end, name in BY_NAME.items() if text.endswith(end))
        case {"Fn::Sub": str(text)} if text.startswith(FOLDERS):
            return text.replace("${", "").replace(".Arn}", "")
    (name,) = {name for name in references(resource) if not name.startswith("AWS::")}
    return name


def test_no_two_functions_share_a_role(stack: Stack) -> None:
    roles = [role for function in stack.functions().values() for role in references(function["Role"])]
    assert sorted([*roles, *SERVICES]) == sorted(stack.of("IAM::Role"))


def test_a_role_is_for_lambda_or_the_service_listed_here_and_has_inline_policies_alone(stack: Stack) -> None:
    for name, role in stack.of("IAM::Role").items():
        service = SERVICES.get(name, "lambda")
        assert set(role) == {"AssumeRolePolicyDocument", "Policies"}
        assert role["AssumeRolePolicyDocument"]["Statement"] == [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ]


def test_no_policy_holds_a_star_but_for_the_objects_of_a_bucket_and_those_listed_here(stack: Stack) -> None:
    held = {text for role in stack.of("IAM::Role").values() for text in strings(role["Policies"]) if "*" in text}
    exports, imports, nights = "${ExportsBucket.Arn}/", "${ImportsBucket.Arn}/", "${NightsBucket.Arn}/"
    folders_of_imports = {f"{imports}imports/*", f"{imports}chunks/*"}
    folders_of_nights = {f"{nights}nights/*", f"{nights}reports/*", f"{nights}runs/*"}
    assert held == STARS | {f"{exports}*", f"{exports}customers/*"} | folders_of_imports | folders_of_nights


def test_nothing_grants_rights_but_the_roles_of_this_template(production: Stack) -> None:
    kinds = {resource["Type"] for resource in production.resources.values()}
    assert {kind for kind in kinds if kind.startswith("AWS::IAM::")} == {"AWS::IAM::Role"}
    assert {kind for kind in kinds if kind.endswith("Policy")} == {
        *("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy")
    }
    for policy in production.of("S3::BucketPolicy").values():
        assert {statement["Effect"] for statement in policy["PolicyDocument"]["Statement"]} == {"Deny"}


def test_ses_tells_of_mails_by_one_topic_and_that_topic_alone_fills_the_queue(stack: Stack) -> None:
    (topic,) = stack.of("SNS::TopicPolicy").values()
    (tells,) = topic["PolicyDocument"]["Statement"]
    assert (tells["Principal"], tells["Action"], tells["Resource"]) == (
        {"Service": "ses.amazonaws.com"},
        "sns:Publish",
        {"Ref": "MailTopic"},
    )
    assert tells["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    for name in ("DeliveryQueuePolicy", "DeliveryDeadLettersPolicy"):
        assert filled_by(stack, name) == ("sns.amazonaws.com", {"ArnEquals": {"aws:SourceArn": {"Ref": "MailTopic"}}}), name


def test_a_queue_is_filled_from_outside_only_where_it_is_listed_here(stack: Stack) -> None:
    assert sorted(stack.of("SQS::QueuePolicy")) == ["DeliveryDeadLettersPolicy", "DeliveryQueuePolicy", "ImportQueuePolicy"]


def test_s3_tells_of_files_for_this_account_alone(stack: Stack) -> None:
    """The bucket cannot be named: it is made after the policy, because S3 tries whether it may send."""
    own = {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert filled_by(stack, "ImportQueuePolicy") == ("s3.amazonaws.com", own)


def filled_by(stack: Stack, policy: str) -> tuple[str, dict[str, Any]]:
    """Which service may send to the queue of that name, and on what condition."""
    queue = stack.of("SQS::QueuePolicy")[policy]
    (statement,) = queue["PolicyDocument"]["Statement"]
    assert queue["Queues"] == [{"Ref": policy.removesuffix("Policy")}]
    assert statement["Resource"] == {"Fn::GetAtt": [policy.removesuffix("Policy"), "Arn"]}
    assert (statement["Effect"], statement["Action"]) == ("Allow", "sqs:SendMessage")
    return statement["Principal"]["Service"], statement["Condition"]


def test_both_configuration_sets_tell_everything_and_to_that_topic(stack: Stack) -> None:
    told = {
        "send",
        "reject",
        "bounce",
        "complaint",
        "delivery",
        "open",
        "click",
        "renderingFailure",
        "deliveryDelay",
        "subscription",
    }
    destinations = stack.of("SES::ConfigurationSetEventDestination").values()
    assert {name for each in destinations for name in references(each["ConfigurationSetName"])} == set(
        stack.of("SES::ConfigurationSet")
    )
    for each in destinations:
        destination = each["EventDestination"]
        assert (set(destination["MatchingEventTypes"]), destination["Enabled"]) == (told, True)
        assert destination["SnsDestination"] == {"TopicARN": {"Ref": "MailTopic"}}
