"""Buckets: closed to the world, encrypted both ways, and emptied by their own rules."""

from tests.architecture.stack import Stack, references

LONGEST_DAYS = 30  # what the receipt of an erasure promises of files that hold many people
REPORTS = "reports/"  # hold sums alone


def test_there_are_the_buckets_listed_here(stack: Stack) -> None:
    assert sorted(stack.of("S3::Bucket")) == ["ExportsBucket", "ImportsBucket", "NightsBucket"]


def test_a_bucket_is_private_and_encrypted_and_nobodys_but_ours(stack: Stack) -> None:
    for bucket in stack.of("S3::Bucket").values():
        assert bucket["PublicAccessBlockConfiguration"] == {
            "BlockPublicAcls": True,
            "BlockPublicPolicy": True,
            "IgnorePublicAcls": True,
            "RestrictPublicBuckets": True,
        }
        assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}


def test_a_bucket_is_reached_over_tls_alone(stack: Stack) -> None:
    policies = stack.of("S3::BucketPolicy").values()
    assert sorted(name for policy in policies for name in references(policy["Bucket"])) == sorted(stack.of("S3::Bucket"))
    for policy in policies:
        (bucket,) = references(policy["Bucket"])
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Resource"] == [{"Fn::GetAtt": [bucket, "Arn"]}, {"Fn::Sub": f"${{{bucket}.Arn}}/*"}]


def test_everything_in_a_bucket_expires_and_what_is_deleted_is_gone(stack: Stack) -> None:
    for name, bucket in stack.of("S3::Bucket").items():
        for rule in bucket["LifecycleConfiguration"]["Rules"]:
            assert rule["Status"] == "Enabled"
            assert not {"Filter", "TagFilters"} & set(rule)
            assert 1 <= rule["ExpirationInDays"] < LONGEST_DAYS or rule["Prefix"] == REPORTS
            assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1}
        prefixes = [rule.get("Prefix", "") for rule in bucket["LifecycleConfiguration"]["Rules"]]
        assert prefixes == (["nights/", "runs/", REPORTS] if name == "NightsBucket" else [""])
        assert "VersioningConfiguration" not in bucket


def test_nobody_may_write_into_the_bucket_of_nights_where_nothing_expires(stack: Stack) -> None:
    """Its rules are for folders; what lay beside them would stay."""
    written = {
        resource["Fn::Sub"].removeprefix("${NightsBucket.Arn}/")
        for role in stack.of("IAM::Role").values()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "s3:PutObject" in statement["Action"]
        for resource in [statement["Resource"]]
        if references(resource) == {"NightsBucket"}
    }
    assert written == {"nights/*", "runs/*", f"{REPORTS}*"}


def test_a_bucket_outlives_its_stack_because_a_full_one_could_not_be_deleted(stack: Stack) -> None:
    for name in stack.of("S3::Bucket"):
        resource = stack.resources[name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_a_file_below_imports_wakes_the_queue_and_nothing_else_does(stack: Stack) -> None:
    """Chunks lie beside it: were they told of, too, the queue would never be empty."""
    told = {
        name: bucket["NotificationConfiguration"]
        for name, bucket in stack.of("S3::Bucket").items()
        if "NotificationConfiguration" in bucket
    }
    below = {"S3Key": {"Rules": [{"Name": "prefix", "Value": "imports/"}]}}
    notice = {"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": ["ImportQueue", "Arn"]}, "Filter": below}
    assert told == {"ImportsBucket": {"QueueConfigurations": [notice]}}
    assert stack.resources["ImportsBucket"]["DependsOn"] == "ImportQueuePolicy"
