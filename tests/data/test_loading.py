"""Files and folders become a task and examples; guesses are told."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from nshot.core.errors import InputError
from nshot.core.types import Input, Label, Task
from nshot.data import load, read_inputs, split
from scenes import scene, shelf

EXAMPLE = Path(__file__).parents[2] / "examples" / "support-tickets"
FILMS = [("a delight", "good"), ("never again", "bad"), ("so warm", "good"), ("too long", "bad")]


def write_jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def films(path: Path) -> Path:
    return write_jsonl(path, [{"text": text, "label": label} for text, label in FILMS])


def test_the_example_task_says_everything_itself() -> None:
    loaded = load(EXAMPLE)
    assert loaded.task.name == "support-tickets"
    assert loaded.task.label_names[:2] == ("refund", "return")
    assert all(label.description for label in loaded.task.labels)
    assert loaded.task.field_names == (("message", "Message"),)
    assert loaded.task.answer_name == "Topic"
    assert (len(loaded.train), len(loaded.test or ())) == (240, 400)
    assert loaded.notes == ()
    rows = split(loaded.task, loaded.train, loaded.test)
    assert (len(rows.train), len(rows.test), rows.notes) == (240, 400, ())


def test_a_bare_file_is_guessed_and_the_guess_is_told(tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text(
        "id,message,topic,agent\n1,where is it,parcel,Ann\n2,pay me,money,Bo\n"
    )
    loaded = load(tmp_path / "tickets.csv")
    assert loaded.notes == (
        "text column 'message', label column 'topic' (guessed; --text and --label set them)",
        "columns not used: 'agent'",
    )
    assert loaded.task.name == "tickets"
    assert loaded.task.answer_name == "Topic"
    assert [row.id for row in loaded.train] == ["1", "2"]
    assert loaded.train[0].input == Input((("message", "where is it"),))
    assert loaded.task.labels == (Label("money"), Label("parcel"))


def test_an_answer_without_a_word_of_its_own_is_told(tmp_path: Path) -> None:
    films(tmp_path / "train.jsonl")
    (tmp_path / "task.yaml").write_text("data: {train: train.jsonl}\nprompt: {answer: Sentiment}\n")
    bare, named = load(tmp_path / "train.jsonl"), load(tmp_path / "task.yaml")
    assert any("prompts call the answer 'Label'" in note for note in bare.notes)
    assert not any("prompts call" in note for note in named.notes)


def test_what_is_given_is_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "pairs.tsv").write_text("a\tb\tc\tphoto\nx y\tu v\t1\tp1\nz y\tw v\t2\tp1\n")
    loaded = load(tmp_path / "pairs.tsv", text=["b", "a"], label="c", group="photo")
    assert loaded.train[0].input.fields == (("b", "u v"), ("a", "x y"))
    assert [row.group for row in loaded.train] == ["p1", "p1"]
    assert loaded.notes == ()


def test_numbers_and_truth_values_become_text(tmp_path: Path) -> None:
    rows = [{"text": 12, "label": 1}, {"text": "b", "label": 0}, {"text": "c", "label": 1.0}]
    loaded = load(write_jsonl(tmp_path / "train.jsonl", rows))
    assert [row.label for row in loaded.train] == ["1", "0", "1"]
    assert loaded.train[0].input.text == "12"


@pytest.mark.parametrize(
    ("columns", "text", "label"),
    [
        (("premise", "hypothesis", "label"), ("premise", "hypothesis"), "label"),
        (("Sentence2", "Sentence1", "gold_label"), ("Sentence1", "Sentence2"), "gold_label"),
        (("text", "label", "label_text"), ("text",), "label_text"),
        (("text", "title", "sentiment"), ("title", "text"), "sentiment"),
        (("text", "comment", "label"), ("text",), "label"),
        (("utterance", "intent", "category", "label"), ("utterance",), "label"),
    ],
)
def test_known_names(
    tmp_path: Path, columns: tuple[str, ...], text: tuple[str, ...], label: str
) -> None:
    rows = [{name: f"{name} {i}" for name in columns} for i in range(2)]
    loaded = load(write_jsonl(tmp_path / "train.jsonl", rows))
    assert tuple(name for name, _ in loaded.train[0].input.fields) == text
    assert loaded.train[1].label == f"{label} 1"


def test_unknown_names_are_guessed_by_what_they_hold(tmp_path: Path) -> None:
    body = "".join(f"the words of row {i},{'ab'[i % 2]}\n" for i in range(8))
    (tmp_path / "x.csv").write_text("was,mood\n" + body)
    loaded = load(tmp_path / "x.csv")
    assert loaded.task.label_names == ("a", "b")
    assert "text column 'was', label column 'mood'" in loaded.notes[0]


def test_ids_follow_the_row_not_its_place(tmp_path: Path) -> None:
    rows = [{"text": text, "label": label} for text, label in [*FILMS, FILMS[0]]]
    there = load(write_jsonl(tmp_path / "a.jsonl", rows)).train
    back = load(write_jsonl(tmp_path / "b.jsonl", rows[::-1])).train
    assert {row.id: row for row in there} == {row.id: row for row in back}
    assert len({row.id for row in there}) == 5


def test_ids_that_are_not_unique_over_both_files_are_left(tmp_path: Path) -> None:
    rows = [{"idx": i, "text": t, "label": lab} for i, (t, lab) in enumerate(FILMS)]
    tests = [{"idx": i, "text": t + "!", "label": lab} for i, (t, lab) in enumerate(FILMS)]
    train = write_jsonl(tmp_path / "train.jsonl", rows)
    loaded = load(train, test=write_jsonl(tmp_path / "test.jsonl", tests))
    assert "the ids of column 'idx' are not unique: not used" in loaded.notes
    assert loaded.train[0].id != "0"


def test_mark_and_line_ends_do_not_matter(tmp_path: Path) -> None:
    text = 'text,label\n"two\nlines, one cell",good\nnever again,bad\n'
    (tmp_path / "plain.csv").write_text(text, encoding="utf-8")
    (tmp_path / "odd.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    plain, odd = load(tmp_path / "plain.csv"), load(tmp_path / "odd.csv")
    assert [row.label for row in odd.train] == [row.label for row in plain.train]
    assert odd.train[0].input.text == "two\r\nlines, one cell"
    films(tmp_path / "plain.jsonl")
    raw = (tmp_path / "plain.jsonl").read_bytes()
    (tmp_path / "odd.jsonl").write_bytes(b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n") + b"\r\n")
    assert load(tmp_path / "odd.jsonl").train == load(tmp_path / "plain.jsonl").train


def test_quotes_in_a_tsv(tmp_path: Path) -> None:
    (tmp_path / "quoted.tsv").write_text('text\tlabel\n"tab\there"\ta\nfine\tb\n')
    assert load(tmp_path / "quoted.tsv").train[0].input.text == "tab\there"
    (tmp_path / "plain.tsv").write_text('text\tlabel\n"so" he said\ta\n"never closed\tb\n')
    loaded = load(tmp_path / "plain.tsv")
    assert [row.input.text for row in loaded.train] == ['"so" he said', '"never closed']
    assert "plain.tsv: quotes are read as plain text" in loaded.notes


def test_very_long_cells(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(f"text,label\n{'word ' * 100_000},a\nshort,b\n")
    assert len(load(tmp_path / "train.csv").train[0].input.text) == 500_000


def test_class_folders_of_texts_and_of_pictures(tmp_path: Path) -> None:
    for label, number in (("good", 1), ("good", 2), ("bad", 1)):
        (tmp_path / "texts" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "texts" / label / f"{number}.txt").write_text(f"{label} {number}\n")
        (tmp_path / "coins" / label).mkdir(parents=True, exist_ok=True)
        scene(number, tint=label).save(tmp_path / "coins" / label / f"{number}.JPG")
    (tmp_path / "texts" / "good" / "readme.md").write_text("no row")
    texts, coins = load(tmp_path / "texts"), load(tmp_path / "coins")
    assert texts.task.label_names == coins.task.label_names == ("bad", "good")
    assert "1 files of texts are neither .txt nor pictures: not used" in texts.notes
    assert texts.train[0].input.fields == (("text", "bad 1\n"),)
    image = coins.train[0].input.images[0]
    assert Path(image.path).name == "1.JPG"
    assert len(image.sha256) == 64
    assert coins.task.field_names == ()
    assert coins.task.pictures
    assert not texts.task.pictures
    assert not any("prompts" in note for note in coins.notes)


def test_a_folder_with_train_and_test_folders(tmp_path: Path) -> None:
    for part, word in (("train", "old"), ("test", "new")):
        for label in ("good", "bad"):
            (tmp_path / part / label).mkdir(parents=True)
            (tmp_path / part / label / "1.txt").write_text(f"{word} {label}")
    loaded = load(tmp_path)
    assert [row.input.text for row in loaded.train] == ["old bad", "old good"]
    assert [row.input.text for row in loaded.test or ()] == ["new bad", "new good"]


def test_generate_rows(tmp_path: Path) -> None:
    rows = [{"input": f"name[{i}]", "output": f"it is {i}"} for i in range(3)]
    tests = [{"input": "name[9]", "references": ["it is 9", "9 it is"]}]
    train = write_jsonl(tmp_path / "train.jsonl", rows)
    loaded = load(train, test=write_jsonl(tmp_path / "test.jsonl", tests))
    assert (loaded.task.kind, loaded.task.labels) == ("generate", ())
    assert loaded.train[0].targets == ("it is 0",)
    assert loaded.test is not None
    assert loaded.test[0].targets == ("it is 9", "9 it is")


def test_an_instruction_without_input_keeps_only_the_instruction(tmp_path: Path) -> None:
    rows = [{"instruction": "say hello", "input": "", "output": "hello"}]
    loaded = load(write_jsonl(tmp_path / "train.jsonl", rows))
    assert loaded.train[0].input.fields == (("instruction", "say hello"),)


def test_parquet_with_named_classes(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    features = {"label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}
    meta = {"huggingface": json.dumps({"info": {"features": features}})}
    table = pyarrow.table({"text": ["fine", "dull", "warm"], "label": [1, 0, 1]})
    parquet.write_table(table.replace_schema_metadata(meta), tmp_path / "train.parquet")
    assert [row.label for row in load(tmp_path / "train.parquet").train] == ["pos", "neg", "pos"]


def test_a_word_of_the_command_line_goes_before_the_task_file(tmp_path: Path) -> None:
    films(tmp_path / "train.jsonl")
    other = films(tmp_path / "other.jsonl")
    (tmp_path / "task.yaml").write_text(
        "name: films\nmetric: macro_f1\ndata: {train: train.jsonl}\nlabels: [good, bad]\n"
        "prompt: {fields: {text: Review}, answer: Verdict}\n"
    )
    loaded = load(tmp_path, test=other)
    assert loaded.task == Task(
        "films",
        "classify",
        (Label("good"), Label("bad")),
        metric="macro_f1",
        field_names=(("text", "Review"),),
        answer_name="Verdict",
    )
    assert loaded.test is not None


def test_inputs_for_predict(tmp_path: Path) -> None:
    task = Task("t", "classify", field_names=(("message", "Message"),))
    (tmp_path / "in.txt").write_text("one\r\ntwo\n")
    assert [said.text for _, said in read_inputs(tmp_path / "in.txt", task)] == ["one", "two"]
    (tmp_path / "in.csv").write_text("id,message,topic\na,one,x\nb,two,\n")
    assert read_inputs(tmp_path / "in.csv", task)[1] == ("b", Input((("message", "two"),)))
    again = write_jsonl(tmp_path / "in.jsonl", [{"message": "one"}, {"message": "one"}])
    first, second = (name for name, _ in read_inputs(again, task))
    assert second == f"{first}-2"


def test_inputs_at_fault_are_all_told(tmp_path: Path) -> None:
    task = Task("t", "classify", field_names=(("premise", "P"), ("hypothesis", "H")))
    rows = [{"premise": "", "by": "Ann"}, {"premise": " ", "by": "Bo"}, {"premise": ["x"]}]
    path = write_jsonl(tmp_path / "in.jsonl", [{"premise": "a", "hypothesis": "b"}, *rows])
    with pytest.raises(InputError) as caught:
        read_inputs(path, task)
    assert "lines 2 and 3: the text 'hypothesis' is empty" in str(caught.value)
    assert "line 4: 'premise' holds a list" in str(caught.value)
    (tmp_path / "in.txt").write_text("one")
    with pytest.raises(InputError, match="the task has 2 fields"):
        read_inputs(tmp_path / "in.txt", task)
    (tmp_path / "in.csv").write_text("premise,hypotesis\na,b\n")
    with pytest.raises(InputError, match="did you mean 'hypotesis'"):
        read_inputs(tmp_path / "in.csv", task)


@pytest.mark.full  # a clock: other work on the cores may turn it red
def test_a_hundred_thousand_rows_in_seconds(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    body = "".join(f"message number {i} of a long day,{'abc'[i % 3]}\n" for i in range(100_000))
    path.write_text("text,label\n" + body)
    started = time.process_time()
    loaded = load(path)
    rows = split(loaded.task, loaded.train, None)
    assert time.process_time() - started < 12  # about 5 s here
    assert (len(rows.train), len(rows.test)) == (99_000, 1_000)


@pytest.mark.data
@pytest.mark.parametrize(
    ("train", "test", "fields", "labels"),
    [
        ("klue_nli/train.jsonl", "klue_nli/test.jsonl", ("premise", "hypothesis"), 3),
        ("sst2/train.jsonl", "sst2/dev.jsonl", ("text",), 2),
        ("banking77/train.jsonl", "banking77/test.jsonl", ("text",), 77),
        ("nsmc/train.jsonl", "nsmc/test.jsonl", ("text",), 2),
        ("korean_hate/train.jsonl", "korean_hate/dev.jsonl", ("text",), 3),
        ("dialogsum/train.jsonl", "dialogsum/test.jsonl", ("input",), 0),
    ],
)
def test_real_files(
    data: Path, train: str, test: str, fields: tuple[str, ...], labels: int
) -> None:
    loaded = load(data / train, test=data / test)
    assert tuple(name for name, _ in loaded.train[0].input.fields) == fields
    assert len(loaded.task.labels) == labels
    rows = split(loaded.task, loaded.train, loaded.test)
    assert rows.mode == "file"
    assert 0 <= len(loaded.train) - len(rows.train) < 0.02 * len(loaded.train)


@pytest.mark.data
def test_free_answers_are_no_classes(data: Path) -> None:
    with pytest.raises(InputError, match="different values"):
        load(data / "gsm8k" / "train.jsonl", test=data / "gsm8k" / "test.jsonl")


def test_a_table_may_name_its_pictures(tmp_path: Path) -> None:
    shelf(tmp_path / "shots", {"red": 2, "blue": 2})
    rows = [
        {
            "note": f"a {label} one",
            "file": f"shots/{label}/{i}.png",
            "label": label,
            "group": f"p{i}",
        }
        for label in ("red", "blue")
        for i in range(2)
    ]
    loaded = load(write_jsonl(tmp_path / "index.jsonl", rows))
    assert loaded.task.pictures
    assert loaded.task.field_names == ()
    assert [Path(e.input.images[0].path).name for e in loaded.train] == ["0.png", "1.png"] * 2
    assert [e.group for e in loaded.train] == ["p0", "p1"] * 2
    assert "text column 'file', label column 'label'" in loaded.notes[0]
    folder = load(tmp_path / "shots")
    assert {e.input.images[0].sha256 for e in folder.train} == {
        e.input.images[0].sha256 for e in loaded.train
    }
    words = load(tmp_path / "index.jsonl", text=["note"])
    assert not words.task.pictures


@pytest.mark.parametrize("pattern", ["{group}_*.png", r"(.+)_\d+\.png", r"^([^_]+_[^_]+)"])
def test_groups_out_of_names_of_files(tmp_path: Path, pattern: str) -> None:
    for label in ("red", "blue"):
        (tmp_path / label).mkdir()
        for number in range(4):
            place = tmp_path / label / f"IMG_{number // 2}_{number}.png"
            scene(number, tint=label).save(place)
    loaded = load(tmp_path, group=pattern)
    assert [e.group for e in loaded.train] == ["IMG_0", "IMG_0", "IMG_1", "IMG_1"] * 2
    assert not any("called alike" in note for note in loaded.notes)
    assert any("such as IMG_0_*" in note for note in load(tmp_path).notes)


def test_names_of_cameras_and_of_classes_are_no_groups(tmp_path: Path) -> None:
    for label in ("red", "blue"):
        (tmp_path / label).mkdir()
        for number in range(3):
            scene(number, tint=label).save(tmp_path / label / f"{label}_{number}.png")
            scene(9 + number, tint=label).save(tmp_path / label / f"{number}.png")
    assert not any("called alike" in note for note in load(tmp_path).notes)


def test_groups_out_of_names_of_folders(tmp_path: Path) -> None:
    shelf(tmp_path / "red", {"monday": 2, "tuesday": 1})
    shelf(tmp_path / "blue", {"monday": 1, "tuesday": 2}, 5)
    loaded = load(tmp_path, group="{group}/*")
    assert [e.group for e in loaded.train] == [
        "monday", "tuesday", "tuesday", "monday", "monday", "tuesday"
    ]  # fmt: skip


def test_a_task_file_may_point_at_a_folder_of_pictures(tmp_path: Path) -> None:
    shelf(tmp_path / "photos", {"red": 2, "blue": 2})
    (tmp_path / "task.yaml").write_text("data: {train: photos, group: '{group}.png'}\n")
    loaded = load(tmp_path)
    assert loaded.task.pictures
    assert {e.group for e in loaded.train} == {"0", "1"}
    rows = tmp_path / "rows.csv"
    rows.write_text("file,answer\nphotos/red/0.png,It is red.\n")
    with pytest.raises(InputError, match="pictures in a task of kind generate"):
        load(rows, kind="generate")


def test_pictures_and_texts_are_not_in_one_row(tmp_path: Path) -> None:
    shelf(tmp_path / "shots", {"red": 1, "blue": 1})
    path = tmp_path / "rows.csv"
    path.write_text("file,said,label\nshots/red/0.png,warm,red\nshots/blue/0.png,cold,blue\n")
    with pytest.raises(InputError, match="pictures and texts in one row: file, said"):
        load(path, text=["file", "said"])


def test_each_file_of_a_folder_is_an_input(tmp_path: Path) -> None:
    task = Task("t", "classify", (Label("a"), Label("b")), field_names=(("text", "Text"),))
    for name, text in (("1.txt", "one\ntwo\n"), ("2.txt", "three"), ("read.md", "no input")):
        (tmp_path / name).write_text(text)
    whole = [(str(tmp_path / "1.txt"), "one\ntwo\n"), (str(tmp_path / "2.txt"), "three")]
    for given in (tmp_path, [tmp_path / "1.txt", tmp_path / "2.txt"]):
        assert [(key, one.text) for key, one in read_inputs(given, task)] == whole
    assert [one.text for _, one in read_inputs(tmp_path / "1.txt", task)] == ["one", "two"]
    pictures = shelf(tmp_path / "shots", {"red": 1}) / "red" / "0.png"
    with pytest.raises(InputError) as caught:
        read_inputs([tmp_path / "1.txt", pictures, tmp_path / "gone.txt"], task)
    assert "0.png: no .txt files" in str(caught.value)
    assert "gone.txt: no such file" in str(caught.value)
    (tmp_path / "rows.csv").write_text("text\nx\n")
    with pytest.raises(InputError, match="no column names pictures"):
        read_inputs(tmp_path / "rows.csv", Task("t", "classify", pictures=True))
