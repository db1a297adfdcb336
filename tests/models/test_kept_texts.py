"""What endpoints write is paid once, in a killed run too, and never for more than the purse has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from endpoint import SECRET, Endpoint, Reply, completion, serving
from nshot.core.errors import EndpointRefused, MoneyEnds
from nshot.core.types import ModelRef, Turn
from nshot.models import open_models
from nshot.models.base import Decoding, LanguageModel
from nshot.models.prices import Price
from nshot.models.wrap.kept_answers import KeptAnswers
from nshot.models.wrap.kept_replies import Replies
from nshot.models.wrap.purse import Purse

GREEDY = Decoding(16)
PROMPTS = [f"표 {i}: a red bus" for i in range(24)]
BY_ITSELF = """
import sys
from pathlib import Path
from nshot.core.types import ModelRef
from nshot.models import open_models
from nshot.models.base import Decoding
from nshot.models.wrap.kept_answers import KeptAnswers

kept = KeptAnswers(open_models(), Path(sys.argv[2]))
model = kept.open(ModelRef("openai", sys.argv[1]))
model.generate([f"표 {i}: a red bus" for i in range(24)], Decoding(16))
"""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NSHOT_API_KEY", SECRET)


def shout(messages: list[dict[str, str]]) -> str:
    return messages[-1]["content"].upper()


def ref(endpoint: Endpoint) -> ModelRef:
    return ModelRef("openai", endpoint.name.removeprefix("openai:"))


def kept(endpoint: Endpoint, folder: Path, purse: Purse | None = None) -> LanguageModel:
    models = KeptAnswers(open_models(), folder / "replies.sqlite", purse)
    models.askers[-1] = "few_shot"
    return models.open(ref(endpoint))


def test_each_thing_is_paid_once_and_anything_else_is_another_thing(tmp_path: Path) -> None:
    with serving(shout) as endpoint:
        first = kept(endpoint, tmp_path).generate([*PROMPTS, PROMPTS[0]], GREEDY)
        assert len(endpoint.bodies) == len(PROMPTS), "equal prompts are asked once"
        again = kept(endpoint, tmp_path).generate([*PROMPTS, PROMPTS[0]], GREEDY)
        assert len(endpoint.bodies) == len(PROMPTS)
        assert again == first
        assert [a.served for a in again] == [a.served for a in first], "seconds too"
        model = kept(endpoint, tmp_path)
        others = [Decoding(17), Decoding(16, temperature=0.5), Decoding(16, stop=("x",)),
                  Decoding(16, seed=1)]  # fmt: skip
        for how in others:
            model.generate(PROMPTS[:1], how)
        model.generate([(Turn("system", "s"), Turn("user", PROMPTS[0]))], GREEDY)
        assert len(endpoint.bodies) == len(PROMPTS) + 5


def test_a_killed_run_pays_again_for_what_was_under_way_alone(tmp_path: Path) -> None:
    place = tmp_path / "replies.sqlite"
    with serving(shout, delay=0.1) as endpoint:
        words = [sys.executable, "-c", BY_ITSELF, ref(endpoint).name, str(place)]
        process = subprocess.Popen(words)
        end = time.monotonic() + 60
        while len(endpoint.bodies) < 9 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        billed = sum(bill.requests for bill in Replies(place).bills().values())
        assert 0 < billed < len(PROMPTS), "killed in the middle"
        answers = kept(endpoint, tmp_path).generate(PROMPTS, GREEDY)
        assert [one.text for one in answers] == [prompt.upper() for prompt in PROMPTS]
        assert len(endpoint.bodies) <= len(PROMPTS) + 4, "four at once were under way"


def test_a_purse_is_never_passed_and_more_money_goes_on(tmp_path: Path) -> None:
    """The server counts words: 5 read, 5 written, at 10 and 40 a thousand: 0.25 each."""
    with serving(shout) as endpoint:
        name = ref(endpoint).name
        price = Price(10_000.0, 40_000.0)
        with pytest.raises(MoneyEnds, match="the money ends"):
            kept(endpoint, tmp_path, Purse({name: price}, 0.01)).generate(PROMPTS, GREEDY)
        assert not endpoint.bodies, "the most that it may write is thought of before it is asked"
        with pytest.raises(MoneyEnds):
            kept(endpoint, tmp_path, Purse({name: price}, 3.0)).generate(PROMPTS, GREEDY)
        some = len(endpoint.bodies)
        assert 0 < some * 0.25 <= 3.0
        rich = kept(endpoint, tmp_path, Purse({name: price}, 20.0))
        assert len(rich.generate(PROMPTS, GREEDY)) == len(PROMPTS)
        assert len(endpoint.bodies) == len(PROMPTS), "what was paid is not paid again"
        money = [one.served.money for one in rich.generate(PROMPTS, GREEDY) if one.served]
        assert money == [pytest.approx(0.25)] * len(PROMPTS)
        ((who, bill),) = Replies(tmp_path / "replies.sqlite").bills().items()
        assert who == ("few_shot", name)
        assert (bill.requests, bill.tokens_in, bill.tokens_out) == (24, 24 * 5, 24 * 5)


def test_another_models_money_counts_towards_the_limit_by_its_own_price(tmp_path: Path) -> None:
    with serving(shout) as dear, serving(shout) as cheap:
        prices = {ref(dear).name: Price(1e5, 0.0), ref(cheap).name: Price(1.0, 0.0)}
        kept(dear, tmp_path, Purse(prices, 10.0)).generate(PROMPTS[:4], GREEDY)  # 4 x 0.5
        with pytest.raises(MoneyEnds, match="2 of 2 were spent"):
            kept(dear, tmp_path, Purse(prices, 2.0)).generate(PROMPTS[4:5], GREEDY)
        kept(cheap, tmp_path, Purse(prices, 2.01)).generate(PROMPTS[:4], GREEDY)


def test_cached_tokens_cost_what_they_cost(tmp_path: Path) -> None:
    body = completion("YES", [])
    body["usage"] = {"prompt_tokens": 1000, "completion_tokens": 10,
                     "prompt_tokens_details": {"cached_tokens": 600}}  # fmt: skip
    with serving(shout, Reply(body=body)) as endpoint:
        purse = Purse({ref(endpoint).name: Price(2.0, 8.0, cached_input=0.5)})
        (one,) = kept(endpoint, tmp_path, purse).generate(["a"], GREEDY)
    assert one.served is not None
    assert one.served.money == pytest.approx((400 * 2 + 600 * 0.5 + 10 * 8) / 1e6)
    (bill,) = Replies(tmp_path / "replies.sqlite").bills().values()
    assert bill.cost(ref(endpoint).name, purse) == pytest.approx(one.served.money)


def test_a_prompt_that_is_not_taken_is_an_empty_answer_that_is_not_kept(tmp_path: Path) -> None:
    too_long = Reply(413, {"error": {"message": "too long"}})
    with serving(shout, too_long) as endpoint:
        answers = kept(endpoint, tmp_path).generate(PROMPTS[:4], GREEDY)
        assert sorted(one.text for one in answers)[0] == ""
        refused = [one for one in answers if one.served and one.served.refusal]
        assert len(refused) == 1
        assert "too long" in (refused[0].served.refusal if refused[0].served else "")
        assert all(one.text for one in kept(endpoint, tmp_path).generate(PROMPTS[:4], GREEDY))


@pytest.mark.parametrize("count", [1, 12])
def test_what_is_refused_again_fails_nothing_where_others_are_kept(
    tmp_path: Path, count: int
) -> None:
    filtered = Reply(400, {"error": {"message": "content filter"}})
    with serving(shout) as endpoint:
        kept(endpoint, tmp_path).generate(PROMPTS[count:], GREEDY)
        endpoint.script.extend([filtered] * 2 * count)
        answers = kept(endpoint, tmp_path).generate(PROMPTS, GREEDY)
    assert [one.text == "" for one in answers] == [i < count for i in range(len(PROMPTS))]
    assert all(one.served and "content filter" in one.served.refusal for one in answers[:count])


def test_a_first_prompt_that_is_refused_ends_nothing_where_one_is_paid_at_a_time(
    tmp_path: Path,
) -> None:
    filtered = Reply(400, {"error": {"message": "content filter"}})
    with serving(shout, filtered) as endpoint:
        purse = Purse({ref(endpoint).name: Price(1.0, 1.0)}, 1.0)
        answers = kept(endpoint, tmp_path, purse).generate(PROMPTS[:4], GREEDY)
    assert [bool(one.text) for one in answers] == [False, True, True, True]


def test_prompts_that_are_all_refused_are_an_error(tmp_path: Path) -> None:
    wrong = Reply(400, {"error": {"message": "max_tokens is not supported"}})
    with (
        serving(shout, *[wrong] * 40) as endpoint,
        pytest.raises(EndpointRefused, match="max_tokens is not supported"),
    ):
        kept(endpoint, tmp_path).generate(PROMPTS, GREEDY)
    assert len(endpoint.bodies) < 16, "it is not asked 24 times"


def test_a_bill_of_an_earlier_nshot_is_read(tmp_path: Path) -> None:
    import sqlite3

    place = tmp_path / "replies.sqlite"
    with sqlite3.connect(place) as db:
        db.execute("create table bill (key text primary key, asker text, model text, guess real,"
                   " tokens_in integer, tokens_out integer)")  # fmt: skip
        db.execute("insert into bill values ('k', 'decide', 'm@http://a', 3, 4, 5)")
    (bill,) = Replies(place).bills().values()
    assert (bill.tokens_in, bill.tokens_out, bill.cached) == (4, 5, 0)
