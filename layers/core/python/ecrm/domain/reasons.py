"""Reasons: why a file, a row or a part of one was not taken, in a sentence for whoever made the file.

The codes are stable and made for programs. `docs/contact-files.md` explains each and says how to correct it; a test compares.
"""

from collections.abc import Mapping

FILE: Mapping[str, str] = {
    "unknown_folder": "a file lies in the folder of its kind: contacts, suppressions, orders, shipments or products",
    "bad_sidecar": "the sidecar (the settings file beside the data) is not JSON, or says something that there is not",
    "sidecar_too_large": "a sidecar is at most 64 KB",
    "unknown_site": "there is no such site",
    "site_needed": "there are several sites, and the sidecar does not say whose the rows are",
    "unknown_topic": "there is no such topic",
    "no_topics": "a column says who may be written to, but no topic is defined yet",
    "file_gone": "the file was deleted before it was read",
    "file_replaced": "the file was replaced while it was read; the new one is read by itself",
    "file_empty": "the file is empty",
    "no_rows": "the file has a head and no rows",
    "file_too_large": "a file is at most 1 GB",
    "not_text": "the file is neither text nor a sheet",
    "encoding_unknown": "the file's letters cannot be told from its bytes; the sidecar can name the encoding",
    "gzip_damaged": "the compressed file is damaged",
    "gzip_too_large": "the compressed file unpacks to more than is read",
    "zip_unknown": "the file is an archive and no sheet",
    "xlsx_too_large": "the sheet is too large to be read: save it as CSV",
    "xlsx_damaged": "the sheet is damaged: open it, save it again, or save it as CSV",
    "xlsx_locked": "the sheet is protected by a password",
    "sheet_unknown": "the workbook has no sheet of that name",
    "old_excel": "this is the format of Excel before 2007: save it as XLSX or CSV",
    "json_array": "the file is one JSON value: write one object a line, without commas between them",
    "too_many_columns": "a file has at most 1,000 columns",
    "too_many_rows": "the file has more than 16,777,215 rows",
    "group_too_large": "an order has more lines than can be",
    "header_too_large": "the names of the columns are larger than 64 KB together",
    "no_header": "the first line is not a head with the names of the columns",
    "no_identifier_column": "no column says whom or what the rows are about",
    "missing_column": "a column that every row needs is not there",
    "duplicate_column": "two columns mean the same",
    "unknown_column": "the sidecar names a column that the file does not have",
    "unknown_target": "the sidecar names a target that there is not",
    "internal": "something went wrong here, and is looked into; what was read until then is done",
}
"""Why nothing of a file was read, or nothing more."""

