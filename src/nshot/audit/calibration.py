"""Calibration and abstention of the pick, restated: the run has measured them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nshot.audit.contract import AuditResult, Finding, Need, Subject

_LITTLE = 0.02
"""A calibration error whose interval begins above it is an alarm."""


class Restated:
    """What the board says of the probabilities: nothing is measured anew."""

    name = "calibration"
    about = "whether probabilities come true, and what abstaining buys: as the run measured it"
    needs: frozenset[Need] = frozenset()

    def why_not(self, subject: Subject) -> str | None:
        """The run has to have measured it."""
        if subject.measured.get("calibration"):
            return None
        return f"no run has measured probabilities of {subject.name} (docs/calibration.md)"

    def run(self, subject: Subject) -> AuditResult:
        """Calibration error, Brier score, and what each threshold leaves answered."""
        cell: Mapping[str, Any] = subject.measured["calibration"]
        findings = [_error(cell["error"])] if cell["error"] else []
        brier = cell["brier"]
        findings.append(Finding("the Brier score, from 0 to 2", brier["value"], brier["low"],
                                brier["high"], "number", about="brier"))  # fmt: skip
        for step in cell["thresholds"]:
            answered, right = step["answered"], step["right"]
            sentence = f"answered where those below {step['threshold']:.2f} are held back"
            if right:
                sentence += f", of which {100 * right['value']:.0f} % are right"
            findings.append(
                Finding(sentence, answered["value"], answered["low"], answered["high"],
                        about=f"abstaining at {step['accuracy']:g}")
            )  # fmt: skip
        alarm = any(one.alarm for one in findings)
        summary = (
            "probabilities do not come true: read them as an order, not as chances"
            if alarm
            else "no sign that probabilities do not come true"
        )
        conclude = (
            "Measured on the test rows by the run; docs/calibration.md says how. For rows of"
            " another source it says nothing."
        )
        return AuditResult(self.name, summary=summary, conclude=conclude, findings=tuple(findings))


def _error(cell: Mapping[str, Any]) -> Finding:
    return Finding(
        "the gap between probabilities and how often answers are right",
        cell["value"], cell["low"], cell["high"],
        alarm=cell["low"] > _LITTLE, about="calibration error",
    )  # fmt: skip
