"""Every head can learn eight sentences by heart: what cannot overfit cannot learn."""

import pytest
import torch
from trainings import still, tasks

from minibert.training.config import TrainingConfig
from minibert.training.trainer import Trainer

TASKS = tasks()


@pytest.mark.slow
@pytest.mark.parametrize("name", TASKS)
def test_eight_sentences_are_learnt_by_heart(name, tmp_path):
    make, data = TASKS[name]
    torch.manual_seed(0)
    model = make(still(hidden_size=64, intermediate_size=128))
    config = TrainingConfig(
        tmp_path, max_steps=170, batch_size=8, learning_rate=5e-3, device="cpu", precision="float32"
    )
    trainer = Trainer(model, config, data)
    before = trainer.evaluate(data)["loss"]
    trainer.fit()
    assert before > 0.25
    assert trainer.evaluate(data)["loss"] < 0.05
