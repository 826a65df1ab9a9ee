"""The linear map of a set of labels, made from their names, descriptions and examples.

A label's vector is the mean of what the encoder makes of its text in a few templates, and of the
common words nearest to that: "sports" alone is further from a report of a match than "football",
"team" and "season". The logit of a label is its cosine with a text times a fixed scale. Where
labels have examples, a linear fit to these and to the labels' vectors takes its place.

Templates, words and scale were chosen on seven sets of texts; see tests/benchmarks/labels_by_name.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from distilcli.model.linear_fit import Problem, Softmax, fit
from distilcli.tasks.embed import Array
from distilcli.tasks.label_sets import Label, LabelSet
from distilcli.tasks.match import LabelHead

Vectors = Callable[[Sequence[str]], Array]
"""A function from texts to their vectors of length 1, (N, D)."""

TEMPLATES = ("{}", "{} news")
MOST_WORDS = 3_000
NEIGHBOURS = 30
SCALE = 20.0
"""With it the scores of labels by name are about as often right as they say."""

_SHORTEST = 4
_NOT_WORDS = re.compile(r"[\W_]+")
_SEED = 0
_SMALLEST = 1e-12


def common_words(tokens: Mapping[int, str]) -> list[str]:
    """Return the first whole words of a vocabulary, which begins with the most frequent ones."""
    words = (tokens[index] for index in sorted(tokens))
    whole = [word for word in words if word.isalpha() and len(word) >= _SHORTEST]
    return whole[:MOST_WORDS]


def label_head(labels: LabelSet, vectors_of: Vectors, words: Array) -> LabelHead:
    """Return the map of a set of labels; `words` are the vectors (W, D) of common words."""
    named = _named_vectors(labels.labels, vectors_of, words)
    if not labels.has_examples:
        return LabelHead(labels.names, SCALE * named, np.zeros(len(named), np.float32))
    texts = [text for label in labels.labels for text in label.examples]
    of_text = [index for index, label in enumerate(labels.labels) for _ in label.examples]
    features = np.concatenate([vectors_of(texts), named])
    index = np.array([*of_text, *range(len(named))])
    gold = torch.from_numpy(index)
    counts = torch.bincount(gold)
    problem = Problem(
        torch.from_numpy(features),
        F.one_hot(gold, len(named)).float(),
        (len(gold) / len(named) / counts[gold])[:, None],  # labels weigh the same
        index,
        Softmax(),
    )
    found = fit(problem, seed=_SEED)
    return LabelHead(labels.names, found.weight.numpy(), found.bias.numpy())


def _named_vectors(labels: Sequence[Label], vectors_of: Vectors, words: Array) -> Array:
    """Return a vector of length 1 for each label (L, D), without its examples."""
    texts = [template.format(_text(label)) for label in labels for template in TEMPLATES]
    own = _unit(vectors_of(texts).reshape(len(labels), len(TEMPLATES), -1).mean(axis=1))
    if not len(words):
        return own
    nearest = np.argsort(-(own @ words.T), axis=1, kind="stable")[:, :NEIGHBOURS]
    return _unit(own + words[nearest].mean(axis=1))


def _text(label: Label) -> str:
    """Return what is read of a label: its name, in words, and its description."""
    name = _NOT_WORDS.sub(" ", label.name).strip() or label.name
    return f"{name}: {label.description}" if label.description else name


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True).clip(_SMALLEST)
    return np.asarray(vectors / lengths, np.float32)
