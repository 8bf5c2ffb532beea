"""The Lambda kit: what turns HTTP requests and stream records into calls of use cases, and their results into answers."""
