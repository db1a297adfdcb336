"""A board and its details as a run of `nshot compare` writes them, without running anything."""

from __future__ import annotations

import random
from typing import Any

LABELS = [
    ("login", "cannot sign in, password, account locked"),
    ("refund", "wants money back"),
    ("shipping", "where is the parcel, delivery times"),
    ("damaged", "arrived broken or wrong"),
    ("billing", "a charge, an invoice, a double payment"),
    ("cancel", "stop an order or a subscription"),
    ("feature_request", None),
    ("배송_문의", "delivery questions in Korean"),
]

# name, rung, score, build seconds, seconds per 1000, tokens, parameters, bytes, train score
METHODS: list[tuple[str, str, float, float, float, int, int, int, float | None]] = [
    ("majority", "trivial", 0.131, 0.0006, 0.0011, 0, 0, 412, 0.125),
    ("tfidf_lr", "trivial", 0.642, 0.38, 0.29, 0, 41_208, 388_112, 1.0),
    ("label_similarity", "trivial", 0.548, 0.21, 9.4, 0, 0, 13_022, 0.56),
    ("nearest_mean", "fewshot", 0.731, 0.9, 9.1, 0, 0, 12_800, 0.91),
    ("linear_probe", "fewshot", 0.778, 4.2, 9.2, 0, 3_080, 13_420, 0.97),
    ("lm_probe", "fewshot", 0.692, 21.0, 61.0, 31, 4_616, 20_100, 1.0),
    ("knn", "fewshot", 0.717, 2.6, 9.6, 0, 0, 51_200, 1.0),
    ("zero_shot", "prompt", 0.402, 14.0, 118.0, 84, 0, 2_010, 0.41),
    ("few_shot", "prompt", 0.561, 74.0, 236.0, 412, 0, 9_830, 0.71),
    ("retrieved_shots", "prompt", 0.735, 96.0, 305.0, 388, 0, 70_400, 0.94),
    ("lora", "peft", 0.764, 348.0, 127.0, 46, 1_843_200, 7_398_400, 0.98),
    ("full", "finetune", 0.752, 412.0, 121.0, 46, 14_160_384, 56_650_112, 1.0),
]
BASE = 134_515_008
"""Parameters of the language model."""
COULD = ["linear_probe", "lora", "full", "retrieved_shots", "nearest_mean", "knn"]
FRONTIER = ["majority", "tfidf_lr", "nearest_mean", "linear_probe"]
REASONS = [
    "Pick: linear_probe, 76% (66-84) on new inputs, already lowered by 1.7 points because it won a "
    "contest of 12.",
    "It measured highest of 12, and no cheaper one that could be the best came within 2.0 points.",
    "It took 4.2 s to build and needs 9.2 s for 1,000 answers here. It trains a small head; the "
    "model stays as it is.",
    "Leaning: another method could still be up to 9.1 points better; to count as settled it may be "
    "at most 5.0 points.",
    "6 of 12 methods could still be the best; 6 are ruled out. 2 more methods have no score; the "
    "board says why.",
    "The cheapest of those is nearest_mean: 9.1 s for 1,000 answers, measured 4.7 points below "
    "the pick, could be 13 below to 4 above.",
    "With 80 test rows and 3 draws this board sees differences of about 22 points or more.",
    "About 400 test rows in all (320 more) would settle it. Looking again is a further test: the "
    "next look allows itself an error of 2.5%, so that all looks together stay under 10%.",
    "More training labels: with 4, 8, 16 a label linear_probe measured 56, 68, 78; the last step "
    "brought 10.1 points. Beyond 16 nothing was measured.",
]
TEXT = (
    "my parcel has not moved since Monday and nobody answers the phone please help order number "
    "was charged twice on the card ending again I cannot log in after the update the screen was "
    "cracked when I opened the box 배송이 아직도 안 왔어요 환불해 주세요 언제 도착하나요"
)
WORDS = TEXT.split()


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))


def _curve(rng: random.Random, score: float, learns: bool) -> list[dict[str, Any]]:
    points = []
    for shots, share in ((4, 0.72), (8, 0.87), (16, 1.0)):
        here = (
            score
            if shots == 16
            else _clip(score * (share if learns else 1.0) + rng.gauss(0, 0.015))
        )
        points.append(
            {"shots": shots, "score": here, "low": _clip(here - 0.09), "high": _clip(here + 0.08)}
        )
    return points


