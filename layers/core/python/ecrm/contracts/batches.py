"""Batches on the wire: what is told of each element, whatever it is."""

from .fields import Answer
from .problems import ProblemBody


class ElementResultBody(Answer):
    """`status` is what the single call would have answered; `error` is there from 400 on."""

    index: int
    status: int
    error: ProblemBody | None = None
