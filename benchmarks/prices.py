"""List prices in dollars, us-east-1, arm64, as published on AWS's price pages in November 2026; free tiers left out."""

from decimal import Decimal

MILLION = Decimal(1_000_000)
WRITE_UNIT = Decimal("0.625") / MILLION
READ_UNIT = Decimal("0.125") / MILLION
HTTP_REQUEST = Decimal("1.00") / MILLION
LAMBDA_REQUEST = Decimal("0.20") / MILLION
LAMBDA_GB_SECOND = Decimal("0.0000133334")
LOG_GB = Decimal("0.50")
