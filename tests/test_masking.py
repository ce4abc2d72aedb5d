"""The corruption of masked language modelling keeps its promised shares, and its hands off."""

import math

import pytest
import torch

from minibert.pretraining.masking import mask_tokens

VOCABULARY, MASK, PAD, CLS, SEP = 500, 4, 0, 2, 3
SPECIAL = torch.tensor([0, 1, 2, 3, 4])
ROWS, LENGTH = 2000, 128  # 200,000 ordinary tokens and more


@pytest.fixture(scope="module")
def corrupted():
    """A large batch with [CLS], two [SEP] and padding in every row, and what became of it."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, VOCABULARY, (ROWS, LENGTH), generator=generator)
    ids[:, 0], ids[:, 60], ids[:, 115], ids[:, 116:] = CLS, SEP, SEP, PAD
    special = torch.isin(ids, SPECIAL)
    result = mask_tokens(ids, special, MASK, VOCABULARY, special_ids=SPECIAL, generator=generator)
    return ids, special, *result


def assert_share(count, of, share):
    """Within four and a half binomial deviations: a right program fails once in 150,000 runs."""
    deviation = math.sqrt(of * share * (1 - share))
    assert abs(count - of * share) < 4.5 * deviation, f"{count} of {of}: {count / of:.4f}"


def test_fifteen_percent_are_selected(corrupted):
    _, special, _, labels, _ = corrupted
    ordinary = int((~special).sum())
    assert ordinary >= 200_000
    assert_share(int((labels != -100).sum()), ordinary, 0.15)


def test_of_these_eighty_ten_ten(corrupted):
    ids, _, after, labels, _ = corrupted
    selected = labels != -100
    count = int(selected.sum())
    masked = selected & (after == MASK)
    assert_share(int(masked.sum()), count, 0.8)
    # A random token is by chance the same as before once in all ordinary ones.
    same = 1 / (VOCABULARY - len(SPECIAL))
    assert_share(int((selected & ~masked & (after != ids)).sum()), count, 0.1 * (1 - same))
    assert_share(int((selected & (after == ids)).sum()), count, 0.1 * (1 + same))


def test_special_tokens_and_padding_are_never_chosen(corrupted):
    ids, special, after, labels, _ = corrupted
    assert torch.equal(after[special], ids[special])
    assert (labels[special] == -100).all()


def test_random_replacements_are_never_special_tokens(corrupted):
    _, _, after, labels, _ = corrupted
    replaced = (labels != -100) & (after != MASK)
    assert not torch.isin(after[replaced], SPECIAL).any()


def test_random_replacements_come_from_the_whole_vocabulary_evenly(corrupted):
    ids, _, after, labels, _ = corrupted
    random = after[(labels != -100) & (after != MASK) & (after != ids)]
    counts = random.bincount(minlength=VOCABULARY)[5:].double()
    expected = counts.mean()
    # Chi-squared with 494 degrees of freedom: mean 494, deviation 31.
    chi_squared = ((counts - expected) ** 2 / expected).sum().item()
    assert chi_squared < 494 + 5 * 31.4


def test_special_ids_in_the_middle_of_the_vocabulary_are_not_drawn_either():
    ids = torch.full((200, 100), 7)
    special = torch.tensor([0, 8, 9, 11])
    after, _, _ = mask_tokens(
        ids,
        torch.zeros_like(ids, dtype=torch.bool),
        11,
        12,
        special_ids=special,
        generator=torch.Generator().manual_seed(1),
    )
    assert set(after.unique().tolist()) == {1, 2, 3, 4, 5, 6, 7, 10, 11}


def test_every_place_of_a_text_is_as_likely(corrupted):
    _, _, _, labels, _ = corrupted
    for column in (1, 30, 59, 61, 114):
        assert_share(int((labels[:, column] != -100).sum()), ROWS, 0.15)


def test_labels_are_the_original_ids_and_the_rest_is_untouched(corrupted):
    ids, _, after, labels, _ = corrupted
    selected = labels != -100
    assert torch.equal(labels[selected], ids[selected])
    assert torch.equal(after[~selected], ids[~selected])


def test_positions_are_where_the_labels_are(corrupted):
    _, _, _, labels, positions = corrupted
    assert torch.equal(positions, (labels.flatten() != -100).nonzero().squeeze(1))


def test_the_input_is_left_as_it_was():
    ids = torch.full((20, 50), 7)
    mask_tokens(
        ids,
        torch.zeros_like(ids),  # as 0 and 1, the way a tokenizer may give it
        MASK,
        VOCABULARY,
        special_ids=SPECIAL,
        generator=torch.Generator().manual_seed(2),
    )
    assert (ids == 7).all()


def test_every_call_draws_anew_and_a_seed_repeats_it(corrupted):
    ids, special = corrupted[:2]

    def draw(generator):
        return mask_tokens(ids, special, MASK, VOCABULARY, special_ids=SPECIAL, generator=generator)

    running = torch.Generator().manual_seed(3)
    first, second = draw(running), draw(running)
    again = draw(torch.Generator().manual_seed(3))
    assert not torch.equal(first[0], second[0])
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one, other)


def test_a_mask_token_outside_the_vocabulary_is_refused():
    ids = torch.full((1, 5), 7)
    with pytest.raises(ValueError, match="mask_token_id 500 is not below vocab_size 500"):
        mask_tokens(
            ids,
            torch.zeros_like(ids),
            500,
            VOCABULARY,
            special_ids=SPECIAL,
            generator=torch.Generator(),
        )


def test_everything_selected_can_be_masked(corrupted):
    ids, special, _, _, _ = corrupted
    generator = torch.Generator().manual_seed(1)
    after, labels, _ = mask_tokens(
        ids, special, MASK, VOCABULARY, special_ids=SPECIAL, generator=generator, masked=1.0
    )
    selected = labels != -100
    assert (after[selected] == MASK).all()
    assert torch.equal(after[~selected], ids[~selected])


def test_a_fraction_of_masks_above_one_is_refused(corrupted):
    ids, special, _, _, _ = corrupted
    with pytest.raises(ValueError, match="masked must be between 0 and 1"):
        mask_tokens(ids, special, MASK, VOCABULARY, special_ids=SPECIAL, generator=None, masked=1.5)