def _learning(name: str) -> dict[str, Any]:
    """60 steps of four epochs; only `full` watches rows, and begins to learn by heart."""
    train = [[step, 2.4 * 0.96**step] for step in range(1, 61)]
    looks = ((0, 2.5), (15, 1.4), (30, 0.9), (45, 0.8), (60, 1.0))
    return {"train": train, "validation": [list(look) for look in looks] if name == "full" else []}


def _calibration(score: float, right: bool) -> dict[str, Any]:
    """Of a row that is calibrated, or of one that too few rows could."""

    def share(value: float) -> dict[str, float]:
        return {"value": value, "low": _clip(value - 0.06), "high": _clip(value + 0.05)}

    return {
        "kind": "temperature" if right else "none",
        "temperature": 1.62 if right else 1.0,
        "rows": 128 if right else 12,
        "reason": "" if right else "at least 30 validation rows are needed, and it has 12",
        "error": share(0.041),
        "brier": share(1 - score),
        "bins": [
            {"rows": 16, "probability": p, "right": share(_clip(p - 0.02))}
            for p in (0.35, 0.52, 0.71, 0.86, 0.97)
        ],
        "thresholds": [
            {"accuracy": 0.8, "threshold": 0.0, "answered": share(1.0), "right": share(score)},
            {"accuracy": 0.95, "threshold": 0.71, "answered": share(0.62), "right": share(0.94)},
            {"accuracy": 0.99, "threshold": 0.993, "answered": share(0.0), "right": None},
        ] if right else [],
    }  # fmt: skip


def _trials(rng: random.Random, score: float) -> list[dict[str, Any]]:
    tried: list[dict[str, Any]] = [
        {
            "settings": {"rate": rate, "style": style},
            "score": _clip(score - abs(rng.gauss(0, 0.1))),
            "chosen": False,
            "note": "",
        }
        for rate in (1e-4, 5e-4, 2e-3)
        for style in ("plain", "instruction", "chat")
    ]
    tried[4]["chosen"] = True
    tried[4]["score"] = max(one["score"] for one in tried)
    tried[8] |= {"score": None, "note": "diverged: the loss is not a number"}
    return tried


def method(name: str, rung: str, score: float | None, **more: Any) -> dict[str, Any]:
    """One entry of ``methods`` with every key."""
    return {
        "name": name,
        "method": name,
        "rung": rung,
        "settings": {},
        "status": "ok",
        "reason": None,
        "score": score,
        "low": None,
        "high": None,
        "per_seed": [],
        "curve": [],
        "learning_curve": None,
        "trials": [],
        "train_score": None,
        "trained_params": 0,
        "trained_share": None,
        "build_seconds": 1.0,
        "build_peak_bytes": 10_000_000,
        "use_seconds_per_1000": 2.0,
        "tokens_per_request": 0,
        "disk_bytes": 1000,
        "form": "trained",
        "parent": None,
        "notes": [],
        "beside": {},
        "forecast_seconds": None,
        "spent_seconds": 1.0,
        **more,
    }


def _full_method(rng: random.Random, entry: Any) -> dict[str, Any]:
    name, rung, score, build, use, tokens, params, disk, train = entry
    learns = name not in ("majority", "label_similarity", "zero_shot")
    searched = build > 4
    settings: dict[str, Any] = (
        {"model": "SmolLM2-135M-Instruct"} if rung in ("prompt", "peft") else {}
    )
    if searched:
        settings |= {"rate": 5e-4, "style": "instruction", "calibration": "none"}
    if name == "lora":
        settings |= {"rank": 16, "alpha": 32, "epochs": 8, "targets": ["q_proj", "v_proj"]}
    return method(
        name,
        rung,
        score,
        settings=settings,
        low=_clip(score - 0.085),
        high=_clip(score + 0.075),
        per_seed=[_clip(score + d) for d in ((-0.031, 0.004, 0.027) if learns else (0, 0, 0))],
        curve=_curve(rng, score, learns),
        learning_curve=_learning(name) if rung in ("peft", "finetune") else None,
        trials=_trials(rng, score) if searched else [],
        train_score=train,
        trained_params=params,
        trained_share=params / BASE if rung in ("peft", "finetune") else None,
        build_seconds=build,
        build_peak_bytes=int(2e8 + build * 3e6),
        use_seconds_per_1000=use,
        tokens_per_request=tokens,
        disk_bytes=disk,
        spent_seconds=build / 2,
        notes=["12 texts were cut at 256 tokens"] if name == "lm_probe" else [],
        beside={"k-NN vote of the same demonstrations": 0.717} if name == "retrieved_shots" else {},
        forecast_seconds=build * 1.2,
        calibration=_calibration(score, searched),
    )


