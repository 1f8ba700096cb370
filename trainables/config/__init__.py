"""The trial config: everything that determines one cell. It needs pydantic, and no torch.

A field here is a field of the YAML file under `base`, and may be an axis of the sweep.
"""

from trainables.config.fields import Count, Frozen, Positive, Rate
from trainables.config.kinds import read_kind
from trainables.config.model import FromScratch, LoraConfig, ModelConfig, ProjectionConfig, TokenizerConfig
from trainables.config.task import Generated, Hub, TaskConfig
from trainables.config.train import LossConfig, Ramp, TrainConfig, weight_at
from trainables.config.trial import TrialConfig

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
    "Ramp",
    "Rate",
    "TaskConfig",
    "TokenizerConfig",
    "TrainConfig",
    "TrialConfig",
    "read_kind",
    "weight_at",
]
