"""Data that models make: new tasks after the pattern of a few, and tasks in another language.

>>> from nshot.synthesis import translate
>>> done = translate(rows, by=my_translator, to="ko")
>>> done.rows, done.dropped
"""

from __future__ import annotations

from nshot.synthesis.translation import Broken, Translated, Unmade, translate

__all__ = ["Broken", "Translated", "Unmade", "translate"]
