"""Undoing rows of products and suppressions by what each has changed, which stands beside the import.

That a row is undone is written with what is put back, so a chunk that is done again says the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ecrm.domain.imports import Import, RowOutcome, RowResult
from ecrm.domain.jobs import Job
from ecrm.domain.products import Product, Stated
from ecrm.domain.suppressions import Ground, Reason
from ecrm.domain.undo import Left, Result, RowUndone

from .import_rows import ImportedProducts, ImportedSuppressions, RowChange, RowChanges
from .ports import Clock, Contended
from .undo import UndoRows

ATTEMPTS = 12


def undo_products(
    import_: Import, _job: Job, outcomes: Sequence[RowOutcome], *, products: ImportedProducts, changes: RowChanges
) -> Sequence[RowUndone]:
    """Put back each field that is still as a row left it; a product that the row made, and nothing else, is taken out."""
    return _undone(import_, outcomes, changes, lambda change: _product(change, products))


def _product(change: RowChange, products: ImportedProducts) -> RowUndone:
    stored = products.find(change.key)
    if stored is None:
        return RowUndone(change.row, Result.UNTOUCHED, dict.fromkeys(change.after, Left.CHANGED_SINCE))
    fields = dict(stored.fields)
    left: dict[str, Left] = {}
    for name, after in change.after.items():
        before = change.before[name]
        if fields.get(name) != after:
            left[name] = Left.CHANGED_SINCE
        elif isinstance(before, Stated):
            fields[name] = before
        else:
            del fields[name]
    if not fields and change.result is RowResult.CREATED:
        done = RowUndone(change.row, Result.REMOVED, left)
        products.remove_row(change.key, _marked(change, done), seen=stored.version)
        return done
    done = RowUndone(change.row, Result.UNTOUCHED if len(left) == len(change.after) else Result.RESTORED, left)
    updated_at = max((stated.at for stated in fields.values()), default=stored.updated_at)
    before_it = Product(stored.sku, fields, updated_at, stored.version + 1)
    products.write_row(before_it, _marked(change, done), seen=stored.version)
    return done


def undo_suppressions(
    import_: Import,
    _job: Job,
    outcomes: Sequence[RowOutcome],
    *,
    suppressions: ImportedSuppressions,
    changes: RowChanges,
    clock: Clock,
) -> Sequence[RowUndone]:
    """Take back each ground that is still as a row gave it."""
    return _undone(import_, outcomes, changes, lambda change: _suppression(change, suppressions, clock))


def _suppression(change: RowChange, suppressions: ImportedSuppressions, clock: Clock) -> RowUndone:
    stored, seen = suppressions.named(change.key)
    grounds = dict(stored.grounds)
    left: dict[str, Left] = {}
    for name, after in change.after.items():
        reason, before = Reason(name), change.before[name]
        known = grounds.get(reason)
        if known is None or replace(known, note=None) != after:
            left[name] = Left.CHANGED_SINCE
        elif isinstance(before, Ground):
            grounds[reason] = before
        else:
            del grounds[reason]
    done = RowUndone(change.row, Result.UNTOUCHED if left else Result.RESTORED, left)
    suppressions.write_named_row(replace(stored, grounds=grounds), _marked(change, done), clock.now(), seen=seen)
    return done


def undo_contacts(
    import_: Import, job: Job, outcomes: Sequence[RowOutcome], *, undo: UndoRows, changes: RowChanges
) -> Sequence[RowUndone]:
    """Undo rows of contacts, and say of those that told of a no that it stays."""
    return [
        replace(done, left={**done.left, "suppression": Left.DENIED}) if changes.find(import_.import_id, done.row) else done
        for done in undo(import_, job, outcomes)
    ]


def _undone(
    import_: Import, outcomes: Sequence[RowOutcome], changes: RowChanges, take_back: Callable[[RowChange], RowUndone]
) -> list[RowUndone]:
    done: list[RowUndone] = []
    for outcome in outcomes:
        for _ in range(ATTEMPTS):
            change = changes.find(import_.import_id, outcome.row)
            if change is None:
                break
            if change.undone is not None:
                result, left = change.undone
                done.append(RowUndone(change.row, Result(result), {name: Left(why) for name, why in left.items()}))
                break
            try:
                done.append(take_back(change))
            except Contended:
                continue
            break
        else:
            raise Contended("what the rows changed is written by many at once")
    return done


def _marked(change: RowChange, done: RowUndone) -> RowChange:
    return replace(change, undone=(done.result.value, {name: why.value for name, why in done.left.items()}))
