"""Task heads on the encoder.

A head and its encoder are one module whose attribute names are the keys of a DistilBERT
checkpoint; `keys.py` translates BERT's. Every model is called as its encoder is (ids, mask, token
types) and returns one tensor.

Shapes: B rows, T tokens, D = dim, V words of the vocabulary.
"""

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.checkpoint.config import ModelConfig, ModelType
from distilcli.model.activation import activation
from distilcli.model.dropout import Dropout
from distilcli.model.encoder import Encoder, Pooler


class TaskModel(nn.Module):
    """An encoder, under the name that checkpoints give it, with a task's head on it."""

    first_token_only: ClassVar[bool] = False

    def __init__(self, config: ModelConfig, *, pooler: bool = False) -> None:
        super().__init__()
        self.config = config
        self.distilbert = Encoder(config, pooler=pooler)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Return the head's outputs for (B, T) ids; the mask is 1 for tokens, 0 for padding."""
        hidden_states = self.distilbert(
            input_ids, attention_mask, token_type_ids, first_token_only=self.first_token_only
        )
        return self.head(hidden_states)

    def head(self, hidden_states: Tensor) -> Tensor:
        """Map hidden states (B, T, D), or (B, 1, D) with `first_token_only`, to the outputs."""
        raise NotImplementedError

    def weights_to_save(self) -> dict[str, Tensor]:
        """Return the weights as a checkpoint holds them, detached."""
        return {name: weight.detach() for name, weight in self.state_dict().items()}


class BaseModel(TaskModel):
    """The encoder alone, without BERT's pooler, which only heads on the first token use."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)

    def head(self, hidden_states: Tensor) -> Tensor:
        """Return the hidden states (B, T, D) unchanged."""
        return hidden_states


class FirstTokenModel(TaskModel):
    """Scores for a whole row (B, outputs), from the hidden state of the first token.

    DistilBERT sends it through `pre_classifier` and ReLU, BERT through its pooler (dense, tanh);
    then dropout and a linear map to the scores.
    """

    first_token_only = True

    def __init__(self, config: ModelConfig, *, n_outputs: int) -> None:
        is_bert = config.model_type == "bert"
        super().__init__(config, pooler=is_bert)
        self.pre_classifier = None if is_bert else nn.Linear(config.dim, config.dim)
        self.classifier = nn.Linear(config.dim, n_outputs)
        self.dropout = Dropout(_classifier_dropout(config))
        _draw(self.pre_classifier, self.classifier, std=config.initializer_range)

    def pooled(self, hidden_states: Tensor) -> Tensor:
        """Map (B, 1, D) to what the classifier reads, (B, D)."""
        if self.pre_classifier is not None:
            return F.relu(self.pre_classifier(hidden_states[:, 0]))
        out: Tensor = cast("Pooler", self.distilbert.pooler)(hidden_states)
        return out

    def head(self, hidden_states: Tensor) -> Tensor:
        """Map (B, 1, D) to the scores (B, outputs)."""
        logits: Tensor = self.classifier(self.dropout(self.pooled(hidden_states)))
        return logits


class SequenceClassifier(FirstTokenModel):
    """One score per label for a whole row: logits (B, labels).

    For regression the weights may learn in units of `spread` around `mean`, so that they learn
    equally fast whatever the scale of the numbers. Outputs and saved weights are in plain units.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, n_outputs=len(config.labels))
        self.mean, self.spread = 0.0, 1.0

    def standardize(self, *, mean: float, spread: float) -> None:
        """Change the units of the weights; the outputs change with them."""
        self.mean, self.spread = mean, spread

    def head(self, hidden_states: Tensor) -> Tensor:
        """Map (B, 1, D) to the scores (B, labels)."""
        logits = super().head(hidden_states)
        return logits.float() * self.spread + self.mean if self._has_units else logits

    def weights_to_save(self) -> dict[str, Tensor]:
        """Return the weights of the classifier that gives the same outputs in plain units."""
        weights = super().weights_to_save()
        if self._has_units:
            weights["classifier.weight"] = weights["classifier.weight"] * self.spread
            weights["classifier.bias"] = weights["classifier.bias"] * self.spread + self.mean
        return weights

    @property
    def _has_units(self) -> bool:
        return (self.mean, self.spread) != (0.0, 1.0)


class MultipleChoice(FirstTokenModel):
    """One score (B, 1) for a whole row, which is a prompt with one of its options."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config, n_outputs=1)


class TokenClassifier(TaskModel):
    """One score per label for every token: logits (B, T, labels)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        # DistilBERT's classifier_dropout is for whole texts (seq_classif_dropout).
        is_bert = config.model_type == "bert"
        self.dropout = Dropout(_classifier_dropout(config) if is_bert else config.dropout)
        self.classifier = nn.Linear(config.dim, len(config.labels))
        _draw(self.classifier, std=config.initializer_range)

    def head(self, hidden_states: Tensor) -> Tensor:
        """Map (B, T, D) to logits (B, T, labels)."""
        logits: Tensor = self.classifier(self.dropout(hidden_states))
        return logits


