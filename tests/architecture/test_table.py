"""The company's most valuable data: what protects the table and what the code relies on."""

import pytest

from tests.architecture.stack import Stack


def test_there_is_one_table(stack: Stack) -> None:
    assert list(stack.of("DynamoDB::Table")) == ["Table"]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("BillingMode", "PAY_PER_REQUEST"),
        ("DeletionProtectionEnabled", {"Fn::If": ["IsProtected", True, False]}),
        ("PointInTimeRecoverySpecification", {"PointInTimeRecoveryEnabled": True}),
        ("TimeToLiveSpecification", {"AttributeName": "expires_at", "Enabled": True}),
        ("StreamSpecification", {"StreamViewType": "NEW_AND_OLD_IMAGES"}),
        (
            "KeySchema",
            [{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
        ),
        (
            "GlobalSecondaryIndexes",
            [
                {
                    "IndexName": "worklist",
                    "KeySchema": [
                        {"AttributeName": "work", "KeyType": "HASH"},
                        {"AttributeName": "due", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        ),
    ],
)
def test_the_table_is_as_the_code_relies_on(stack: Stack, setting: str, expected: object) -> None:
    assert stack.of("DynamoDB::Table")["Table"][setting] == expected


def test_every_key_is_a_string(stack: Stack) -> None:
    attributes = stack.of("DynamoDB::Table")["Table"]["AttributeDefinitions"]
    assert {each["AttributeName"]: each["AttributeType"] for each in attributes} == dict.fromkeys(
        ("PK", "SK", "work", "due"), "S"
    )


def test_only_a_laptops_table_may_be_deleted(stack: Stack) -> None:
    assert stack.body["Conditions"]["IsProtected"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Stage"}, "local"]}]}


@pytest.mark.parametrize("kind", ["DynamoDB::Table", "SecretsManager::Secret"])
def test_what_cannot_be_made_again_outlives_its_stack(stack: Stack, kind: str) -> None:
    for name in stack.of(kind):
        resource = stack.resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_identity_secret_is_made_by_aws_and_known_to_nobody(stack: Stack) -> None:
    secret = stack.of("SecretsManager::Secret")["IdentitySecret"]
    assert secret["GenerateSecretString"] == {"PasswordLength": 64, "ExcludePunctuation": True}
    assert "SecretString" not in secret
    assert stack.of("SecretsManager::RotationSchedule") == {}
