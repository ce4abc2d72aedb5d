"""A card says how to make the model again, and quotes the measured figures."""

from minibert.weights.cards import write_card


def test_a_card_gives_command_data_seed_and_every_figure(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    command = ["minibert", "pretrain", "--corpus", "boolq", "my text.txt", "--seed", "3"]
    figures = {"dev": {"loss": 2.5, "masked_accuracy": 0.43214}, "test": {"loss": 2.75}}
    data = {"boolq": "Wikipedia passages", "my text.txt": ""}
    write_card(folder, command, data, "Seed 3; float32", figures)
    card = (folder / "CARD.md").read_text()
    assert "minibert pretrain --corpus boolq 'my text.txt' --seed 3" in card
    assert "Seed 3" in card
    assert "- `boolq`: Wikipedia passages\n- `my text.txt`\n" in card
    assert "| loss | 2.5 | 2.75 |" in card
    assert "| masked_accuracy | 0.4321 |  |" in card
