"""Every method by name, cheapest first: the one table. A file is read when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points

from nshot.core.errors import Fault, InputError
from nshot.core.types import Kind
from nshot.methods.contract import Method
from nshot.methods.table import Table

WHERE: Mapping[str, str] = {
    "majority": "nshot.methods.trivial.majority:Majority",
    "tfidf_lr": "nshot.methods.trivial.tfidf_lr:TfIdfLR",
    "average": "nshot.methods.trivial.average:Average",
    "dictionary": "nshot.methods.trivial.dictionary:Dictionary",
    "nearest_answer": "nshot.methods.trivial.nearest_answer:NearestAnswer",
    "longest": "nshot.methods.trivial.longest:Longest",
    "shortest": "nshot.methods.trivial.shortest:Shortest",
    "likelihood": "nshot.methods.trivial.likelihood:Likelihood",
    "label_similarity": "nshot.methods.fewshot.label_similarity:LabelSimilarity",
    "nearest_mean": "nshot.methods.fewshot.nearest_mean:NearestMean",
    "knn": "nshot.methods.fewshot.knn:KNN",
    "linear_probe": "nshot.methods.fewshot.linear_probe:LinearProbe",
    "ordinal": "nshot.methods.fewshot.ordinal:Ordinal",
    "ridge": "nshot.methods.fewshot.ridge:Ridge",
    "token_head": "nshot.methods.fewshot.token_head:TokenHead",
    "picture_probe": "nshot.methods.fewshot.picture_probe:PictureProbe",
    "baseline": "nshot.methods.fewshot.baseline:Baseline",
    "baseline_pp": "nshot.methods.fewshot.baseline_pp:BaselinePP",
    "zero_shot": "nshot.methods.prompt.zero_shot:ZeroShot",
    "few_shot": "nshot.methods.prompt.few_shot:FewShot",
    "lm_probe": "nshot.methods.fewshot.lm_probe:LMProbe",
    "decide": "nshot.methods.prompt.decide:Decide",
    "decide_shots": "nshot.methods.prompt.decide_shots:DecideShots",
    "prompt_search": "nshot.methods.prompt.prompt_search:PromptSearch",
    "retrieved_shots": "nshot.methods.prompt.retrieved_shots:RetrievedShots",
    "rationale": "nshot.methods.prompt.rationale:Rationale",
    "self_consistency": "nshot.methods.prompt.self_consistency:SelfConsistency",
    "description_match": "nshot.methods.fewshot.description_match:DescriptionMatch",
    "setfit": "nshot.methods.fewshot.setfit:SetFit",
    "prototypical": "nshot.methods.fewshot.prototypical:Prototypical",
    "matching": "nshot.methods.fewshot.matching:Matching",
    "relation": "nshot.methods.fewshot.relation:Relation",
    "meta_baseline": "nshot.methods.fewshot.meta_baseline:MetaBaseline",
    "maml": "nshot.methods.fewshot.maml:MAML",
    "adapter": "nshot.methods.peft.adapter:GivenAdapter",
    "prompt_tuning": "nshot.methods.peft.prompt_tuning:PromptTuning",
    "p_tuning": "nshot.methods.peft.p_tuning:PTuning",
    "prefix": "nshot.methods.peft.prefix:PrefixTuning",
    "ia3": "nshot.methods.peft.ia3:IA3",
    "bitfit": "nshot.methods.peft.bitfit:BitFit",
    "llama_adapter": "nshot.methods.peft.llama_adapter:LlamaAdapter",
    "bottleneck": "nshot.methods.peft.bottleneck:BottleneckAdapters",
    "lora": "nshot.methods.peft.lora:LoRA",
    "qlora": "nshot.methods.peft.qlora:QLoRA",
    "lora_head": "nshot.methods.peft.lora_head:LoRAHead",
    "full": "nshot.methods.finetune.full:FullFineTuning",
    "pattern_tuning": "nshot.methods.finetune.pattern_tuning:PatternTuning",
    "in_context_tuning": "nshot.methods.finetune.in_context_tuning:InContextTuning",
    "instruct": "nshot.methods.finetune.instruct:Instruct",
    "instruct_full": "nshot.methods.finetune.instruct_full:InstructFull",
    "reward": "nshot.methods.align.reward:Reward",
    "dpo": "nshot.methods.align.dpo:DPO",
    "kto": "nshot.methods.align.kto:KTO",
    "ppo": "nshot.methods.align.ppo:PPO",
    "grpo": "nshot.methods.align.grpo:GRPO",
    "from_folder": "nshot.methods.compress.from_folder:FromFolder",
    "distil": "nshot.methods.compress.distil:Distil",
    "fewer_layers": "nshot.methods.compress.fewer_layers:FewerLayers",
    "qat": "nshot.methods.compress.qat:QAT",
    "quantise": "nshot.methods.compress.quantise:Quantise",
    "cascade": "nshot.methods.compose.cascade:Cascade",
    "stacked": "nshot.methods.compose.stacked:Stacked",
    "person": "nshot.methods.compose.person:Person",
    "replay": "nshot.methods.outside.replay:Replay",
}
"""Name -> module and class."""

STANDARD: Mapping[Kind, tuple[str, ...]] = {
    "classify": (
        "majority", "tfidf_lr", "label_similarity", "nearest_mean", "knn", "linear_probe",
        "baseline", "zero_shot", "few_shot", "lm_probe", "retrieved_shots", "setfit",
        "prompt_tuning", "p_tuning", "prefix", "ia3", "lora", "full",
    ),
    "score": (
        "majority", "tfidf_lr", "label_similarity", "nearest_mean", "knn", "linear_probe",
        "ordinal", "baseline", "zero_shot", "few_shot", "lm_probe", "retrieved_shots", "setfit",
        "prompt_tuning", "p_tuning", "prefix", "ia3", "lora", "full",
    ),
    "multilabel": (
        "majority", "tfidf_lr", "knn", "linear_probe", "zero_shot", "few_shot", "lora",
        "lora_head",
    ),
    "number": (
        "average", "knn", "ridge", "zero_shot", "few_shot", "retrieved_shots", "lora",
        "lora_head", "full",
    ),
    "spans": ("dictionary", "token_head", "zero_shot", "few_shot", "lora"),
    "generate": (
        "nearest_answer", "zero_shot", "few_shot", "retrieved_shots", "prompt_tuning", "p_tuning",
        "prefix", "lora", "full",
    ),
    "rank": ("longest", "shortest", "likelihood", "zero_shot", "reward", "dpo"),
}  # fmt: skip
"""What is compared unless the user names methods: the ladder, the dear ones in a race."""

TRIVIAL: Mapping[Kind, str] = {
    "generate": "nearest_answer",
    "number": "average",
    "spans": "dictionary",
    "rank": "longest",
}
"""What answers where nothing else could be measured; else `majority`."""

PICTURES: tuple[str, ...] = (
    "majority",
    "nearest_mean",
    "knn",
    "linear_probe",
    "picture_probe",
    "baseline",
    "baseline_pp",
)
"""What is compared on pictures unless the user names methods."""


def loader(where: str) -> Callable[[], type[Method]]:
    """Reads ``module:Class`` when it is called; `InputError` where there is no method there."""
    module, _, name = where.partition(":")

    def load() -> type[Method]:
        try:
            cls = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            do = f"mend or uninstall the package that names {where} as a method"
            raise InputError(
                Fault(f"the method at {where} cannot be read: {error}", do=do)
            ) from error
        if not (isinstance(cls, type) and issubclass(cls, Method)):
            raise InputError(Fault(f"{where} is no method", "a class that inherits from Method"))
        return cls

    return load


def _published() -> dict[str, str]:
    """What installed packages bring: their entry points of the group ``nshot.methods``.

    A name of ours is nobody else's.
    """
    points = entry_points(group="nshot.methods")
    return {point.name: point.value for point in points if point.name not in WHERE}


TABLE = Table({name: loader(where) for name, where in {**WHERE, **_published()}.items()})
"""Name -> class, loaded when first asked for."""
