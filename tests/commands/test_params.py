import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from distilcli.app import main
from tests.checkpoint._files import distilbert, sequence_classifier, write_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["params", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model", sequence_classifier())


def test_a_pipe_gets_tab_separated_lines(run: Run, model: Path) -> None:
    code, out, err = run(model)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out), delimiter="\t"))
    assert rows[0] == {
        "name": "embeddings.word",
        "parameters": "23440896",
        "trainable": "23440896",
        "dtype": "F32",
        "bytes": "93763584",
        "bert_base": "23440896",
        "ratio": "1.0000",
    }
    assert (rows[-1]["name"], rows[-1]["parameters"]) == ("total", "66955010")
    assert err == f"distil: model: {model}\n"


def test_csv_differs_in_the_delimiter_alone(run: Run, model: Path) -> None:
    assert run(model, "--format", "csv")[1] == run(model)[1].replace("\t", ",")


def test_one_json_document(run: Run, model: Path) -> None:
    _, out, _ = run(model, "--by", "layer", "--format", "json")
    document = json.loads(out)
    assert document["by"] == "layer"
    assert document["files"] == [str(model / "model.safetensors")]
    assert document["total"]["parameters"] == 66_955_010
    assert [part["name"] for part in document["parts"][:2]] == ["embeddings", "layer.0"]


def test_a_table_for_people(run: Run, model: Path) -> None:
    _, out, _ = run(model, "--format", "table")
    assert "66,955,010" in out
    assert "109,482,240" in out
    assert "0.612" in out


def test_quiet(run: Run, model: Path) -> None:
    assert run(model, "-q")[2] == ""


def test_difference(run: Run, model: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", distilbert(dtype="F16", layers=5))
    code, out, _ = run(model, "--diff", other, "--format", "json")
    document = json.loads(out)
    assert code == 0
    kinds = {row["name"]: row["difference"] for row in document["differences"]}
    assert kinds["classifier.weight"] == "only here"
    assert kinds["transformer.layer.5.ffn.lin1.weight"] == "only here"
    assert kinds["transformer.layer.0.ffn.lin1.weight"] == "dtype"
    assert document["totals"][0]["here"] == 66_955_010
    assert document["totals"][0]["there"] == 66_362_880 - 7_087_872


def test_the_totals_come_before_the_differences(run: Run, model: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", distilbert())
    _, out, _ = run(model, "--diff", other)
    names = [row["name"] for row in csv.DictReader(io.StringIO(out), delimiter="\t")]
    assert names[:2] == ["total parameters", "total bytes"]
    assert "classifier.weight" in names[2:]


def test_no_difference(run: Run, model: Path) -> None:
    code, out, err = run(model, "--diff", model)
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == [
        "name",
        "total parameters",
        "total bytes",
    ]
    assert "no tensor differs" in err


@pytest.mark.slow
def test_check_of_a_sound_model(run: Run, model: Path) -> None:
    code, out, err = run(model, "--check")
    assert (code, out) == (0, "")
    assert "every weight is finite, and none is missing or unused" in err
    code, out, _ = run(model, "--check", "--format", "json")
    assert code == 0
    assert json.loads(out) == {"model": str(model), "sound": True, "faults": []}


@pytest.mark.slow
def test_check_lists_what_is_wrong(run: Run, model: Path) -> None:
    weights = model / "model.safetensors"
    with weights.open("r+b") as file:
        file.seek(-8, io.SEEK_END)
        file.write(b"\0\0\x80\x7f\0\0\xc0\x7f")
    (model / "config.json").write_text(
        json.dumps(
            {
                "model_type": "distilbert",
                "n_layers": 7,
                "architectures": ["DistilBertForQuestionAnswering"],
            }
        )
    )
    code, out, err = run(model, "--check")
    assert code == 4
    rows = list(csv.DictReader(io.StringIO(out), delimiter="\t"))
    found = {(row["name"], row["fault"]): row["detail"] for row in rows}
    assert found["classifier.bias", "NaN"] == found["classifier.bias", "infinite"] == "1 value"
    assert found["distilbert.transformer.layer.6.ffn.lin1.weight", "missing"] == "[3072, 768]"
    assert found["qa_outputs.weight", "missing"] == "[2, 768]"
    assert found["classifier.weight", "unused"] == "[2, 768]"
    assert err.count("\n") == 2
    assert "faults in its weights: NaN (classifier.bias), infinite (classifier.bias), miss" in err
    code, out, _ = run(model, "--check", "--format", "json")
    document = json.loads(out)
    assert (code, document["sound"], len(document["faults"])) == (4, False, len(rows))


@pytest.mark.slow
def test_check_shows_a_table_to_people(run: Run, model: Path) -> None:
    config = {"model_type": "distilbert", "architectures": ["DistilBertModel"]}
    (model / "config.json").write_text(json.dumps(config))
    code, out, _ = run(model, "--check", "--format", "table")
    assert code == 0
    assert "classifier.bias" in out
    assert "unused" in out


@pytest.mark.parametrize("option", [["--diff", "sentiment"], ["--by", "layer"]])
def test_check_stands_alone(run: Run, model: Path, option: list[str]) -> None:
    code, _, err = run(model, "--check", *option)
    assert code == 2
    assert f"{option[0]} cannot be used with --check" in err


def test_a_pickle_has_no_header(run: Run, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x02}q\x00.")
    code, out, err = run(tmp_path)
    assert (code, out) == (4, "")
    assert "is a pickle" in err
    assert "convert it" in err


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "line 1, column 2: not JSON"),
        ("[]", "not a JSON object"),
        ("", "line 1, column 1: not JSON"),
    ],
)
def test_a_broken_configuration(run: Run, model: Path, content: str, fault: str) -> None:
    (model / "config.json").write_text(content)
    code, _, err = run(model)
    assert code == 4
    assert f"config.json: {fault}" in err


def test_a_name_that_is_markup_or_no_ascii_is_shown_as_it_is(run: Run, tmp_path: Path) -> None:
    name = "[red]heißer[/red].weight"
    folder = write_model(tmp_path, {name: ("F32", (4,))})
    assert name in run(folder, "--by", "tensor", "--format", "table")[1]
    assert name in run(folder, "--by", "tensor")[1]


def test_a_reader_that_stops_early_meets_no_traceback(model: Path) -> None:
    command = [sys.executable, "-m", "distilcli", "params", str(model), "--by", "tensor"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"name\t")
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
    # The lines may all have fitted into the pipe before it was closed.
    assert process.returncode in {0, 141}
