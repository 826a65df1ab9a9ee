"""The options of `distil embed`: how texts become vectors, and what is searched in them."""

from dataclasses import dataclass, replace
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from distilcli.commands._declare import opt
from distilcli.commands._file_run import FileOptions
from distilcli.errors import UsageError

if TYPE_CHECKING:
    from distilcli.predictors.embedder import Embedder
    from distilcli.vectors.index import VectorIndex

_KINDS = {
    "pooling": (str, NoneType),
    "normalize": (bool, NoneType),
    "dims": (int, NoneType),
    "layer": (int, NoneType),
}
"""The options that all vectors of an index share, and those of queries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Making:
    """How texts become vectors; None leaves it to the model."""

    topic: ClassVar[str] = "Vectors"

    pooling: Annotated[
        str | None,
        opt(
            "How tokens become one vector: mean, cls, max, mean-sqrt, weighted, last-token, or "
            "last-4 (mean over 4 layers) (default: the model's own, else mean)."
        ),
    ] = None
    normalize: Annotated[
        bool | None, opt("Scale vectors to length 1, or not.", "--normalize/--no-normalize")
    ] = None
    dims: Annotated[int | None, opt("Keep only the first N dimensions (Matryoshka).", min=1)] = None
    layer: Annotated[
        int | None, opt("Layer to pool: 1 to the last, 0 for the embeddings, -1 …")
    ] = None
    tokens: Annotated[bool, opt("One vector per token instead of one per text.")] = False
    dtype: Annotated[
        Literal["float32", "float16", "int8", "binary"],
        opt("Number format of the vectors; binary packs eight signs into a byte."),
    ] = "float32"
    prompt: Annotated[str | None, opt("Prefix for every text, such as 'query: '.")] = None
    prompt_name: Annotated[
        str | None, opt("The prefix that the model has under this name.", metavar="NAME")
    ] = None
    update: Annotated[
        bool, opt("Add to stored vectors (-o) the rows whose text is new; keep all others.")
    ] = False

    @property
    def options(self) -> dict[str, object]:
        """The options that a query shares with the vectors it is compared with."""
        return {name: getattr(self, name) for name in _KINDS}

    def embedder(self, common: FileOptions) -> "Embedder":
        """Load the embedder that the options ask for."""
        from distilcli.predictors.embedder import Embedder

        return Embedder(
            common.compute.model or "embed",
            pooling=self.pooling,
            normalize=self.normalize,
            dims=self.dims,
            layer=self.layer,
            dtype=self.dtype,
            prompt=self.prompt,
            prompt_name=self.prompt_name,
            **common.predictor_settings(),
        )

    def like(
        self, index: "VectorIndex", common: FileOptions, *, as_rows: bool = False
    ) -> "tuple[Making, FileOptions]":
        """Return both with the model and the options of the index where none are given.

        Queries have a prompt of their own; with `as_rows` it is that of the vectors.
        """
        about = index.about
        stored = about.get("options", {})
        if not isinstance(stored, dict) or not all(
            isinstance(stored.get(name), kind) for name, kind in _KINDS.items()
        ):
            raise index.damaged()
        options: dict[str, Any] = {
            name: stored.get(name) if value is None else value
            for name, value in self.options.items()
        }
        if as_rows and self.prompt is None and self.prompt_name is None:
            options["prompt"] = about.get("prompt")
        model = common.compute.model or str(about.get("model") or "")
        if not model:
            raise UsageError(f"{index.path}: does not say which model made it; give `model`")
        common = replace(common, compute=replace(common.compute, model=model))
        # Vectors are compared in full precision: the stored numbers may be coarser.
        return replace(self, dtype="float32", **options), common


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What is searched among vectors."""

    topic: ClassVar[str] = "Search"

    queries: Annotated[
        list[str] | None,
        opt("Find the stored vectors nearest to QUERY.", "--search", metavar="QUERY"),
    ] = None
    index: Annotated[str | None, opt("Stored vectors: .npy or .safetensors.", metavar="FILE")] = (
        None
    )
    top_k: Annotated[int | None, opt("Hits per query (default: 10).", "--top-k", "-k", min=1)] = (
        None
    )
    threshold: Annotated[
        float | None,
        opt(
            "Find pairs of rows at least this similar, in files or an --index.",
            "--near-duplicates",
            metavar="COSINE",
            min=-1,
            max=1,
        ),
    ] = None
    dedupe: Annotated[
        float | None,
        opt(
            "Drop rows at least this similar to an earlier row or to an --index; number the "
            "groups.",
            metavar="COSINE",
            min=-1,
            max=1,
        ),
    ] = None
    dropped: Annotated[
        str | None,
        opt("Write the rows that --dedupe drops to FILE.", metavar="FILE"),
    ] = None
