"""`distil merge`: the parts of a run with `--shard`, put together in order."""

import sys
from typing import Annotated

from distilcli.commands._declare import GivenOptions, argument, opt, options
from distilcli.commands._option_groups import ForceOption, QuietOption
from distilcli.console import Console
from distilcli.wording import count


@options(topic="Output")
def merge(
    given: GivenOptions,
    output: Annotated[str, argument("File to write.", "OUT", topic="Input")],
    parts: Annotated[
        list[str],
        argument("Parts, in any order; other files that belong to them are ignored.", "PARTS..."),
    ],
    missing: Annotated[
        bool, opt("Print the indices of missing parts, as 3,7-9, and write nothing.")
    ] = False,
    force: ForceOption = False,
    quiet: QuietOption = False,
) -> int:
    """Put the parts of a sharded run together.

    The result has the rows of one run over all of the input, in order and with the same bytes; a
    compressed file has them once it is unpacked. The .run.json beside a part describes it: parts
    of different runs are refused, and so are missing, double and changed ones.

    Examples:
      distil classify big.csv --shard 0/2 -o parts/0.csv
      distil classify big.csv --shard 1/2 -o parts/1.csv
      distil merge labelled.csv parts/*.csv
      sbatch --array=$(distil merge labelled.csv parts/*.csv --missing) job.sh
    """
    from distilcli.rows.manifest import as_array, check_complete, find_parts, missing_shards
    from distilcli.rows.merge import check_merged, merge_rows

    given.at_most_one("missing", "force")
    found = find_parts(parts, finished=not missing)
    kind = found[0].format
    check_merged(output, kind, force=force or missing)
    if missing:
        sys.stdout.write(as_array(missing_shards(found)) + "\n")
        return 0
    check_complete(found)
    if kind in {"npy", "safetensors"}:
        from distilcli.vectors.merge import merge_vectors

        rows = merge_vectors(output, found, force=force)
    else:
        rows = merge_rows(output, found, force=force)
    Console(quiet=quiet).note(
        f"{count(rows, 'vector' if kind in {'npy', 'safetensors'} else 'row')} of "
        f"{count(len(found), 'part')} in {output}"
    )
    return 0