def board(seed: int = 0) -> dict[str, Any]:
    """Twelve measured methods, one skipped, one failed, and the winner as delivered."""
    rng = random.Random(seed)
    methods = [_full_method(rng, entry) for entry in METHODS]
    none = {
        "per_seed": [],
        "build_seconds": None,
        "use_seconds_per_1000": None,
        "tokens_per_request": None,
        "disk_bytes": None,
        "build_peak_bytes": None,
    }
    methods.append(
        method(
            "ppo",
            "align",
            None,
            status="skipped",
            forecast_seconds=5400.0,
            **none,
            reason="forecast 1 h 30 min, and 12 minutes are left of the budget",
        )
    )
    methods.append(
        method(
            "ia3",
            "peft",
            None,
            status="failed",
            **none,
            reason="did not learn: 0.13 on its own training data as before",
        )
    )
    methods.append(
        method(
            "linear_probe",
            "fewshot",
            0.79,
            form="deployed",
            parent="linear_probe",
            low=0.69,
            high=0.87,
            use_seconds_per_1000=9.0,
            disk_bytes=13_421,
            notes=["refitted on all 239 labelled rows"],
        )
    )
    return {
        "schema": 2,
        "fingerprint": "9f2c41d07be8aa13",
        "task": {
            "name": "support-tickets",
            "kind": "classify",
            "metric": "accuracy",
            "labels": [{"name": n, "description": d} for n, d in LABELS],
            "train": 239,
            "test": 80,
            "mode": "holdout",
            "shots": [4, 8, 16],
            "seeds": 3,
            "notes": ["2 rows stood in train and test: dropped from train"],
        },
        "rows": methods,
        "advice": {
            "pick": "linear_probe",
            "reasons": REASONS,
            "could_be_best": COULD,
            "verdict": "leaning",
            "corrected_score": 0.761,
            "corrected_low": 0.662,
            "corrected_high": 0.839,
            "more_test_labels": 320,
            "frontier": FRONTIER,
            "give_up": 0.02,
            "wish": {"prefer": "balanced", "give_up": None, "training": True, "change_base": True},
            "delta": 0.05,
            "optimism": 0.017,
            "confirmed": False,
            "top": "linear_probe",
            "settled_to": 0.091,
            "more_draws_settle": False,
            "test_rows": 80,
            "draws": 3,
            "contenders": 13,
            "look": 1,
            "mdd": 0.22,
            "versus_pick": {
                e[0]: {"score": e[2] - 0.778, "low": e[2] - 0.88, "high": e[2] - 0.69}
                for e in METHODS
            },
        },
    }


