"""What the state machine of campaigns hands to its one step: names of things alone, for the audience is in the bucket."""

from typing import Annotated

from pydantic import Field

from .fields import Body
from .night_steps import MOST_SHARDS


class PageStep(Body):
    """`page` is one of a run's roster."""

    run_id: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    page: Annotated[int, Field(ge=0, lt=MOST_SHARDS)]
