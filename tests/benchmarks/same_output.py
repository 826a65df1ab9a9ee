"""Run the same commands with two installations and compare what they write, byte for byte.

    python tests/benchmarks/same_output.py OLD_PYTHON NEW_PYTHON [WORD]

Each PYTHON is an interpreter with a `distilcli` of its own, as two checkouts have. Compared
are standard output, the exit code, and every file that a command leaves. WORD picks the commands
that contain it. The exit code is 1 if anything differs: useful before and after a refactoring.
"""

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
# What depends on the clock or the folder, not on the code.
VOLATILE = {"config.toml", "summary.json", "metrics.jsonl", "README.md"}

COMMANDS = """
classify reviews.csv
classify reviews.csv --all-scores --format jsonl
classify reviews.csv -o out.csv
classify reviews.csv -o out.jsonl --prefix new_
classify reviews.csv --format json --limit 4
classify reviews.csv --format table --limit 4
classify messages.csv --limit 5 --format tsv
classify rows.jsonl --text-column body.text
classify rows.jsonl --text-column body.text --on-error skip
classify rows.jsonl --text-column body.text --on-error stop
classify lines.txt
classify plain.tsv --no-header -c 1
classify long.txt --long window --stride 32
classify long.txt --long error
classify long.txt --max-length 32
classify reviews.csv --precision int8 --limit 40
classify reviews.csv --batch 2 --threads 1
classify --text good --text bad --top-k 2
classify missing.csv
classify reviews.csv -c nothing
classify reviews.csv -m entities
embed reviews.csv --limit 5
embed reviews.csv -o out.npy
embed reviews.csv -o out.safetensors --dtype int8
embed reviews.csv --limit 3 --format csv --dims 8 --pooling cls
embed --text one --tokens --format jsonl
embed reviews.csv -o out.npy
embed --search broken --index out.npy -k 3
embed --near-duplicates 0.8 --index out.npy
tag --text "Angela Merkel met the board of Siemens in Berlin."
tag tagged.conll
tag tagged.conll -o out.conll
tag rows.jsonl -c body.text --format jsonl
qa --question "Who came?" --context "The snow fell all night, and in the morning Anna came."
qa squad.json
qa squad.json --squad-predictions out.json
tokenize --text "Tokenization, unravelled: naive, isn't it?"
tokenize reviews.csv --columns n_tokens,tokens --limit 5
tokenize reviews.csv --statistics
tokenize reviews.csv --diff wordpiece
params
params --by layer --format csv
params mini --diff sentiment --format tsv
evaluate sentiment labelled.csv --label-column label
evaluate sentiment labelled.csv --label-column label --confidence 0.9 --by label --format jsonl
evaluate sentiment labelled.csv --label-column label --errors worst.csv
evaluate entities tagged.conll
evaluate qa squad.json
evaluate sentiment labelled.csv --label-column label --min accuracy=1.1
finetune learn.csv --valid learn.csv -o run --epochs 1 --precision fp32 --threads 1
finetune tagged.conll --valid tagged.conll --task tag -o run --epochs 1 --precision fp32 --threads 1
finetune squad.json --valid squad.json --task qa -o run --epochs 1 --precision fp32 --threads 1
finetune learn.csv --valid learn.csv -o run --epochs 1 --teacher sentiment --student-layers 0,5
finetune lines.txt --valid lines.txt -o run --task mlm --epochs 1 --dry-run
completions bash
nonsense
""".strip().splitlines()
RENAMED = {"--statistics": "--stats"}  # older installations know the right-hand side


def write_inputs(folder: Path) -> None:
    """Write the files that the commands read."""
    for path in DATA.glob("*.csv"):
        shutil.copy(path, folder)
    texts = ["I loved it.", "It broke, sadly.", "", "Fine enough for the price."]
    rows = [{"id": f"{n:03}", "body": {"text": text}} for n, text in enumerate(texts)]
    rows.append({"id": "004", "body": {}})
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines + "{not json\n")
    (folder / "lines.txt").write_text("\n".join(texts) + "\n")
    (folder / "plain.tsv").write_text('A great "quoted" day\t1\nA bad one\t007\n')
    (folder / "long.txt").write_text("It was good and bad by turns, over and over. " * 80 + "\n")
    tagged = "Anna B-PER\nmet O\nSiemens B-ORG\n. O\n\nBerlin B-LOC\nis O\nbig O\n\n"
    (folder / "tagged.conll").write_text(tagged * 3)
    labelled = "".join(f"{text} {n},{['negative', 'positive'][n % 2]}\n"
                       for n, text in enumerate(["bad", "good"] * 8))  # fmt: skip
    (folder / "labelled.csv").write_text("text,label\n" + labelled)
    (folder / "learn.csv").write_text("text,label\n" + labelled)
    context = "The snow fell all night, and in the morning Anna came."
    answers = [{"text": "Anna", "answer_start": context.index("Anna")}]
    question = {"id": "q1", "question": "Who came?", "answers": answers}
    paragraphs = [{"context": context, "qas": [question]}]
    squad = {"version": "1.1", "data": [{"title": "t", "paragraphs": paragraphs}]}
    (folder / "squad.json").write_text(json.dumps(squad))


def outcome(python: str, command: list[str], folder: Path) -> dict[str, object]:
    """Run a command in `folder`; return its output, exit code and the files that it left."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    run = [python, "-m", "distilcli", *command]
    done = subprocess.run(run, cwd=folder, capture_output=True, check=False)
    left = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name not in VOLATILE
        and before.get(path) != path.stat().st_mtime_ns
    }
    return {"exit code": done.returncode, "stdout": done.stdout, "files": left, "err": done.stderr}


def main() -> int:
    """Compare; print a line for each command, and both outputs where they differ."""
    old, new, *words = sys.argv[1:]
    differing = 0
    with tempfile.TemporaryDirectory() as work:
        folders = [Path(work, name) for name in ("old", "new")]
        for folder in folders:
            folder.mkdir()
            write_inputs(folder)
        for line in COMMANDS:
            if words and words[0] not in line:
                continue

            command = shlex.split(line)
            older = [RENAMED.get(word, word) for word in command]
            left = outcome(old, older, folders[0])
            right = outcome(new, command, folders[1])
            same = all(left[key] == right[key] for key in ("exit code", "stdout", "files"))
            print(f"{'same' if same else 'DIFFERENT'}  {line}", flush=True)
            if not same:
                differing += 1
                for key in ("exit code", "stdout", "err"):
                    if left[key] != right[key]:
                        print(f"  {key}: {left[key]!r:.600}\n       -> {right[key]!r:.600}")
                names = {**left["files"], **right["files"]}  # type: ignore[dict-item]
                for name in names:
                    if left["files"].get(name) != right["files"].get(name):  # type: ignore[attr-defined]
                        print(f"  file {name} differs")
            for folder in folders:
                shutil.rmtree(folder / "run", ignore_errors=True)
    print(f"{differing} of {len(COMMANDS)} differ")
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
