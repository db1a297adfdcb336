"""Tables with a token a row (Kaggle's NER set and its like): their sentences become rows."""

from __future__ import annotations

from collections.abc import Sequence

from nshot.data.faults import Place
from nshot.data.files.conll import is_tag
from nshot.data.table import Row, Table, cell_text

_SENTENCES = frozenset({
    "sentence #", "sentence", "sentence_id", "sentence_no", "sentence_number", "sentence_idx",
    "sentence id", "sent_id", "sent", "sentid", "sentenceid", "문장번호", "문장_번호",
})  # fmt: skip
_TOKENS = frozenset({"word", "words", "token", "tokens", "form", "단어", "토큰", "어절"})
_TAGS = (
    "ner_tag", "ner_tags", "ner", "tag", "tags", "bio", "iob", "entity", "label", "labels", "개체명"
)  # fmt: skip
_MOSTLY = 0.9
_LOOKED_AT = 1000


def gather_sentences(table: Table) -> None:
    """Put a row for each sentence: ``tokens``, and their tags where the table has such a column.

    The sentence's number may stand at its first token only. Rows without a token are left out.
    """
    names = {name.casefold(): name for name in table.columns}
    sentence = next((names[name] for name in names if name in _SENTENCES), None)
    token = next((names[name] for name in names if name in _TOKENS), None)
    if sentence is None or token is None or not _are_single(table, token):
        return
    tag = next((names[name] for name in _TAGS if _holds_tags(table, names.get(name))), None)
    used = [name for name in (sentence, token, tag) if name]
    rows: list[tuple[Row, Place]] = []
    before = ""
    for row, place in zip(table.rows, table.places, strict=True):
        number = (cell_text(row.get(sentence)) or "").strip() or before
        if not rows or number != before:
            rows.append(({"tokens": [], **({tag: []} if tag else {})}, place))
        before = number
        if word := (cell_text(row.get(token)) or "").strip():
            rows[-1][0]["tokens"].append(word)
            if tag:
                rows[-1][0][tag].append((cell_text(row.get(tag)) or "").strip() or "O")
    unused = [name for name in table.columns if name not in used]
    more = f"; not used: {', '.join(unused)}" if unused else ""
    table.rows = [row for row, _ in rows if row["tokens"]]
    table.places = [place for row, place in rows if row["tokens"]]
    table.columns = ("tokens", tag) if tag else ("tokens",)
    table.notes.append(
        f"{table.path.name}: a token a {table.unit}: put together by '{sentence}'{more}"
    )


def _are_single(table: Table, name: str) -> bool:
    """Are the cells single words, several to a sentence?"""
    cells = [cell_text(row.get(name)) for row in table.rows[:_LOOKED_AT]]
    words = [cell for cell in cells if cell is not None]
    single = sum(len(cell.split()) <= 1 for cell in words)
    return len(words) == len(cells) and single >= _MOSTLY * len(cells)


def _holds_tags(table: Table, name: str | None) -> bool:
    cells: Sequence[str] = [
        cell
        for row in table.rows[:_LOOKED_AT]
        if name and (cell := (cell_text(row.get(name)) or "").strip())
    ]
    return "O" in cells and sum(map(is_tag, cells)) >= _MOSTLY * len(cells)
