"""Task heads on the encoder.

A head and its encoder are one module whose attribute names are the keys of a DistilBERT
checkpoint; `loading.py` translates BERT's keys.
"""

from typing import cast

import torch.nn.functional as F
from torch import Tensor, nn

from distilcli.checkpoint.config import ModelConfig
from distilcli.model.encoder import Encoder, Pooler


class SequenceClassifier(nn.Module):
    """One score per label for a whole row, from the hidden state of the first token.

    DistilBERT sends it through `pre_classifier` and ReLU, BERT through its pooler (dense, tanh);
    then dropout and a linear map to the labels.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        is_bert = config.model_type == "bert"
        self.distilbert = Encoder(config, pooler=is_bert)
        self.pre_classifier = None if is_bert else nn.Linear(config.dim, config.dim)
        self.classifier = nn.Linear(config.dim, len(config.labels))
        rate = config.classifier_dropout
        self.dropout = nn.Dropout(config.dropout if rate is None else rate)
        for linear in (self.pre_classifier, self.classifier):
            if linear is not None:
                nn.init.normal_(linear.weight, std=config.initializer_range)
                nn.init.zeros_(linear.bias)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Return logits (B, number of labels) for (B, T) ids."""
        hidden_states = self.distilbert(
            input_ids, attention_mask, token_type_ids, first_token_only=True
        )  # (B, 1, D)
        if self.pre_classifier is not None:
            pooled = F.relu(self.pre_classifier(hidden_states[:, 0]))
        else:
            pooled = cast("Pooler", self.distilbert.pooler)(hidden_states)
        logits: Tensor = self.classifier(self.dropout(pooled))
        return logits


HeadModel = SequenceClassifier