ROW: Mapping[str, str] = {
    "unclosed_quote": "a cell begins with a quote that does not end",
    "stray_quote": "text follows behind a closing quote",
    "ragged": "the row has more or fewer cells than the head",
    "bad_encoding": "the row has bytes that are no letters in the file's encoding",
    "nul": "the row has a character that stands for nothing (NUL)",
    "field_too_large": "a cell is larger than 64 KB",
    "line_too_large": "a line is larger than 256 KB",
    "bad_json": "the line is no JSON object",
    "no_identifier": "no cell of the row says whom or what it is about",
    "missing": "a cell that has to say something is empty",
    "bad_email": "this is no e-mail address that mail can be sent to",
    "email_syntax": "this is no e-mail address that mail can be sent to",
    "bad_phone": "this is no telephone number",
    "phone_syntax": "a telephone number is written with its country's code, as +989121234567",
    "no_country": "a telephone number without its country's code, and the file says no country",
    "unknown_country": "a telephone number without its country's code, and the row's country is not two letters as DE",
    "bad_id": "an id has 1 to 200 characters",
    "bad_number": "this is no number",
    "ambiguous_number": "this number can be read in two ways; the file's locale says which",
    "number_out_of_range": "a number is too large, too small or too precise to be kept exactly",
    "bad_date": "this is no date that we can read, or there is no such day",
    "instant_syntax": "this is no date and time with a zone, as 2026-11-20T18:03:11Z",
    "ambiguous_date": "this date can be read in two ways; the file's locale says which",
    "instant_too_early": "nothing happened before 1970",
    "in_the_future": "this lies in the future",
    "bad_boolean": "this says neither yes nor no",
    "bad_language": "this is no language tag such as de, pt-BR or zh-Hant",
    "unknown_time_zone": "this is no time zone such as Europe/Berlin",
    "bad_consent": "this says neither yes nor no, and is no date",
    "unknown_topic": FILE["unknown_topic"],
    "channel_not_offered": "the topic is not offered on this channel",
    "too_many_consents": "the row says more of consents than one row can",
    "bad_channel": "there is no such channel; there are email, sms, push and post",
    "bad_name": "a name of an attribute has 1 to 64 characters",
    "value_type": "a value is of another kind than it has to be",
    "wrong_type": "a value is of another kind than it has to be",
    "value_too_large": "a cell says more than can be kept",
    "traits_too_large": "the row says more than can be kept of a customer",
    "too_many_names": "the row has more attributes than a customer can have",
    "too_many_attributes": "with this row the customer would have more attributes than they can",
    "attributes_too_large": "with this row more would be known of the customer than can be kept",
    "unknown_field": "there is no such field",
    "unknown_value": "this is none of the values that can stand here",
    "blank": "a text of blanks only says nothing",
    "bad_syntax": "this cannot be written so",
    "too_long": "this is longer than it can be",
    "too_short": "this is shorter than it can be",
    "too_large": "this is larger than it can be",
    "too_small": "this is smaller than it can be",
    "unknown_currency": "a currency is its ISO 4217 code, as EUR",
    "amount_syntax": "this is no amount of money",
    "negative_amount": "an amount is not negative",
    "amount_too_large": "an amount is at most 1000000000000",
    "too_many_decimals": "the amount has more decimals than its currency",
    "product_too_large": "more is said of the product than can be kept",
    "order_incomplete": "another line of the same order was rejected, so the whole order was",
    "order_contradicts": "two lines of one order say different things about the order",
    "order_exists": "an order of this id is there and says something else; the lines of one order stand together",
    "total_mismatch": "the total is not that of the lines, discount, shipping and tax",
    "discount_above_line": "a line's discount is larger than its price",
    "discount_above_lines": "the order's discount is larger than its lines",
    "tax_above_total": "the tax included is larger than the total",
    "duplicate_line_id": "two lines of the order have the same id",
    "order_not_found": "there is no such order on this site",
    "event_exists": "the parcel is known already, and something else was said of it",
    "too_many_events": "more happened to the order than can be kept",
    "order_too_large": "more is said of the order than can be kept",
    "bad_value": "this is not a value that can stand here",
}
"""Why a row was rejected."""

SKIP: Mapping[str, str] = {
    "superseded": "a later row of the file is about the same",
    "erased": "the person was erased, and a file brings nobody back",
    "same_content": "a file of this very content was imported before",
    "cancelled": "the import was cancelled before the row was worked on",
    "blank": "the row is empty",
}
"""Why a row was not worked on."""

WARNING: Mapping[str, str] = {
    "yes_without_topic": "a yes that names no topic was not taken, because there are several topics; every no was",
    "denial_stays": "a yes was not taken, because the person said no; only a proof raises a no",
    "needs_proof": "a yes waits until the person confirms it, because the topic asks for that",
    "not_taken": "an address, a telephone or an id belongs to another customer and stays with them",
    "unused_column": "a column that means nothing here was left out",
    "unnamed_column": "a column without a name was left out",
    "long_name": "a column whose name is longer than 64 characters was left out",
}
"""What was left aside in a file that was taken."""

_SENTENCES = {**WARNING, **SKIP, **ROW, **FILE}


def sentence(code: str) -> str:
    """Say a code for people."""
    return _SENTENCES.get(code, code)
