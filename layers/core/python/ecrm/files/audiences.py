"""What is decided of a run's audience: a folder for each run in the bucket of nights, with a file for each page of its roster.

Ids alone; the folder expires as the nights do.
"""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from ecrm.application.night_ports import Place
from ecrm.application.planning_ports import Addressed, AudienceBasis
from ecrm.contracts.segments import RuleBody, written
from ecrm.domain.segments import Segment

from .packed import PackedFiles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_s3 import S3Client


class S3AudienceFiles:
    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._files = PackedFiles(client, bucket)

    def basis(self, run_id: str) -> AudienceBasis | None:
        found = self._files.object(_basis_key(run_id))
        return _basis_of(found) if found else None

    def write_basis(self, run_id: str, basis: AudienceBasis) -> None:
        self._files.put(_basis_key(run_id), [_basis(basis)], once=True)

    def audience(self, run_id: str, page: int) -> Sequence[Addressed] | None:
        lines = self._files.lines(_audience_key(run_id, page))
        return [Addressed(*line) for line in lines] if lines is not None else None

    def write_audience(self, run_id: str, page: int, audience: Sequence[Addressed]) -> None:
        lines = (each if each.treatment is not None else each[:2] for each in audience)
        self._files.put(_audience_key(run_id, page), lines, once=True)


def _basis_key(run_id: str) -> str:
    return f"runs/{run_id}/basis.json.gz"


def _audience_key(run_id: str, page: int) -> str:
    return f"runs/{run_id}/audience/{page:03}.ndjson.gz"


def _basis(basis: AudienceBasis) -> dict[str, Any]:
    return {
        "segments": [[each.segment, each.name, each.version, written(each.rule)] for each in basis.segments],
        "night": [basis.night.night.isoformat(), basis.night.generation] if basis.night else None,
    }


def _basis_of(said: "Mapping[str, Any]") -> AudienceBasis:
    night = said["night"]
    return AudienceBasis(
        segments=tuple(
            Segment(segment=segment, name=name, description="", rule=RuleBody.model_validate(rule).to_rule(), version=version)
            for segment, name, version, rule in said["segments"]
        ),
        night=Place(date.fromisoformat(night[0]), night[1]) if night else None,
    )