def board_of_all_rows() -> dict[str, Any]:
    """The board of question 1: two rows were put aside, one of them before any test row."""
    body = board()
    body["task"] |= {"question": 1, "shots": ["all"], "seeds": 1}
    body["rows"] = [row for row in body["rows"] if row["form"] == "trained"]
    for row in body["rows"]:
        measured = row["status"] == "ok"
        row |= {"test_rows": 80 if measured else None, "searched": True, "chance": None}
        row |= {"per_seed": row["per_seed"][:1], "curve": []}
    rows = {row["name"]: row for row in body["rows"]}
    rows["full"] |= {
        "status": "aside",
        "test_rows": 30,
        "searched": False,
        "trials": [],
        "chance": 0.031,
        "reason": "put aside after 30 of 80 test rows with default settings: under 5 % that it"
        " would be taken instead of linear_probe",
    }
    nothing = ("score", "low", "high", "train_score", "build_seconds", "use_seconds_per_1000",
               "disk_bytes", "trained_params", "trained_share", "test_rows")  # fmt: skip
    rows["lora"] |= {
        **dict.fromkeys(nothing),
        "status": "aside",
        "per_seed": [],
        "searched": False,
        "trials": [],
        "chance": 0.012,
        "reason": "put aside: 12 points behind linear_probe on 40 labelled rows that neither had"
        " seen",
    }
    advice = body["advice"]
    gone = {"lora", "full"}
    advice["could_be_best"] = [name for name in COULD if name not in gone]
    advice["versus_pick"].pop("lora")
    advice["reasons"] = [
        "Pick: linear_probe. The delivered model, fitted on all 239 labelled rows, scored 76 %"
        " (66-84) on 80 test rows it never saw.",
        *(one for one in REASONS[1:] if "draws" not in one and "with 4, 8, 16" not in one),
    ]
    return body


def race() -> dict[str, Any]:
    """How the run of `board_of_all_rows` went."""
    work = [
        ("tfidf_lr", "fit", 80, 1.0),
        ("linear_probe", "search", 0, 3.0),
        ("linear_probe", "fit", 80, 2.0),
        ("lora", "trial", 0, 20.0),
        ("full", "fit", 30, 60.0),
    ]
    starts = [sum(one[3] for one in work[:place]) for place in range(len(work))]
    return {
        "steps": [
            {"contender": name, "stage": stage, "rows": rows, "seconds": took, "started": start}
            for (name, stage, rows, took), start in zip(work, starts, strict=True)
        ],
        "rounds": [
            {"ended": 26.0, "pick": "tfidf_lr", "verdict": "leaning"},
            {"ended": 86.0, "pick": "linear_probe", "verdict": "leaning"},
        ],
    }


def contested() -> dict[str, Any]:
    """Two inputs on which two rows differ."""
    row = {"input": TEXT, "answers": {"linear_probe": "login", "knn": "refund"}}
    rows = [{**row, "id": "c1", "label": "login"}, {**row, "id": "c2", "label": None}]
    return {"compared": ["linear_probe", "knn"], "inputs": 80, "total": 2, "shown": rows}


def _confusion(rng: random.Random, labels: list[str], rows: int) -> list[list[int]]:
    counts = [[0] * len(labels) for _ in labels]
    for row in range(rows):
        expected = row % len(labels)
        wrong = rng.random() > 0.77
        answer = (
            min(len(labels) - 1, max(0, expected + rng.choice((-1, 1, 1, 2))))
            if wrong
            else expected
        )
        counts[expected][answer] += 1
    return counts


def details(labels: list[str] | None = None, rows: int = 80, seed: int = 0) -> dict[str, Any]:
    """The details of a run over `rows` test inputs, whose mistakes agree with its confusion."""
    rng = random.Random(seed)
    labels = labels or [name for name, _ in LABELS]
    counts = _confusion(rng, labels, rows)
    mistakes = [
        {
            "id": f"row-{i}-{j}-{n}",
            "text": " ".join(rng.sample(WORDS, rng.randint(6, 22))),
            "expected": labels[i],
            "answer": labels[j],
            "score": round(rng.uniform(0.3, 0.95), 3),
        }
        for i, line in enumerate(counts)
        for j, count in enumerate(line)
        if i != j
        for n in range(count)
    ]
    return {
        "machine": {
            "device": "cpu",
            "dtype": "float32",
            "threads": 2,
            "processor": "AMD EPYC 7B13",
            "memory_bytes": 16_784_000_000,
            "python": "3.11.9",
            "system": "Linux-6.1-x86_64",
            "versions": {"nshot": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0"},
        },
        "command": "nshot compare examples/support-tickets --shots 4,8,16 --test-limit 80",
        "seeds": [0, 1, 2],
        "fold_plan": "4 stratified folds of draw 0 for the search; test held out once",
        "confusion": {"labels": labels, "answers": labels, "counts": counts},
        "mistakes": mistakes,
        "started": 1_748_855_524.25,
        "finished": 1_748_856_700.5,
        "elapsed_seconds": 1176.2,
    }