class QuestionAnswerer(TaskModel):
    """Two logits for every token (B, T, 2): the answer starts there, the answer ends there."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        # BERT has no dropout here.
        self.dropout = Dropout(0.0 if config.model_type == "bert" else config.qa_dropout)
        self.qa_outputs = nn.Linear(config.dim, 2)
        _draw(self.qa_outputs, std=config.initializer_range)

    def head(self, hidden_states: Tensor) -> Tensor:
        """Map (B, T, D) to logits (B, T, 2): starts in column 0, ends in column 1."""
        logits: Tensor = self.qa_outputs(self.dropout(hidden_states))
        return logits


class VocabularyProjector(nn.Module):
    """Hidden states to one score per word.

    Its matrix is the table of word embeddings, passed in at each call: weights that exist once
    cannot come apart. If the configuration unties them, it has a matrix of its own.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.weight = None
        if not config.tie_word_embeddings:
            self.weight = nn.Parameter(torch.empty(config.vocab_size, config.dim))
            nn.init.normal_(self.weight, std=config.initializer_range)

    def forward(self, x: Tensor, word_embeddings: Tensor) -> Tensor:
        """Map (..., D) to (..., V), given the table of word embeddings (V, D)."""
        return F.linear(x, word_embeddings if self.weight is None else self.weight, self.bias)


class MaskedLanguageModel(TaskModel):
    """One score per word of the vocabulary for every token: logits (B, T, V)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.activation = activation(config.activation)
        self.vocab_transform = nn.Linear(config.dim, config.dim)
        _draw(self.vocab_transform, std=config.initializer_range)
        self.vocab_layer_norm = nn.LayerNorm(config.dim, eps=config.layer_norm_eps)
        self.vocab_projector = VocabularyProjector(config)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        *,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Return logits (B, T, V) for (B, T) ids.

        With `positions` (B, T), True for N tokens, only those are projected on the vocabulary:
        the result is (N, V), ordered by row and then token.
        """
        hidden_states = self.distilbert(input_ids, attention_mask, token_type_ids)
        return self.head(hidden_states if positions is None else hidden_states[positions])

    def head(self, hidden_states: Tensor) -> Tensor:
        """Map (..., D) to logits (..., V)."""
        transformed = self.vocab_layer_norm(self.activation(self.vocab_transform(hidden_states)))
        table = self.distilbert.embeddings.word_embeddings.weight
        logits: Tensor = self.vocab_projector(transformed, table)
        return logits


@dataclass(frozen=True, slots=True)
class Head:
    """The names of a head.

    `ending` ends its architecture in config.json, `command` runs it and `task` is its name in
    `distil finetune`. `proof` is a weight that only a trained head has (the encoder needs none).
    """

    ending: str
    name: str
    command: str
    task: str
    proof: str | None = None
    labelled: bool = False

    def architecture(self, model_type: ModelType) -> str:
        """Return the name of the `transformers` class with this head for `model_type`."""
        return ("Bert" if model_type == "bert" else "DistilBert") + self.ending


_CLASSIFIER = "classifier.weight"
HEADS: dict[type[TaskModel], Head] = {
    BaseModel: Head("Model", "encoder's", "embed", "embed"),
    SequenceClassifier: Head(
        *("ForSequenceClassification", "classification", "classify", "classify"),
        proof=_CLASSIFIER,
        labelled=True,
    ),
    TokenClassifier: Head(
        *("ForTokenClassification", "token classification", "tag", "tag"),
        proof=_CLASSIFIER,
        labelled=True,
    ),
    QuestionAnswerer: Head(
        "ForQuestionAnswering", "question answering", "qa", "qa", proof="qa_outputs.weight"
    ),
    MaskedLanguageModel: Head(
        "ForMaskedLM", "masked language model", "fill", "mlm", proof="vocab_transform.weight"
    ),
    MultipleChoice: Head(
        "ForMultipleChoice", "multiple choice", "choose", "choose", proof=_CLASSIFIER
    ),
}


def _draw(*linears: nn.Linear | None, std: float) -> None:
    """Draw the weights of linear maps as BERT does; their biases are 0."""
    for linear in linears:
        if linear is not None:
            nn.init.normal_(linear.weight, std=std)
            nn.init.zeros_(linear.bias)


def _classifier_dropout(config: ModelConfig) -> float:
    rate = config.classifier_dropout
    return config.dropout if rate is None else rate
