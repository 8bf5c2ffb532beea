"""Reasons: why a file, a row or a part of one was not taken, in a sentence for whoever made the file.

The codes are stable and made for programs. `docs/contact-files.md` explains each and says how to correct it; a test compares.
"""

from collections.abc import Mapping

FILE: Mapping[str, str] = {
    "bad_sidecar": "the sidecar (the settings file beside the data) is not JSON, or says something that there is not",
    "unknown_site": "there is no such site",
    "unknown_topic": "there is no such topic",
    "no_topics": "a column says who may be written to, but no topic is defined yet",
    "no_header": "the first line is not a head with the names of the columns",
    "no_identifier_column": "no column says whom or what the rows are about",
    "missing_column": "a column that every row needs is not there",
    "duplicate_column": "two columns mean the same",
    "unknown_column": "the sidecar names a column that the file does not have",
    "unknown_target": "the sidecar names a target that there is not",
}
"""Why nothing of a file was read."""

ROW: Mapping[str, str] = {
    "no_identifier": "no cell of the row says whom or what it is about",
    "missing": "a cell that has to say something is empty",
    "bad_email": "this is no e-mail address that mail can be sent to",
    "bad_phone": "this is no telephone number",
    "no_country": "a telephone number without its country's code, and the file says no country",
    "unknown_country": "a telephone number without its country's code, and the row's country is not two letters as DE",
    "bad_id": "an id has 1 to 200 characters",
    "bad_number": "this is no number",
    "ambiguous_number": "this number can be read in two ways; the file's locale says which",
    "bad_date": "this is no date that we can read, or there is no such day",
    "ambiguous_date": "this date can be read in two ways; the file's locale says which",
    "bad_boolean": "this says neither yes nor no",
    "bad_language": "this is no language tag such as de, pt-BR or zh-Hant",
    "unknown_time_zone": "this is no time zone such as Europe/Berlin",
    "bad_consent": "this says neither yes nor no, and is no date",
    "bad_channel": "there is no such channel; there are email, sms, push and post",
    "channel_not_offered": "the topic is not offered on this channel",
    "unknown_topic": FILE["unknown_topic"],
    "value_too_large": "a cell says more than can be kept",
    "traits_too_large": "the row says more than can be kept of a customer",
    "too_many_names": "the row has more attributes than a customer can have",
    "in_the_future": "this lies in the future",
    "bad_json": "the line is no JSON object",
    "value_type": "a value is of another kind than it has to be",
    "order_incomplete": "another line of the same order was rejected, so the whole order was",
    "order_contradicts": "two lines of one order say different things about the order",
    "bad_order": "the order does not have the right shape",
    "bad_product": "the product does not have the right shape",
    "bad_value": "this is not a value that can stand here",
}
"""Why a row was rejected."""

WARNING: Mapping[str, str] = {
    "yes_without_topic": "a yes that names no topic was not taken, because there are several topics; every no was",
    "unnamed_column": "a column without a name was left out",
    "long_name": "a column whose name is longer than 64 characters was left out",
}
"""What was left aside in rows that were taken."""
