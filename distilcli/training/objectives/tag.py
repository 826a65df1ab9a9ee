"""Token classification: one label for each word of a sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch
from distilcli.model.heads import TokenClassifier
from distilcli.predictors.base import itself
from distilcli.scores.entities import OUTSIDE, entity_scores, parse_tag
from distilcli.tasks.labels import LabelScheme
from distilcli.tasks.settings import LongTexts
from distilcli.tasks.tag import TagTask
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.data_checks import CheckedRows
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.tag import TaggedSentences
from distilcli.training.objectives.base import Example, Metric, Objective, encoded_all


@dataclass(slots=True)
class TaggedExample(Example):
    """A sentence in one or more windows, labelled at the first token of each word.

    `positions` are (window, token) of each word that has a token, `labels` the label indices. What
    is outside may be one of the `unmarked` labels.
    """

    positions: list[tuple[int, int]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    unmarked: tuple[int, ...] = ()


class TagObjective(Objective[TaggedSentences, TokenClassifier, TaggedExample]):
    """Cross-entropy of the words' labels; the best model has the best F1 of entities."""

    task = "tag"
    head = TokenClassifier
    noun = "sentence"
    metric = Metric("f1")

    def checked(self, rows: TaggedSentences, name: str) -> CheckedRows:
        """Return the sentences for the data checks, labelled with the types of their entities."""
        types = [parse_tag(label).type or OUTSIDE for label in rows.label_names]
        found = [{types[each] for each in labels if each != UNLABELLED} for labels in rows.labels]
        return CheckedRows(
            name=name,
            texts=[" ".join(words) for words in rows.words],
            labels=[tuple(sorted(each - {OUTSIDE})) for each in found],
            known=types,
            exclusive=False,
            places=rows.places,
        )

    def count(self, rows: TaggedSentences) -> int:
        """Count the sentences."""
        return len(rows.words)

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration with the labels of the words."""
        return replace(config, labels=self.train.label_names, problem_type=None)

    def gold(self, example: TaggedExample) -> list[int]:
        """Return the labels of the words."""
        return example.labels

    def outputs(
        self, model: TokenClassifier, batch: Batch, examples: Sequence[TaggedExample]
    ) -> Tensor:
        """Return a logit per label (words, labels) of all words, sentence by sentence."""
        logits: Tensor = model(*batch.inputs)  # (B, T, L)
        rows, tokens, before = [], [], 0
        for example in examples:
            rows += [before + window for window, _ in example.positions]
            tokens += [token for _, token in example.positions]
            before += len(example.pieces)
        return logits[rows, tokens].float()

    def loss(self, outputs: Tensor, examples: Sequence[TaggedExample]) -> Tensor:
        """Return the cross-entropy, summed over words.

        For a word outside, it is that of outside and the unmarked labels of its file together:
        there is no loss between them.
        """
        if not any(example.unmarked for example in examples):
            return super().loss(outputs, examples)
        gold = torch.tensor([label for example in examples for label in example.labels])
        right = torch.zeros(outputs.shape, dtype=torch.bool)
        known = gold != UNLABELLED
        right[known, gold[known]] = True
        outside = self.train.label_names.index(OUTSIDE) if OUTSIDE in self.train.label_names else -1
        word = 0
        for example in examples:
            for label in example.labels:
                if label == outside:
                    right[word, list(example.unmarked)] = True
                word += 1
        log_shares = outputs[known.to(outputs.device)].log_softmax(dim=-1)
        picked = log_shares.masked_fill(~right[known].to(outputs.device), -torch.inf)
        smoothing = self.options.label_smoothing
        shared = log_shares.mean(dim=-1).sum() * smoothing
        return -(1 - smoothing) * picked.logsumexp(dim=-1).sum() - shared

    def rows_of_examples(self) -> list[int]:
        """Return the index of the sentence of each example: one without tokens has none."""
        return self._rows

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return precision, recall and F1 of entities, and the accuracy of words.

        What is found of a type that a file of the training rows does not mark counts as outside.
        """
        taggings = self._predictions(self._task, self.valid.words, device)
        names = self.train.label_names
        unmarked = self.valid.unmarked or [()] * len(taggings)
        ignored = [{None, *(names[index] for index in indices)} for indices in unmarked]
        scores = entity_scores(
            [[names[label] for label in labels] for labels in self.valid.labels],
            [
                [OUTSIDE if tag is None or tag in ignore else tag for tag in tagging.tags]
                for tagging, ignore in zip(taggings, ignored, strict=True)
            ],
        )
        return {
            "f1": scores.micro.f1,
            "precision": scores.micro.precision,
            "recall": scores.micro.recall,
            "accuracy": scores.accuracy,
        }

    def _tokenized(
        self, model: TokenClassifier, tokenizer: Tokenizer, max_length: int
    ) -> list[TaggedExample]:
        self._task = TagTask(
            model,
            tokenizer,
            content_of=itself,
            scheme=LabelScheme(self.train.label_names, source="the training rows"),
            aggregation="first",
            long_texts=LongTexts(long="window", max_length=max_length),
        )
        encoded = encoded_all(self._task.encode, self.train.words)
        self._rows = [index for index, row in enumerate(encoded) if row.pieces]
        return [
            TaggedExample(
                encoded[index].pieces,
                positions=[encoded[index].places[token] for token in encoded[index].firsts],
                labels=[self.train.labels[index][owner] for owner in encoded[index].owners],
                unmarked=self.train.unmarked[index] if self.train.unmarked else (),
            )
            for index in self._rows
        ]

    def _digested(self, rows: TaggedSentences) -> Iterable[object]:
        return rows.rows()
