"""All checks in the order of their headings."""

from __future__ import annotations

from nshot.prompts.checks.clear import clear
from nshot.prompts.checks.concise import concise
from nshot.prompts.checks.consistent import consistent
from nshot.prompts.checks.diverse import diverse
from nshot.prompts.checks.draft import Draft, Finding
from nshot.prompts.checks.relevant import relevant


def check(draft: Draft) -> list[Finding]:
    """What can be seen to be wrong, without a model: by heading, in the order of the prompt."""
    return [
        finding
        for heading in (clear, concise, consistent, diverse, relevant)
        for finding in heading(draft)
    ]
