"""`tests/` mirrors `distilcli/`, and every module is tested."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "distilcli"
# Of the whole, of several programs, or of what is not in the package.
ELSEWHERE = {"benchmarks", "builtin", "contracts", "fuzz", "parity"}

# What has no tests of its own, by the file that tests it through its neighbours.
TESTED_BY = {
    "benchmark/test_dataset.py": "benchmark/dataset_result",
    "benchmark/test_gates.py": "benchmark/report",
    "commands/test_bench.py": "commands/_bench_options console/benchmark console/forecast",
    "commands/test_choose.py": "predictors/chooser",
    "commands/test_compress.py": "compression/report compression/run compression/speed",
    "commands/test_embed.py": (
        "commands/_embed_modes commands/_embed_options commands/_embed_search predictors/dense"
    ),
    "commands/test_evaluate.py": (
        "console/evaluation evaluation/calibrate evaluation/evaluation evaluation/files "
        "evaluation/of_predictions evaluation/prediction_columns "
        "evaluation/report rows/predictions"
    ),
    "commands/test_evaluate_abstention.py": "evaluation/abstention evaluation/plot",
    "commands/test_fill.py": "predictors/mask_filler tasks/candidates",
    "commands/test_finetune.py": "commands/_finetune_options training/plan",
    "commands/test_merge.py": "vectors/merge",
    "commands/test_params.py": "checkpoint/report",
    "commands/test_qa.py": "tasks/questions",
    "commands/test_ray.py": "commands/_ray_worker",
    "commands/test_unfinished.py": "rows/retry",
    "commands/test_tokenize.py": "commands/_tokenize_modes console/tokens tokenizer/columns",
    "console/test_progress.py": "downloads",
    "contracts/test_completions.py": (
        "commands/completions completion/bash completion/fish completion/interface completion/zsh"
    ),
    "contracts/test_exit_codes.py": "__main__",
    "contracts/test_settings.py": "commands/_option_groups",
    "engine/test_engine.py": "engine/feeder engine/task",
    "predictors/test_embedder.py": "predictors/encoder",
    "evaluation/results/test_base.py": (
        "evaluation/results/choose evaluation/results/classify evaluation/results/embed "
        "evaluation/results/mlm evaluation/results/multilabel "
        "evaluation/results/regress tasks/perplexity"
    ),
    "model/test_device.py": "model/device_name",
    "model/test_precision.py": "model/precision_name",
    "model/test_encoder.py": "model/activation model/embeddings",
    "model/test_loading.py": "model/keys model/saving model/weights",
    "rows/test_conll.py": "rows/conll_writer",
    "rows/test_excel.py": "rows/stores",
    "rows/test_reader.py": (
        "rows/formats rows/inputs rows/place rows/table rows/tables rows/whole_files"
    ),
    "rows/test_writer.py": "rows/file_output rows/layout rows/output rows/part rows/row_writer",
    "scores/test_classification.py": "scores/precision_recall",
    "tasks/test_choose.py": "tasks/problems",
    "tasks/test_fill.py": "tokenizer/filled",
    "tasks/test_qa.py": "tasks/spans",
    "test_app.py": "commands/_suggest",
    "tokenizer/test_loading.py": "tokenizer/options tokenizer/tokenizer tokenizer/vocabulary",
    "training/distill/test_teacher_cache.py": (
        "training/distill/teacher training/distill/teacher_pass"
    ),
    "training/objectives/test_classify.py": "training/objectives/whole_texts",
    "training/report/test_plots.py": "training/report/panels",
}


def modules() -> set[str]:
    paths = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    return {path.with_suffix("").as_posix() for path in paths if path.stem != "__init__"}


def twin(test: Path) -> str | None:
    """Return the module that a test file is of: `test_y.py` and `test_y_more.py` are of `y`."""
    words = test.stem.removeprefix("test_").split("_")
    for end in range(len(words), 0, -1):
        name = "_".join(words[:end])
        for candidate in (name, f"_{name}"):
            module = (test.parent / candidate).as_posix()
            if module in modules():
                return module
    return None


def mirrored() -> list[Path]:
    """Return the test files that mirror the package, from `tests/`."""
    files = sorted(path.relative_to(TESTS) for path in TESTS.rglob("test_*.py"))
    return [path for path in files if path.parts[0] not in ELSEWHERE]


@pytest.mark.parametrize("test", mirrored(), ids=str)
def test_a_test_file_stands_where_its_module_does(test: Path) -> None:
    assert twin(test) is not None, f"tests/{test}: there is no such module in distilcli/"


@pytest.mark.slow
def test_every_module_is_tested() -> None:
    of_their_own = {twin(test) for test in mirrored()}
    through_others = {module for named in TESTED_BY.values() for module in named.split()}
    assert modules() - of_their_own - through_others == set(), "write tests"
    assert through_others & of_their_own == set(), "they have tests of their own now"
    assert through_others - modules() == set(), "these modules are gone"
    assert [test for test in TESTED_BY if not (TESTS / test).is_file()] == []


@pytest.mark.parametrize(
    ("test", "module"),
    [
        ("rows/test_reader.py", "rows/reader"),
        ("commands/test_declare.py", "commands/_declare"),
        ("commands/test_evaluate_abstention.py", "commands/evaluate"),
        ("test_app.py", "app"),
        ("rows/test_app.py", None),
        ("test_reader.py", None),
    ],
)
def test_twins(test: str, module: str | None) -> None:
    assert twin(Path(test)) == module


def test_every_decision_has_a_number_of_its_own() -> None:
    notes = sorted((PACKAGE.parent / ".github" / "decisions").glob("*.md"))
    numbers = [path.name.partition("-")[0] for path in notes]
    assert numbers == [f"{number:04}" for number in range(1, len(notes) + 1)]
