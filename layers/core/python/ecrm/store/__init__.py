"""DynamoDB: one table, a person in one partition."""
