"""approve-changes: ask a person before the first write, when a run would change too much (RULES section 5).

What would happen was counted by transform-to-oneroster, and lies beside its plan: whoever clears this step is
asked the same again.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from passback.frame_store import read_frame
from passback.night import HOURS_TO_ANSWER
from passback.records import SCORE_VERDICTS
from passback.report.approval import body, subject, what_would_happen
from passback.report.summary import write_report
from passback.stages.audit import count_outcomes, count_reasons, outcomes
from passback.stages.limit import EFFECTS
from passback.steps.decision import forget_answer, noted_limit
from passback.steps.report import run_report

if TYPE_CHECKING:
    from passback.steps.work import Work


def step(work: Work) -> dict[str, int | str]:
    """Tell whether a person must be asked; if so, put the preview where the person finds it.

    Returns:
        asks (1 or 0), known, changed, vanished and refused; if it asks, also the subject and the body of the
        question.

    Raises:
        PassbackError: an earlier step's files are missing, or the report cannot be written.
    """
    limit = noted_limit(work)
    counts: dict[str, int | str] = {name: int(limit[name]) for name in ("known", *EFFECTS)}
    if work.night.preview:
        if limit["asks"]:
            work.say(f"a real run would ask a person first: {what_would_happen(limit)}")
        return {"asks": 0, **counts}
    forget_answer(work)
    if not limit["asks"]:
        return {"asks": 0, **counts}
    work.say(f"this must be let go on by a person: {what_would_happen(limit)}")
    folder = _write_preview(work)
    command = f"passback report {work.night.district.district} --run {shlex.quote(work.night.run_key)}"
    return {
        "asks": 1,
        **counts,
        "subject": subject(work.night.district.name, limit),
        "body": body(
            limit,
            report=f"{folder}/report.html".removeprefix("file://"),
            command=command,
            wait=f"{HOURS_TO_ANSWER} hours",
        ),
    }


def _write_preview(work: Work) -> str:
    """The report as a preview of this run would leave it; audit puts the run's own in its place."""
    plan = work.plan()
    final = outcomes(
        read_frame(work.folder / "validate", SCORE_VERDICTS),
        plan,
        work.known_line_items(),
        work.known_results(),
        run_id=work.run_id,
        preview=True,
    )
    folder = str(work.folder / "report")
    report = run_report(
        work,
        plan,
        final,
        counts=count_outcomes(final),
        reasons=count_reasons(final),
        requests=work.requests(),
        ended_at=work.clock(),
        waits=True,
    )
    write_report(folder, report)
    return folder
