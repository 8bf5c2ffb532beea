"""S3 and the formats of files."""
