"""Money: integer minor units of an ISO 4217 currency.

The table is ISO 4217 list one as published by its maintenance agency on 2026-01-01 (funds and metals without a minor unit
left out), plus currencies withdrawn since 2023, because past orders were paid in them.
"""

from decimal import Decimal

from .errors import Invalid

_BY_DIGITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY "
    "COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR "
    "IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD "
    "NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
WITHDRAWN = {"HRK": 2, "ANG": 2, "BGN": 2}
DIGITS = {code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()} | WITHDRAWN
"""Decimals of each currency that an order may be in."""

LARGEST = Decimal(10**12)
"""The largest amount that a contract accepts, in major units."""


def to_minor(amount: Decimal, currency: str, *, pointer: str) -> int:
    """Turn 12.50 EUR into 1250; never rounds.

    Raises Invalid where `amount` is written with more decimals than the currency has.
    """
    digits = DIGITS[currency]
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > digits:
        raise Invalid.at(pointer, "too_many_decimals", f"{currency} has {digits} decimals")
    return int(amount.scaleb(digits))


def to_text(minor: int, currency: str) -> str:
    """Write 1250 EUR as `12.50`."""
    return format(Decimal(minor).scaleb(-DIGITS[currency]), "f")


def share(total: int, part: int, whole: int) -> int:
    """`total` × `part` ÷ `whole`, to the nearest minor unit; exact where part is 0 or whole."""
    return (total * part + whole // 2) // whole if whole else 0


def allocate(amount: int, weights: tuple[int, ...]) -> tuple[int, ...]:
    """Split `amount` over `weights` so that the parts add up to it exactly (cumulative rounding)."""
    whole = sum(weights)
    parts, running, given = [], 0, 0
    for weight in weights:
        running += weight
        upto = share(amount, running, whole)
        parts.append(upto - given)
        given = upto
    return tuple(parts)
