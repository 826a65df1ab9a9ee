import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands._parse import delimited

pytestmark = pytest.mark.slow

Run = Callable[..., tuple[int, str, str]]

PLANNED = ("--dataset", "x.csv", "--plan")
MOMENT = ("--seconds", 0, "--rounds", 1, "--threads", 1)


@pytest.fixture
def bench(distil: Run, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that measures the tiny model for a moment, without the large products."""
    from distilcli.benchmark.peak_flops import PeakFlops

    monkeypatch.setattr(PeakFlops, "sample", lambda self: setattr(self, "per_second", 1e12))
    monkeypatch.chdir(tmp_path)

    def bench(*arguments: object, model: object = tiny_folder) -> tuple[int, str, str]:
        sizes = () if "--sweep" in arguments else ("--seq", 8)
        return distil("bench", "-m", model, "--device", "cpu", *MOMENT, *sizes, *arguments)

    return bench


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("text\ngood film\nbad film\ngood film\n")
    return path


def test_a_pipe_gets_a_line_for_each_setting(bench: Run, tiny_folder: Path) -> None:
    code, out, err = bench("--batch", 3)
    (line,) = delimited(out, "\t")
    assert code == 0
    settings = {name: line[name] for name in ("model", "device", "precision", "seq", "batch")}
    assert settings == {
        "model": str(tiny_folder), "device": "cpu", "precision": "fp32", "seq": "8", "batch": "3",
    }  # fmt: skip
    assert line["threads"] == "1"
    assert int(line["timings"]) >= 10
    times = [float(line[f"p{percent}_ms"]) for percent in (50, 90, 95, 99)]
    assert 0 < times[0] <= times[1] <= times[2] <= times[3]
    assert float(line["p50_low_ms"]) <= times[0] <= float(line["p50_high_ms"])
    assert line["cuda_allocated_bytes"] == ""
    notes = err.splitlines()
    assert notes[0] == "distil: measuring fp32, seq 8, batch 3"
    assert "torch" in notes[1]


def test_a_sweep_names_the_best(bench: Run) -> None:
    code, out, err = bench("--sweep", "seq=8,16 batch=1,2", "--precision", "fp32,int8")
    lines = delimited(out, "\t")
    found = [(line["precision"], line["seq"], line["batch"]) for line in lines]
    assert code == 0
    assert found == [
        (precision, seq, batch)
        for precision in ("fp32", "int8")
        for seq in ("8", "16")
        for batch in ("1", "2")
    ]
    best = max(lines, key=lambda line: float(line["tokens_per_second"]))
    assert (
        f"most tokens per second: {best['precision']}, seq {best['seq']}, batch {best['batch']}"
        in err
    )
    quickest = min(lines, key=lambda line: float(line["p50_ms"]))
    assert f"lowest latency: {quickest['precision']}, seq {quickest['seq']}" in err


def test_tables_for_people(bench: Run, make_model: Callable[..., Path], tmp_path: Path) -> None:
    _, out, _ = bench("--format", "table", "--stats", "old.json")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        "latency", "rate", "compute", "memory", "weights",
    ]  # fmt: skip
    rival = make_model("rival", n_layers=1)
    _, out, _ = bench(
        "--format", "table", "--vs", rival, "--compare", "old.json", "--fail-over", 1e9
    )
    assert "p50 ms" in out
    assert f"as a multiple of {rival}" in out
    assert "compared with the older benchmark" in out
    assert "\t" not in out


def test_ratios(bench: Run, make_model: Callable[..., Path]) -> None:
    rival = make_model("rival", n_layers=4)
    code, out, _ = bench("--vs", rival, "--format", "csv")
    ours, theirs = delimited(out)
    assert code == 0
    assert theirs["model"] == str(rival)
    assert ours["flops_ratio"] == "0.5000"
    assert float(ours["rate_ratio_low"]) <= float(ours["rate_ratio"])
    assert theirs["rate_ratio"] == ""


def test_json(bench: Run, tmp_path: Path) -> None:
    code, out, _ = bench("--format", "json")
    document = json.loads(out)
    assert code == 0
    assert document["environment"]["device"] == "cpu"
    assert document["environment"]["cpu_flags"]
    _, out, err = bench("--stats", "out.json", "--json")
    assert delimited(out, "\t")
    assert json.loads((tmp_path / "out.json").read_text()).keys() == document.keys()
    assert json.loads(err.splitlines()[-1]).keys() == document.keys()


def test_the_old_spelling_of_stats(bench: Run, tmp_path: Path) -> None:
    _, out, err = bench("--json", "out.json")
    assert delimited(out, "\t")
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["results"]
    assert "{" not in err
    for old in (("--json", "-"), ("--json=-",), ("--stats", "-")):
        assert json.loads(bench(*old)[1]).keys() == document.keys()


def test_quiet(bench: Run) -> None:
    assert bench("-q")[2] == ""


def test_a_gate_on_latency(bench: Run, tmp_path: Path) -> None:
    assert bench("--max-p95-ms", 1e9)[0] == 0
    code, out, err = bench("--max-p95-ms", 0, "--json", "out.json")
    assert code == 7
    assert delimited(out, "\t")
    assert (tmp_path / "out.json").exists()
    assert err.splitlines()[-1].startswith("distil: error: gate failed: p95 above 0 ms: ")


def _with_times(path: Path, factor: float) -> None:
    document = json.loads(path.read_text())
    for result in document["results"]:
        result["p50_ms"] *= factor
        result["sequences_per_second"] /= factor
    path.write_text(json.dumps(document))


def test_slower_than_an_older_benchmark(bench: Run, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    assert bench("--json", old)[0] == 0
    _with_times(old, 1e6)
    code, out, err = bench("--compare", old)
    assert (code, "warning" in err) == (0, False)
    assert float(delimited(out, "\t")[0]["p50_change"]) < -0.9
    _with_times(old, 1e-12)
    code, out, err = bench("--compare", old, "--fail-over", "50%")
    assert code == 7
    assert "gate failed: slower by more than 50.0%" in err
    assert delimited(out, "\t")
    assert bench("--compare", old, "--fail-over", 1e15)[0] == 0
    code, _, err = bench("--compare", old, "--max-p95-ms", 0)
    assert code == 7
    assert "gate failed: p95 above 0 ms: " in err
    assert "; slower by more than 5.0%: " in err
    assert err.count("error: ") == 1


def test_another_machine_or_setting(bench: Run, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    bench("--json", old)
    document = json.loads(old.read_text())
    document["environment"]["cpu"] = "Another"
    old.write_text(json.dumps(document))
    code, _, err = bench("--compare", old, "--fail-over", 1e9)
    assert code == 0
    assert "warning: " in err
    assert "cpu was Another and is " in err
    code, out, err = bench("--compare", old, "--batch", 2)
    assert (code, len(delimited(out, "\t"))) == (3, 1)
    assert "none of its settings was measured now" in err


def test_precisions_that_the_machine_lacks(bench: Run) -> None:
    code, out, err = bench("--precision", "fp16")
    assert (code, out) == (5, "")
    assert "on the CPU use bf16 or int8" in err
    code, out, err = bench("--precision", "fp16,fp32")
    assert code == 0
    assert [line["precision"] for line in delimited(out, "\t")] == ["fp32"]
    assert "warning: --precision fp16 is for accelerators" in err


def test_a_whole_run_by_stage(distil: Run, rows: Path, tiny_folder: Path) -> None:
    given = ("bench", "--dataset", rows, "-m", tiny_folder, "--device", "cpu")
    code, out, err = distil(*given)
    assert code == 0
    assert [line["stage"] for line in delimited(out, "\t")] == [
        "reading", "tokenizing", "model", "decoding", "writing", "whole run",
    ]  # fmt: skip
    assert "rows are classified by the model's head" in err
    _, out, _ = distil(*given, "--limit", 2, "--format", "json")
    assert json.loads(out)["results"][0]["rows"] == 2
    _, out, _ = distil(*given, "--format", "table", "--precision", "fp32,int8")
    assert out.count("whole run") == 2
    assert "3 rows, " in out


def test_rows_that_fail_in_a_whole_run(distil: Run, rows: Path, tiny_folder: Path) -> None:
    rows.write_text("text\ngood film\nbad,film\n")
    given = ("bench", "--dataset", rows, "-m", tiny_folder, "--device", "cpu")
    code, out, err = distil(*given)
    assert code == 6
    lines = delimited(out, "\t")
    assert {line["failed_rows"] for line in lines} == {"1"}
    assert all(line["cpu"] and line["torch"] and line["date"] for line in lines)
    assert "warning: " in err
    assert "1 of 2 rows failed" in err


def test_a_plan(distil: Run, rows: Path, tiny_folder: Path, tmp_path: Path) -> None:
    given = (
        *("bench", "--dataset", rows, "-m", tiny_folder, "--device", "cpu", "--threads", 1),
        *("--plan", "1e9", "--cores", 8, "--price-core-hour", 0.04),
    )
    code, out, _ = distil(*given, "--json", tmp_path / "out.json")
    assert code == 0
    lines = delimited(out, "\t")
    assert [line["way"] for line in lines] == ["one process", "shards", "Ray"]
    assert {line["rows"] for line in lines} == {"1000000000"}
    assert lines[1]["processes"] == "8"
    assert all(float(line["cost"]) > 0 for line in lines)
    (plan,) = json.loads((tmp_path / "out.json").read_text())["plans"]
    assert plan["ways"][0]["limited_by"] in plan["stages"]
    assert plan["assumed"]
    _, out, _ = distil(*given, "--format", "table")
    assert "1,000,000,000 rows on 8 cores, fp32" in out
    for part in ("each stage alone", "whole run", "cost", "8 x (", "merging shards", "assumed"):
        assert part in out
    assert plan["ways"][1]["arithmetic"].startswith("8 x (1 ")


def test_a_plan_for_gpus(distil: Run, rows: Path, tiny_folder: Path) -> None:
    given = ("bench", "--dataset", rows, "-m", tiny_folder, "--device", "cpu", "--plan", 1e6)
    code, out, err = distil(*given, "--cores", 8, "--gpus", 4)
    assert (code, out) == (2, "")
    assert "--gpus 4: this run measures no GPU" in err
    code, out, _ = distil(*given, "--cores", 8, "--gpus", 4, "--gpu-rows-per-second", 0.1)
    assert code == 0
    assert {line["limited_by"] for line in delimited(out, "\t")} == {"model"}


def test_a_profile(bench: Run, tmp_path: Path) -> None:
    code, out, err = bench("--profile", "traces")
    assert code == 0
    assert "Self CPU" in err
    assert "Self CPU" not in out
    trace = Path("traces") / "fp32-seq8-batch1.trace.json"
    assert f"the trace is in {trace}" in err
    assert json.loads(trace.read_text())["traceEvents"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--batch", 0), "--batch"),
        (("--seq", 0), "--seq"),
        (("--precision", "fp64"), "'fp64' is none of"),
        (("--fail-over", "5%"), "--fail-over is for --compare"),
        (("--text-column", "x"), "--text-column is for rows; add --dataset"),
        (("--limit", 3), "--limit is for rows"),
        (("--vs", "bert-base", "--dataset", "x.csv"), "--vs is for batches of random ids"),
        (("--max-p95-ms", 3, "--dataset", "x.csv"), "--max-p95-ms is for batches of random ids"),
        (("--vs", "distilbert-base"), "that is the model itself"),
        (("--sweep", "seq=8,x"), "write sizes of at least 1"),
        (("--sweep", "seq=8", "--seq", 3), "both say seq"),
        (("--seq", 513), "reads at most 512"),
        (("--device", "gpu"), "known are auto, cpu"),
        (("--device", "cuda:all"), "--device cuda:all is for whole runs; add --dataset"),
        (("--json", "no/out.json"), "there is no folder"),
        (("--rounds", 0), "--rounds"),
        (("--seconds", "inf"), "--seconds inf never ends"),
        (("--json", "-", "--format", "csv"), "--stats - and --format csv do not go together"),
        (("--dataset", "x.csv", "--limit", 0), "--limit 0 leaves nothing"),
        (("--plan", "1e9"), "--plan is for rows; add --dataset"),
        *(
            ((*PLANNED, number), f"--plan {shown}: give a number above 0, at most 1e+15")
            for number, shown in (("0", "0"), ("-1", "-1"), ("nan", "nan"), ("1e30", "1e+30"))
        ),
        ((*PLANNED, "1.5"), "--plan 1.5: give a whole number"),
        ((*PLANNED, "1e9", "--cores", 0), "--cores"),
        ((*PLANNED, "1e9", "--cores", 10**12), "--cores 1e+12: give a number above 0"),
        ((*PLANNED, "1e9", "--price-core-hour", "nan"), "--price-core-hour nan: give a number"),
        ((*PLANNED, "1e9", "--price-core-hour", "0"), "--price-core-hour 0: give a number"),
        ((*PLANNED, "1e9", "--gpu-rows-per-second", 5), "is for GPUs; add --gpus"),
        (("--cores", 4), "--cores is for a plan; add --plan"),
        (("--gpus", 4), "--gpus is for a plan"),
        (("--price-gpu-hour", 4), "--price-gpu-hour is for a plan"),
    ],
)
def test_what_cannot_be_meant(distil: Run, arguments: tuple[object, ...], words: str) -> None:
    code, out, err = distil("bench", *arguments)
    assert (code, out) == (2, "")
    assert words in err.splitlines()[-1]


def test_what_cannot_be_read(bench: Run, distil: Run, tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text("{}")
    assert bench("--compare", "odd.json")[0] == 3
    assert bench("--compare", "none.json")[0] == 3
    assert distil("bench", "--dataset", "none.csv", "-m", tiny_folder)[0] == 3
    assert bench(model="no/such/model")[0] == 4


@pytest.mark.parametrize("option", ["--compare", "--dataset"])
def test_what_is_read_is_spared(distil: Run, rows: Path, option: str) -> None:
    before = rows.read_bytes()
    code, _, err = distil("bench", option, rows, "--json", rows)
    assert (code, rows.read_bytes()) == (2, before)
    assert "name another file" in err


def test_a_fault_of_the_command_line_waits_for_no_model(
    distil: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from distilcli.benchmark import runner

    monkeypatch.setattr(runner, "open_model", lambda *_, **__: pytest.fail("a model was loaded"))
    assert distil("bench", "--compare", "none.json", "--profile", tmp_path / "traces")[0] == 3
    assert not (tmp_path / "traces").exists()
    assert distil("bench", "--compare", "none.json", "--fail-over", "x")[0] == 2
    assert distil("bench", "--sweep", "x")[0] == 2
