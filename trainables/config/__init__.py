"""The trial config: everything that determines one cell. It needs pydantic, and no torch.

A field here is a field of the YAML file under `base`, and may be an axis of the sweep.
"""

from trainables.config.fields import Count, Frozen, Positive, Rate
from trainables.config.model import FromScratch, LoraConfig, ModelConfig, ProjectionConfig, TokenizerConfig
from trainables.config.task import Generated, Hub, TaskConfig
from trainables.config.train import LossConfig, TrainConfig
from trainables.config.trial import TrialConfig, read_strategy

__all__ = [
    "Count",
    "FromScratch",
    "Frozen",
    "Generated",
    "Hub",
    "LoraConfig",
    "LossConfig",
    "ModelConfig",
    "Positive",
    "ProjectionConfig",
    "Rate",
    "TaskConfig",
    "TokenizerConfig",
    "TrainConfig",
    "TrialConfig",
    "read_strategy",
]
