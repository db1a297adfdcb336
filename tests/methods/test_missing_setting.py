"""A setting that a method cannot be without is asked for by its name, and how to type it."""

from __future__ import annotations

import pytest

from nshot.core.errors import InputError
from nshot.methods import TABLE


def test_each_missing_setting_is_named_with_what_to_type() -> None:
    with pytest.raises(InputError) as error:
        TABLE.build({"method": "distil"})
    text = str(error.value)
    assert "distil: no teacher" in text
    assert "distil: no student" in text
    assert """--set 'distil.teacher={"method": "tfidf_lr"}'""" in text
    with pytest.raises(InputError, match=r"--set 'adapter.folder=VALUE'$"):
        TABLE.build({"method": "adapter"})
