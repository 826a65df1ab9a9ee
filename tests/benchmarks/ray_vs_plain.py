"""Race two Ray workers, with a core each, against one run with two threads.

    python tests/benchmarks/ray_vs_plain.py [--rows 20000] [--rounds 3] [--max-length 512]

Both embed the same reviews with the built-in model `embed` and write the vectors to a file.
Start-up (Ray, and loading the model) is apart: the time is that of the runs' own summaries, which
for Ray begins when the first worker does and ends when the parts are merged.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from _models import mixed_reviews
from _report import machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-length", default="512")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = (text.replace('"', '""') for text in mixed_reviews(options.rows))
        (folder / "in.csv").write_text("text\n" + "".join(f'"{text}"\n' for text in texts))

        def run(kind: str, *more: str) -> dict[str, float]:
            out = ["-o", str(folder / f"{kind}.npy"), "--stats", str(folder / f"{kind}.json")]
            command = [sys.executable, "-m", "distilcli", "embed", str(folder / "in.csv"), *out]
            command += ["--max-length", options.max_length, "-q", "--force"]
            subprocess.run([*command, *more], check=True)
            found: dict[str, float] = json.loads((folder / f"{kind}.json").read_text())
            return found

        ratios = []
        for _ in range(options.rounds):
            plain = run("plain", "--threads", "2")
            ray = run("ray", "--engine", "ray", "--workers", "2")
            ratios.append(plain["seconds"] / ray["seconds"])
            print(
                f"plain {plain['seconds']:.1f} s, Ray {ray['seconds']:.1f} s after "
                f"{ray['load_seconds']:.1f} s of start-up: {ratios[-1]:.3f}",
                file=sys.stderr,
            )
        same = (folder / "plain.npy").read_bytes() == (folder / "ray.npy").read_bytes()
        print(f"median {median(ratios):.3f} times the throughput; same bytes: {same}")
        result = {"rows": options.rows, "ratio": median(ratios), "same": same}
        print(json.dumps({"benchmark": "ray", **result, **machine()}))


if __name__ == "__main__":
    main()
