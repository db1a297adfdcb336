"""Let a predictor that was measured on the first test rows answer further ones."""

from __future__ import annotations

from nshot.bench.jobs.job import Body, Job
from nshot.bench.jobs.measure import body
from nshot.bench.jobs.place import Workplace
from nshot.board.writing import KEY, writing
from nshot.core.types import Cost
from nshot.predictors.measure import answer


def do(job: Job, place: Workplace) -> Body:
    """The measurement of rows `start` to `stop` by what the job `source` has saved, as JSON."""
    method = place.method(job)
    predictor = place.load(place.store.predictor_folder(job.source))
    rows = place.setting.test[job.start : job.stop or len(place.setting.split.test)]
    place.heard.clear()
    answered = answer(predictor, place.setting.task, rows)
    wrote = writing(place.heard)
    return body(job, method, place, answered, Cost(), (), extra={KEY: wrote} if wrote else {})
