"""Rows of suppressions: addresses that nothing may be sent to."""

from collections.abc import Mapping
from dataclasses import replace

from ecrm.application.import_rows import SuppressionRow
from ecrm.domain.consent import Channel
from ecrm.domain.imports import Record, fact_at
from ecrm.domain.suppressions import Reason

from . import locales
from .import_rows import LONGEST_ID, Cell, Reading, Wrong, held, object_of, phone_of
from .suppressions import SuppressAddressBody

_REASONS = {
    **dict.fromkeys(
        ("hard_bounce", "hard bounce", "bounce", "bounced", "cleaned", "invalid", "برگشتی", "退信"), Reason.HARD_BOUNCE
    ),
    **dict.fromkeys(
        ("complaint", "complained", "spam", "abuse", "spam report", "شکایت", "投诉", "beschwerde", "plainte"), Reason.COMPLAINT
    ),
    **dict.fromkeys(("unsubscribe", "unsubscribed", "opt out", "opt-out", "opted out", "لغو عضویت", "退订"), Reason.UNSUBSCRIBE),
    **dict.fromkeys(("abgemeldet", "abbestellt", "désabonné", "désinscrit", "baja"), Reason.UNSUBSCRIBE),
    **dict.fromkeys(("manual", "دستی", "手动", "manuell", "manuel"), Reason.MANUAL),
}
_REASON_WORDS = {locales.word(text): reason.value for text, reason in _REASONS.items()}


def suppression(reading: Reading, record: Record) -> SuppressionRow:
    source = reading.import_.event_source
    if record.cells is None:
        body = SuppressAddressBody.model_validate(object_of(record))
        command = body.to_command(source)
        return SuppressionRow(row=record.row, command=replace(command, at=command.at or fact_at(reading.import_, record.row)))
    cells = {cell.target: cell for cell in reading.cells(record) if cell.text}
    channel, address = _reached(cells, reading)
    reason = cells.get("reason")
    known = _REASON_WORDS.get(locales.word(reason.text)) if reason else Reason.MANUAL.value
    notes = [cells["note"].text] if "note" in cells else []
    if reason is not None and known is None:
        notes.insert(0, reason.text)  # a no is taken, whatever word somebody found for it
    at = cells["at"].read(locales.moment, reading.locale) if "at" in cells else fact_at(reading.import_, record.row)
    said = {"channel": channel, "address": address, "reason": known or Reason.MANUAL.value}
    note = {"note": "; ".join(notes)[:LONGEST_ID]} if notes else {}
    columns = {cell.target: cell.name for cell in cells.values()}
    body = held(lambda: SuppressAddressBody.model_validate(said | note), columns)
    return SuppressionRow(row=record.row, command=replace(body.to_command(source), at=at))


def _reached(cells: Mapping[str, Cell], reading: Reading) -> tuple[str, str]:
    """Say at which address of which channel; without a channel it is what the address looks like."""
    cell = cells.get("address") or cells.get("email") or cells.get("phone")
    if cell is None:
        raise Wrong("no_identifier")
    if "channel" in cells:
        channel = _CHANNELS.get(locales.word(cells["channel"].text))
        if channel is None:
            raise Wrong("bad_channel", cells["channel"].name)
        cell = cells.get("address") or cells.get({"sms": "phone"}.get(channel, "email")) or cell
    elif cell.target == "address":
        channel = "email" if "@" in cell.text or "\uff20" in cell.text else "sms"
    else:
        channel = "sms" if cell.target == "phone" else "email"
    match channel:
        case "email":
            return channel, cell.read(locales.email)
        case "sms":
            return channel, phone_of(cell, cells.get("country"), reading)
        case _:
            return channel, cell.text


_CHANNELS = {
    **{channel.value: channel.value for channel in Channel},
    **dict.fromkeys(("e-mail", "mail", "ایمیل", "邮件", "邮箱"), "email"),
    **dict.fromkeys(("phone", "text", "voice", "پیامک", "短信"), "sms"),
}
