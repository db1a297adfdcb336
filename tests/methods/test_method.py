"""A method is a value: JSON in, JSON out, and every wrong setting named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError, field_serializer

from nshot.core.errors import InputError, nearest
from nshot.core.types import Shots, Task
from nshot.methods import TABLE, WHERE
from nshot.methods.contract import Method, Workbench
from nshot.methods.spec import spec, spec_hash
from nshot.methods.table import Nested, Table
from nshot.predictors.base import Predictor


class Leaf(Method):
    """A method without parts."""

    name: ClassVar = "leaf"
    rung: ClassVar = "trivial"

    size: int = 1
    kind: str = "x"

    def adapt(self, task: Task, shots: Shots, bench: Workbench) -> Predictor:
        raise NotImplementedError


class Tree(Leaf):
    """A method made of methods."""

    name: ClassVar = "tree"
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = {"size": (1, 2)}

    left: Nested
    right: Nested = Leaf(size=5)


TOYS = Table({"leaf": lambda: Leaf, "tree": lambda: Tree})


def test_nested_methods_go_through_json() -> None:
    tree = Tree(left=Tree(left=Leaf(size=2)), size=3)
    body = spec(tree)
    assert body["left"]["left"] == {"method": "leaf", "size": 2, "kind": "x"}
    assert TOYS.build(body) == tree
    assert spec_hash(TOYS.build(body)) == spec_hash(tree)


@settings(deadline=None, max_examples=40)
@given(st.integers(), st.text(), st.integers(), st.text())
def test_equal_values_have_equal_hashes_and_others_do_not(a: int, x: str, b: int, y: str) -> None:
    one, other = Leaf(size=a, kind=x), Leaf(size=b, kind=y)
    assert (spec_hash(one) == spec_hash(other)) == (one == other)


def test_a_method_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Leaf().size = 2  # type: ignore[misc]


def test_all_wrong_settings_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        TOYS.build({"method": "leaf", "size": "many", "kin": "y"})
    assert len(caught.value.faults) == 2
    assert "leaf: size = 'many'" in str(caught.value)
    assert "did you mean 'kind'" in str(caught.value)


def test_a_truth_value_is_no_number() -> None:
    for name, setting in (("lora", "rank"), ("lora", "learning_rate"), ("knn", "k")):
        with pytest.raises(InputError, match=f"{name}: {setting} = True"):
            TABLE.build({"method": name, setting: True})
    assert TABLE.build({"method": "lora", "learning_rate": "1e-4"}).learning_rate == 1e-4


def test_an_unknown_method_names_the_nearest_also_inside() -> None:
    with pytest.raises(InputError, match="did you mean 'leaf'"):
        TOYS.build({"method": "leef"})
    with pytest.raises(InputError, match="did you mean 'leaf'"):
        TOYS.build({"method": "tree", "left": {"method": "leef"}})


def test_a_word_unlike_any_gets_the_list() -> None:
    assert nearest("zzz", ["b", "a"]) == "one of: a, b"
    assert nearest("zzz", []) == "leave it out: there are none"


def test_the_table_loads_a_file_when_it_is_asked_for() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from nshot.methods import TABLE; list(TABLE); "
        "print([m for m in sys.modules if m.startswith('nshot.methods.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "['nshot.methods.contract', 'nshot.methods.table']", done.stderr


@pytest.mark.parametrize("name", WHERE)
def test_every_method_with_a_wrong_setting_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name}: unknown setting 'no_such'"):
        TABLE.build({"method": name, "no_such": 1})


@pytest.mark.parametrize("C", [0, -1, float("nan")])
@pytest.mark.parametrize("name", [name for name in TABLE if "C" in TABLE[name].model_fields])
def test_a_penalty_that_no_fit_takes_is_refused_before_anything_runs(name: str, C: float) -> None:
    with pytest.raises(InputError, match="C = "):
        TABLE.build({"method": name, "C": C})


def test_ctrl_c_in_the_middle_of_a_serializer_stays_ctrl_c() -> None:
    class Struck(Leaf):
        """Asked for its size, it is interrupted."""

        name: ClassVar = "struck"

        @field_serializer("size")
        def _struck(self, size: int) -> int:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spec(Tree(left=Struck()))
