"""Texts that are English and texts that are not, by their script and their small words."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nshot.data import load
from nshot.data.language import MOST, language

TICKETS = Path(__file__).parents[2] / "examples" / "support-tickets"

OTHERS = {
    "Hangul": ["카드가 아직 도착하지 않았어요", "환불해 주세요", "비밀번호를 잊어버렸습니다 help"],
    "Japanese": ["カードがまだ届きません", "返金してください", "パスワードを忘れました"],
    "Chinese": ["我的卡还没有到", "请给我退款", "我忘记了密码"],
    "Arabic": ["لم تصل بطاقتي بعد", "أريد استرداد أموالي", "نسيت كلمة المرور"],
    "Cyrillic": ["Моя карта ещё не пришла", "Верните деньги", "Я забыл пароль"],
    "Greek": ["Η κάρτα μου δεν έχει φτάσει", "Θέλω τα χρήματά μου πίσω"],
    "Devanagari": ["मेरा कार्ड अभी तक नहीं आया", "मुझे पैसे वापस चाहिए"],
    "Thai": ["บัตรของฉันยังไม่มาถึง", "ขอเงินคืน"],
}
LATIN = {
    "German": ["Wo ist meine Karte?", "Ich möchte mein Geld zurück", "Passwort vergessen",
               "Das Paket wurde nicht geliefert", "Die Rechnung stimmt nicht"],
    "French": ["Où est ma carte ?", "Je veux être remboursé", "J'ai oublié mon mot de passe",
               "Le colis n'est pas arrivé", "La facture est fausse"],
    "Spanish": ["¿Dónde está mi tarjeta?", "Quiero que me devuelvan el dinero",
                "He olvidado la contraseña", "El paquete no ha llegado", "Factura incorrecta"],
    "Italian": ["Dove è la mia carta?", "Voglio che mi restituiate i soldi",
                "Questo pacco non è arrivato", "Ho dimenticato la password"],
    "Portuguese": ["Onde está o meu cartão?", "Não recebi a encomenda", "Esqueci minha senha"],
    "Dutch": ["Waar is mijn kaart?", "Ik wil mijn geld terug", "Het pakket is niet aangekomen"],
    "Polish": ["Gdzie jest moja karta?", "Nie dostałem paczki", "Zapomniałem hasła"],
    "Turkish": ["Kartım nerede?", "Bu paket için para iadesi istiyorum", "Şifremi unuttum"],
    "Vietnamese": ["Thẻ của tôi ở đâu?", "Tôi muốn được hoàn tiền", "Tôi quên mật khẩu"],
    "Indonesian": ["Di mana kartu saya?", "Paket ini tidak sampai", "Saya lupa kata sandi"],
}  # fmt: skip
ENGLISH = {
    "short": ["ok", "refund", "I've decided", "we'll see", "lost card", "great!",
              "not again", "u there?", "lol"],
    "questions": ["Where is my card?", "Give me the money back", "I forgot my password"],
    "loan words": ["the café is good", "a naïve film with a heart", "crème brûlée was great",
                   *["it has been a joy from the first scene"] * 8],
    "names": ["Los Angeles Rams win", "Dr. Müller and the El Paso case", "Van Gogh sells again"],
    "titles": ["iPhone 15 case", "Samsung TV 55 inch", "USB-C cable 2m", "Sony headphones"],
    "code": ["for i in range(10): print(i)", "def f(x, y): return x + y", "int main() { die(); }",
             "SELECT id FROM users WHERE el = 'des'", "if (a && b) { return null; }"],
    "numbers": ["42", "3.14", "2024-01-01", "+82 10 1234 5678", "100%"],
    "signs": ["!!!", "😀👍", "---", "$$$"],
    "empty": ["", " ", "\n"],
    "nothing": [],
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_another_script_is_not_english(name: str) -> None:
    texts = OTHERS[name]
    english, reason = language(texts)
    assert not english
    assert reason == f"{len(texts)} of {len(texts)} texts are not English ({name})"


@pytest.mark.parametrize("name", LATIN)
def test_another_language_in_latin_letters_is_not_english(name: str) -> None:
    english, reason = language(LATIN[name])
    assert not english
    assert reason.endswith("texts are not English (Latin letters)")


@pytest.mark.parametrize("name", ENGLISH)
def test_english_and_what_has_no_language_counts_as_english(name: str) -> None:
    assert language(ENGLISH[name]).english


def test_a_file_of_two_languages_is_not_english() -> None:
    rows = load(TICKETS).train
    korean = sum(re.search("[가-힣]{2}", row.input.text) is not None for row in rows)
    assert 0.1 < korean / len(rows) < 0.5
    assert language([row.input.text for row in rows]) == (
        False,
        f"{korean} of {len(rows)} texts are not English (Hangul)",
    )


@pytest.mark.parametrize(("korean", "english"), [(4, True), (5, False)])
def test_one_text_in_twenty_is_enough(korean: int, english: bool) -> None:
    texts = ["Where is my card?"] * (100 - korean) + ["카드가 어디 있나요?"] * korean
    random.Random(0).shuffle(texts)
    assert language(texts).english is english


@pytest.mark.parametrize(("german", "english"), [(9, True), (10, False)])
def test_in_latin_letters_one_in_ten(german: int, english: bool) -> None:
    texts = ["Where is my card?"] * (100 - german) + ["Wo ist meine Karte?"] * german
    assert language(texts).english is english


def test_numbers_among_the_texts_hide_nothing() -> None:
    assert language(["42"] * 100 + ["환불해 주세요"]) == (
        False,
        "1 of 1 texts are not English (Hangul)",
    )


def test_a_large_file_is_looked_at_here_and_there() -> None:
    half = ["Where is my card?"] * 3 * MOST
    assert not language([*half, *["카드가 어디 있나요?"] * 3 * MOST]).english


@settings(deadline=None)
@given(st.lists(st.text(), max_size=8))
def test_any_text_is_told_and_the_order_does_not_matter(texts: list[str]) -> None:
    assert language(texts) == language(texts[::-1])


@pytest.mark.data
@pytest.mark.parametrize("name", ["sst2", "banking77", "ag_news", "sms_spam", "tweet_emotion"])
def test_english_data_sets(data: Path, name: str) -> None:
    assert language([row.input.text for row in load(data / name / "train.jsonl").train]).english


@pytest.mark.data
@pytest.mark.parametrize("name", ["nsmc", "korean_hate"])
def test_korean_data_sets(data: Path, name: str) -> None:
    rows = load(data / name / "train.jsonl").train
    assert not language([row.input.text for row in rows]).english
