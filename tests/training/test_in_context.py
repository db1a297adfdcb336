"""Episodes of text: which tasks they are of, what stands in them, and what of it is in the loss."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch

from nshot.core.types import Example, Input, Label, Task
from nshot.models import open_models
from nshot.models.catalog import resolve
from nshot.training.data.in_context import InContext, sources_of
from nshot.training.objectives.nll import AnswerTokens
from nshot.training.parts.weights import Body
from tiny import tiny_llama

FILMS = Task("films", "classify", (Label("good"), Label("bad")), answer_name="Sentiment")
TOPICS = {"sport": "a ball", "trade": "a price", "weather": "비가 온다", "late_card": "my card"}


def row(group: str | None, label: str, i: int) -> Example:
    text = f"{TOPICS.get(label, '재미있는 글')} {i}"
    return Example(f"{group}-{label}-{i}", Input((("Text", text),)), (label,), group=group)


BACKGROUND = (
    *(row("task topics", label, i) for label in TOPICS for i in range(4)),
    *(row("task 스팸", label, i) for label in ("광고", "편지") for i in range(4)),
    *(row(None, label, i) for label in ("red", "blue") for i in range(4)),
    *(row("task alone", "one", i) for i in range(4)),
)
SOURCES = sources_of(FILMS, BACKGROUND)
DATA = InContext(SOURCES, "plain", 2, 4, 60, 3)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory):
    return resolve(str(tiny_llama(tmp_path_factory.mktemp("tiny") / "llama", context=512)), "lm")


def test_the_tasks_are_the_groups_of_the_background() -> None:
    assert [source.task.name for source in SOURCES] == ["other classes", "task topics", "task 스팸"]
    assert SOURCES[1].task.label_names == ("late_card", "sport", "trade", "weather")
    assert {source.task.answer_name for source in SOURCES} == {"Sentiment"}
    assert [len(source.rows) for source in SOURCES] == [8, 16, 8]


def test_an_episode_shows_examples_of_the_querys_task_and_never_the_query() -> None:
    every = list(DATA.drawn(60))
    sources = Counter()
    for one in every:
        assert isinstance(one.prompt, str)
        *shown, query = one.prompt.split("\n\n")
        assert len(shown) == 4
        assert query.endswith("\nSentiment:")
        assert not any(example.startswith(query) for example in shown)
        answers = [example.rpartition("Sentiment:")[2] for example in shown]
        assert set(answers) <= set(one.answers)
        assert Counter(answers) == {one.answers[0]: 2, one.answers[1]: 2}
        sources[frozenset(one.answers) == {" 광고", " 편지"}] += 1
    assert 10 < sources[True] < 30, "each task is as likely as the others"
    labels = {one.answers for one in every} - {(" 광고", " 편지"), (" blue", " red")}
    assert len(labels) > 3, "of four labels each episode takes another two"
    assert list(DATA.drawn(5)) == every[:5]
    assert list(replace(DATA, seed=4).drawn(5)) != every[:5]


def test_the_loss_is_that_of_the_querys_answer_by_hand(base) -> None:
    data = replace(DATA, episodes=8)
    with open_models().lend(base, free=("*",)) as lent:
        lent.module.eval()
        lesson = data.lesson(lent, 512)
        read = data.reader(lent.module, lesson, Body(), "cpu", print)
        loss = AnswerTokens().total(read, lesson.rows) / AnswerTokens().weight(lesson.rows)
        nats, tokens = 0.0, 0
        for one, row in zip(data.drawn(8), lesson.rows, strict=True):
            answer = one.answers[one.right]
            prompt, whole = (
                lent.tokenizer(t)["input_ids"] for t in (one.prompt, one.prompt + answer)
            )
            assert lent.tokenizer.decode(row.targets) == answer
            with torch.no_grad():
                logits = lent.module(input_ids=torch.tensor([whole])).logits[0].log_softmax(-1)
            places = range(len(prompt), len(whole))
            nats -= sum(logits[at - 1, whole[at]].item() for at in places)
            tokens += len(places)
    assert loss.item() == pytest.approx(nats / tokens, abs=1e-5)
