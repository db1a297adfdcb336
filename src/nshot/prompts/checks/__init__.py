"""Is a prompt clear, concise and consistent, are its examples diverse and relevant?"""

from nshot.prompts.checks.draft import HEADINGS, Draft, Finding, Heading
from nshot.prompts.checks.run import check

__all__ = ["HEADINGS", "Draft", "Finding", "Heading", "check"]
