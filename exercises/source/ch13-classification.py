# %% [markdown]
# # Exercises 13 · Classifying texts
#
# Chapter 13 derived two losses, told apart when each is right, and measured how many labels are
# enough. Here you write the losses so that no number is too large for them, read scores off a
# confusion matrix, mend a classifier that could never say two topics and a split that let texts
# through twice, and draw a learning curve.

# %% setup
import hashlib
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# %% task 13.1: Two losses that no logit can break
# kind: write; points: 20; minutes: 12; function: losses; gradient: logits
# without: cross_entropy, CrossEntropyLoss, nll_loss, NLLLoss, log_softmax, LogSoftmax, logsumexp
# without: binary_cross_entropy_with_logits, BCEWithLogitsLoss, logsigmoid, LogSigmoid, softplus
#
# Write both losses of chapter 13 by hand. `losses(logits, labels, targets)` gets `logits` `(B, C)`,
# for each text the number of its one right label, `labels` `(B,)`, and `targets` `(B, C)` of 0 and
# 1, in which several labels may be right. Return two tensors `(B,)`, one number a text:
#
# - the **cross-entropy** of `labels`: minus the logarithm of the softmax at the right label;
# - the **binary cross-entropy** of `targets`: minus the logarithm of the probability of each yes or
#   no, with a sigmoid for each label, summed over the labels and divided by $C$.
#
# Logits may be as large as 300, either way, in single precision, where $e^{300}$ is infinite and
# $e^{-300}$ is zero. The losses are ordinary numbers all the same.
#
# *Example.* For logits `[[0, 0]]`, label 0 and targets `[[1, 1]]` both are $\ln 2$ = 0.6931. For
# logits `[[300, 0]]`, label 1 and targets `[[0, 0]]` they are 300, and $(300 + \ln 2) / 2$ =
# 150.3466.
#
# Two identities help: $\ln \sum_k e^{z_k} = m + \ln \sum_k e^{z_k - m}$ for any number $m$, and
# $-\ln \sigma(z) = \ln(1 + e^{-z}) = \max(-z, 0) + \ln(1 + e^{-|z|})$.

# %% stub
def losses(logits: Tensor, labels: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy (B,) of the labels and binary cross-entropy (B,) of the targets."""
    # BEGIN SOLUTION
    largest = logits.amax(-1, keepdim=True)  # (B, 1)
    total = largest[:, 0] + (logits - largest).exp().sum(-1).log()  # (B,)
    one = total - logits[torch.arange(len(labels)), labels]
    # -ln σ(z) where yes is right, -ln σ(-z) where no is: the sign of the logit is all that changes
    asked = torch.where(targets.bool(), logits, -logits)
    several = (-asked).clamp(min=0) + torch.log1p((-asked.abs()).exp())
    return one, several.mean(-1)
    # END SOLUTION

# %% check
def cases(rng):
    for batch, count, size in ((6, 4, 1.5), (8, 5, 150.0)):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
        logits = size * torch.randn(batch, count, generator=draw)
        targets = (torch.rand(batch, count, generator=draw) < 0.5).float()
        labels = torch.randint(count, (batch,), generator=draw)
        if size > 100:
            logits[0] = torch.tensor([-250.0, 250.0, 240.0, -260.0, 10.0])
            logits[1] = logits[0]
            labels[:2] = torch.tensor([0, 1])
            targets[0] = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
        else:
            targets[0] = torch.tensor([1.0, 0.0, 1.0, 0.0])
        yield {"logits": logits.clamp(-300, 300), "labels": labels, "targets": targets}

def variants(case):
    """What known mistakes of form give, for each of the two losses."""
    z, y, labels = case["logits"], case["targets"], case["labels"]
    row = torch.arange(len(z))
    yes, no = F.softplus(-z), F.softplus(z)
    both = y * yes + (1 - y) * no
    log_p = z.log_softmax(-1)
    return (
        {
            "the sign of the loss": log_p[row, labels],
            "a sigmoid where one label is right": yes[row, labels],
        },
        {
            "the sum is not divided": both.sum(-1),
            "only the right labels are asked about": (y * yes).mean(-1),
            "a softmax where several labels are right": -(y * log_p).mean(-1),
            "a softmax where several labels are right ": -(
                y * log_p + (1 - y) * torch.log1p(-log_p.exp().clamp(max=1 - 1e-7))
            ).mean(-1),
            "the sign of the loss": -both.mean(-1),
        },
    )

def judge(case, got, expected):
    whats = "cross-entropy", "binary cross-entropy"
    for mine, right, known, what in zip(got, expected, variants(case), whats, strict=True):
        mine = torch.as_tensor(mine).double()
        if mine.shape != right.shape:
            return ""
        if torch.allclose(mine, right.double(), rtol=1e-4, atol=1e-4):
            continue
        if mine.isnan().any():
            return "the exponential is infinite"
        if mine.isinf().any():
            return "the logarithm of zero"
        for name, wrong in known.items():
            if torch.allclose(mine, wrong.double(), rtol=1e-3, atol=1e-3):
                return name.strip()
        high = right > 10
        if (mine[high] < right[high]).any() and (mine[~high] - right[~high]).abs().lt(0.5).all():
            return "the large losses are cut off"
        return (
            f"Your {what} is not as expected: the first text has {mine[0]:.3f}, not {right[0]:.3f}."
        )
    return None

def numbers(case, got, expected):
    one, several = (torch.as_tensor(part) for part in got)
    mine, right = torch.cat((one, several)), torch.cat(tuple(expected))
    worst = int((right - mine).argmax())
    return {
        "count": case["logits"].shape[1], "nan": int(torch.cat((one, several)).isnan().sum()),
        "inf": int(torch.cat((one, several)).isinf().sum()), "all": 2 * len(one),
        "one": float(one[0]), "right_one": float(expected[0][0]), "several": float(several[0]),
        "right_several": float(expected[1][0]), "worst": float(mine[worst]),
        "right": float(right[worst]),
    }

# %% another right solution
def losses(logits, labels, targets):
    # In double precision an exponential is finite up to 709, and differences here go up to 600.
    logits = logits.double()
    one = (logits - logits.gather(1, labels[:, None])).exp().sum(-1).log()
    several = (logits * (1 - 2 * targets)).exp().log1p()
    return one.float(), several.mean(-1).float()

# %% misconception: the exponential is infinite
# says: {nan} of your {all} losses are NaN. In single precision an exponential beyond 88 is
# infinite, and infinity divided by infinity, zero times infinity and the difference of two
# infinities are no numbers any more. Simplify before you compute: in the loss exponential and
# logarithm meet, and what is left are differences of logits, which are harmless.
# - largest = logits.amax(-1, keepdim=True)  # (B, 1)
# - ...
# - several = (-asked).clamp(min=0) + torch.log1p((-asked.abs()).exp())
# + shares = logits.exp() / logits.exp().sum(-1, keepdim=True)
# + one = -shares[torch.arange(len(labels)), labels].log()
# + p = 1 / (1 + (-logits).exp())
# + several = -(targets * p.log() + (1 - targets) * (1 - p).log())
# %% misconception: the logarithm of zero
# says: {inf} of your {all} losses are infinite. On the way to a logarithm something was rounded to
# zero or became infinite: in single precision an exponential beyond 88 is infinite, and one below
# -103 is zero. What was lost there cannot be brought back afterwards. Take the logarithm on paper
# first: the loss is a difference of logits plus a small correction.
# - one = total - logits[torch.arange(len(labels)), labels]
# + one = -logits.softmax(-1)[torch.arange(len(labels)), labels].log()
# edit: (-asked).clamp(min=0) + torch.log1p((-asked.abs()).exp()) => -asked.sigmoid().log()
# %% misconception: the large losses are cut off
# says: No NaN, no infinity; but where your loss is {worst:.1f} it should be {right:.1f}. It looks
# as if a small number were added, or a lower bound set, inside the logarithm. That is a popular
# cure and a bad one: beyond the bound the loss is flat, so that exactly the texts on which the
# model is most wrong no longer pull.
# - one = total - logits[torch.arange(len(labels)), labels]
# + one = -(logits.softmax(-1)[torch.arange(len(labels)), labels] + 1e-9).log()
# edit: (-asked).clamp(min=0) + torch.log1p((-asked.abs()).exp()) => -(asked.sigmoid() + 1e-9).log()
# %% misconception: the sum is not divided
# says: Your cross-entropy is right. The binary one of the first text is {several:.3f} instead of
# {right_several:.3f}, {count} times too large: in code the sum over the labels is divided by their
# number, so that the loss does not depend on how many labels there are.
# edit: several.mean(-1) => several.sum(-1)
# %% misconception: only the right labels are asked about
# says: Your cross-entropy is right. In the binary one you count only the labels that are right: the
# first text gets {several:.3f} instead of {right_several:.3f}. Every label is a question, and a
# “no” has to be answered as well; without those terms the best model would say yes to everything.
# edit: several.mean(-1) => (targets * several).mean(-1)
# %% misconception: a softmax where several labels are right
# says: Your cross-entropy is right. Your second loss uses the softmax once more, {several:.3f}
# instead of {right_several:.3f} for the first text. In a softmax the labels share one whole, and
# two right ones can never both come near one. Each label needs a sigmoid of its own.
# edit: several.mean(-1) => (targets * (total[:, None] - logits)).mean(-1)
# %% misconception: a sigmoid where one label is right
# says: Your first loss takes the sigmoid of the right label's logit: {one:.3f} instead of
# {right_one:.3f} for the first text. It does not look at the other labels at all. Where exactly one
# is right they compete, and the loss has to depend on all logits, through the sum in the softmax.
# edit: total - logits[ => ((-logits).clamp(min=0) + torch.log1p((-logits.abs()).exp()))[
# %% misconception: the sign of the loss
# says: Your losses are negative: {one:.3f} for the first text. The logarithm of a probability is at
# most zero; the loss is minus that, so that the worse answer has the larger loss.
# edit: return one, several => return -one, -several
# %% hints
# 1. Write the cross-entropy as the logarithm of a sum of exponentials, minus the right logit. Which
# number `m` can be taken out of the sum, so that no exponential is larger than one?
# 2. For the binary one: where “no” is right its probability is one minus the sigmoid of `z`, and that
# is the sigmoid of `-z`. So turn the sign of the logit where the target is 0, and use the second
# identity for all.
# 3. `torch.where(targets.bool(), logits, -logits)`, `clamp(min=0)`, and `torch.log1p(x)`, which is
# `ln(1 + x)`.
# %% explanation
# Probabilities of 0 and 1 are where a rounded number has lost everything, so both losses are
# computed from the logits without passing through one. Taking out the largest logit leaves
# exponentials of at most one; the rest is a logarithm of a sum that is at least one.
# `F.cross_entropy` and `F.binary_cross_entropy_with_logits` do the same, which is why they want
# logits and not probabilities.

# %% task 13.2: What a confusion matrix tells
# kind: write; points: 20; minutes: 12; function: scores
#
# `scores(confusion)` gets a confusion matrix `(C, C)` of counts, as an array: a **row for each true
# class**, a column for each class said. Every class occurs. Return a dictionary:
#
# - `"accuracy"`: the share of texts that were classified rightly;
# - `"recall"`: for each class, the share of its texts that were found, `(C,)`;
# - `"macro_f1"`: the plain mean of the classes' F1. F1 is $2PR/(P + R)$, with $R$ the recall of the
#   class and $P$ its precision, the fraction of those said to be of the class that are. A class of
#   which no text was found has an F1 of 0, also if it was never said.
# - `"weights"`: a weight for each class, `(C,)`, for a loss that lets small classes count as much
#   as large ones: $n / (C \, n_c)$, for $n$ texts of which $n_c$ truly are of the class.
#
# *Example.* For `[[3, 1], [0, 1]]` the accuracy is 0.8, the recall `[0.75, 1]`, the precision (not
# asked for) `[1, 0.5]`, the F1 of the classes 6/7 and 2/3, so `"macro_f1"` is 0.7619, and the
# weights are `[0.625, 2.5]`.

# %% stub
def scores(confusion: np.ndarray) -> dict:
    """Accuracy, recall of each class, macro F1 and weights that balance the classes."""
    # BEGIN SOLUTION
    right, true, said = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    f1 = 2 * right / (true + said)  # the same as 2PR / (P + R), and never 0 / 0
    return {
        "accuracy": right.sum() / confusion.sum(),
        "recall": right / true,
        "macro_f1": f1.mean(),
        "weights": confusion.sum() / (len(confusion) * true),
    }
    # END SOLUTION

# %% check
def cases(rng):
    for count in (3, 4):
        confusion = rng.integers(0, 5, size=(count, count))
        confusion[np.arange(count), np.arange(count)] += rng.integers(4, 9, size=count)
        confusion[0] *= 6  # a large class
        confusion[1:, 0] += 3  # ... that is said too often
        if count == 4:
            confusion[:, 3] = 0  # a class that is never said
            confusion[3, 0] = 7
        yield {"confusion": confusion}

def variants(case):
    """What known mistakes give."""
    m = case["confusion"].astype(float)
    right, true, said, n = m.diagonal(), m.sum(1), m.sum(0), m.sum()
    with np.errstate(all="ignore"):
        p, r, of_said = right / said, right / true, n / (len(m) * said)
        f = 2 * p * r / (p + r)
    p0, f1 = np.nan_to_num(p), 2 * right / (true + said)
    return {
        "accuracy": {"the mean recall is called accuracy": r.mean()},
        "recall": {"rows and columns are exchanged": p, "rows and columns are exchanged ": p0},
        "macro_f1": {
            "nothing divided by nothing": f.mean(),
            "a class that was never said is left out": np.nanmean(f),
            "micro instead of macro": right.sum() / n,
            "the F1 of the means": 2 * p0.mean() * r.mean() / (p0.mean() + r.mean()),
            "the F1 of the means ": 2 * np.nanmean(p) * r.mean() / (np.nanmean(p) + r.mean()),
            "the large class counts more": (f1 * true).sum() / n,
        },
        "weights": {
            "weights from what was said": of_said, "weights that are not scaled": 1 / true,
            "weights that favour the large class": true / n,
            "the number of classes is forgotten": n / true,
        },
    }

def judge(case, got, expected):
    for key, known in variants(case).items():
        mine, right = (np.asarray(part, dtype=float) for part in (got[key], expected[key]))
        if mine.shape != right.shape:
            return ""
        if np.allclose(mine, right, rtol=1e-4, atol=1e-5):
            continue
        for name, wrong in known.items():
            if np.allclose(mine, wrong, rtol=1e-4, atol=1e-5, equal_nan=True):
                return name.strip()
        return ""
    return None if set(got) == set(expected) else ""

def numbers(case, got, expected):
    m = case["confusion"]
    small = int(m.sum(1).argmin())
    return {
        "accuracy": float(got["accuracy"]), "right_accuracy": float(expected["accuracy"]),
        "macro": float(got["macro_f1"]), "right_macro": float(expected["macro_f1"]),
        "recall": float(np.asarray(got["recall"])[0]), "right_recall": float(expected["recall"][0]),
        "row": int(m[0].sum()), "column": int(m[:, 0].sum()), "hit": int(m[0, 0]),
        "large": float(np.asarray(got["weights"])[0]),
        "small": float(np.asarray(got["weights"])[small]),
        "right_large": float(expected["weights"][0]), "share": float(m[0].sum() / m.sum()),
        "classes": len(m), "never": int(m.sum(0).argmin()),
    }

# %% another right solution
def scores(confusion):
    total, count = int(confusion.sum()), len(confusion)
    recall, f1 = [], []
    for c in range(count):
        found = sum(row[c] for row in confusion.tolist())
        hit, true = int(confusion[c, c]), sum(confusion[c].tolist())
        precision = hit / found if found else 0.0
        recall.append(hit / true)
        f1.append(2 * precision * recall[-1] / (precision + recall[-1]) if hit else 0.0)
    return {
        "accuracy": float(np.trace(confusion)) / total,
        "recall": np.array(recall),
        "macro_f1": sum(f1) / count,
        "weights": np.array([total / count / sum(row) for row in confusion.tolist()]),
    }

# %% misconception: rows and columns are exchanged
# says: Your first recall is {recall:.3f} instead of {right_recall:.3f}: you divide the {hit} by
# {column}, the sum of a column. A column holds all that was said to be of the class, and that gives
# the precision. The texts that truly are of the class stand in the row, {row} of them.
# edit: right / true => right / np.maximum(said, 1)
# %% misconception: the mean recall is called accuracy
# says: Your accuracy is {accuracy:.3f} instead of {right_accuracy:.3f}: it is the mean of the
# recalls, in which every class counts alike. (That is a score of its own, called balanced
# accuracy.) For accuracy every text counts alike.
# edit: right.sum() / confusion.sum() => (right / true).mean()
# %% misconception: micro instead of macro
# says: Your macro F1, {macro:.3f}, is the accuracy once more. That is what comes out when the
# counts of all classes are pooled before dividing, the “micro” F1. Macro means: first an F1 for
# each class, then the plain mean, here {right_macro:.3f}, so that a small class weighs as much as a
# large one.
# edit: f1.mean() => right.sum() / confusion.sum()
# %% misconception: the F1 of the means
# says: Your macro F1 is {macro:.4f} instead of {right_macro:.4f}. You average precision and recall
# over the classes first and make one F1 of the two means. Both readings have been published under
# the same name; here, as in the common libraries, F1 comes first and the mean last.
# - f1 = 2 * right / (true + said)  # the same as 2PR / (P + R), and never 0 / 0
# + precision, recall = (right / np.maximum(said, 1)).mean(), (right / true).mean()
# + f1 = 2 * precision * recall / (precision + recall)
# %% misconception: nothing divided by nothing
# says: Your macro F1 is NaN. Class {never} was never said, so its precision is nothing divided by
# nothing, and one NaN makes the mean NaN. No text of that class was found, so its F1 is 0. (With `2
# * right / (row + column)`, which is the same number, the question does not come up.)
# - f1 = 2 * right / (true + said)  # the same as 2PR / (P + R), and never 0 / 0
# + with np.errstate(all="ignore"):
# +     precision, recall = right / said, right / true
# +     f1 = 2 * precision * recall / (precision + recall)
# %% misconception: a class that was never said is left out
# says: Your macro F1 is {macro:.3f} instead of {right_macro:.3f}: class {never}, which was never
# said, is left out of the mean. Then a model could raise its score by giving up a class. Not
# finding any of its texts is an F1 of 0, and it counts.
# - f1 = 2 * right / (true + said)  # the same as 2PR / (P + R), and never 0 / 0
# + with np.errstate(all="ignore"):
# +     precision, recall = right / said, right / true
# +     f1 = 2 * precision * recall / (precision + recall)
# edit: f1.mean() => np.nanmean(f1)
# %% misconception: the large class counts more
# says: Your macro F1 is {macro:.3f} instead of {right_macro:.3f}: each class counts by its number
# of texts. That is the “weighted” F1, in which the largest class, {share:.0%} of the texts, decides
# nearly everything. The macro mean is plain.
# edit: f1.mean() => np.average(f1, weights=true)
# %% misconception: weights that favour the large class
# says: Your weight of the large class is {large:.3f}, and of a small one {small:.3f}: the classes'
# frequencies. In the loss the large class counts more anyway, because it has more texts. The weights
# have to make up for that, so they fall with the number of texts.
# edit: confusion.sum() / (len(confusion) * true) => true / confusion.sum()
# %% misconception: weights that are not scaled
# says: Your weight of the large class is {large:.4f} instead of {right_large:.3f}. The ratios
# between your weights are right, but they make the whole loss, and with it every step of training,
# much smaller. With `n / C` above the line the weights of all texts are 1 on average.
# edit: confusion.sum() / (len(confusion) * true) => 1 / true
# %% misconception: the number of classes is forgotten
# says: Your weight of the large class is {large:.3f}, {classes} times the expected
# {right_large:.3f}. The number of classes belongs below the line; then the weights of all texts are
# 1 on average.
# edit: (len(confusion) * true) => true
# %% misconception: weights from what was said
# says: Your weights are made from the columns, from how often the classifier said each class. What
# is to be balanced are the texts of each class that the loss adds up: the rows.
# - f1 = 2 * right / (true + said)  # the same as 2PR / (P + R), and never 0 / 0
# + f1 = 2 * right / (true + said)
# + with np.errstate(all="ignore"):
# +     weights = confusion.sum() / (len(confusion) * said)
# edit: confusion.sum() / (len(confusion) * true) => weights
# %% hints
# 1. Three rows of numbers are enough: the diagonal, the sums of the rows, the sums of the columns. Say
# in words what each of them counts.
# 2. Precision is diagonal / column, recall is diagonal / row. Put both into the formula of F1 and
# simplify: what is left above and below the line?
# %% explanation
# Rows are the truth, columns what was said. In the macro F1 each class counts alike, so it falls
# when a small class is given up, while the accuracy hardly notices. The weights do the same for a
# loss: the texts of each class together weigh n / C. `BertForSequenceClassification` of `minibert`
# takes such weights as `class_weights`.

# %% task 13.3: A classifier that could never say two
# kind: repair; points: 15; minutes: 8; function: topics; gradient: logits
#
# Headlines may have no topic, one, or several. The function below gets `logits` `(B, C)`, `targets`
# `(B, C)` of 0.0 and 1.0, and a `threshold`. It is to return the mean loss, and a boolean `(B, C)`
# that is `True` for each label whose probability is **above** the threshold. Somebody wrote it with
# the wrong one of the chapter's two readings: it runs, its loss goes down, and with a threshold of
# one half it never says two topics. Mend it.
#
# Give the loss as PyTorch has it, so that one can train on it: a mean over all texts and all labels.
#
# *Example.* For logits `[[2, 2, -2]]` and targets `[[1, 1, 0]]` the probabilities are 0.881, 0.881
# and 0.119, the loss is 0.1269, and with the threshold 0.5 the answer is `[[True, True, False]]`.

# %% stub
def topics(logits: Tensor, targets: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """The mean loss, and which labels are said, (B, C) bool."""
    # BEGIN STUB
    shares = targets / targets.sum(-1, keepdim=True)
    loss = F.cross_entropy(logits, shares)
    said = logits.softmax(-1) > threshold
    # END STUB
    # BEGIN SOLUTION
    loss = F.binary_cross_entropy_with_logits(logits, targets)
    said = logits.sigmoid() > threshold
    # END SOLUTION
    return loss, said

# %% check
def cases(rng):
    for threshold, empty in ((0.5, False), (0.3, True), (0.7, True)):
        draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
        targets = (torch.rand(12, 5, generator=draw) < 0.4).float()
        targets[targets.sum(-1) == 0, 0] = 1
        targets[:2] = torch.tensor([1.0, 1.0, 0.0, 0.0, 0.0])
        if empty:
            targets[-1] = 0
        logits = 2.5 * (targets - 0.5) + 1.2 * torch.randn(12, 5, generator=draw)
        logits[:2] = torch.tensor([2.0, 1.9, -3.0, -3.0, -3.0])
        logits[2, :2] = torch.tensor([0.3, -0.3])
        logits[3, :2] = torch.tensor([0.6, -0.6])
        logits[4] = torch.tensor([0.2, 0.1, 0.0, -0.1, -0.2])
        yield {"logits": logits, "targets": targets, "threshold": threshold}

def judge(case, got, expected):
    z, y, threshold = case["logits"], case["targets"], case["threshold"]
    loss, said = float(got[0]), torch.as_tensor(got[1])
    if said.shape != z.shape:
        return ""
    soft = F.cross_entropy(z, y / y.sum(-1, keepdim=True)).item()

    def is_loss(value):
        return math.isclose(loss, value, rel_tol=1e-4) or (loss != loss and value != value)

    def is_said(answer):
        return bool((said.bool() == answer).all())

    known = {
        "a softmax in front of the loss": F.binary_cross_entropy(z.softmax(-1), y).item(),
        "a sigmoid in front of a loss that has one": F.binary_cross_entropy_with_logits(
            z.sigmoid(), y
        ).item(),
        "summed over the labels": expected[0].item() * z.shape[1],
    }
    if not is_loss(expected[0].item()):
        if is_loss(soft):
            if is_said(z.softmax(-1) > threshold):
                return "the softmax is still there"
            return "the loss still shares out one whole"
        return next(
            (name for name, value in known.items() if is_loss(value)),
            f"Your loss is {loss:.3f}, and {expected[0]:.3f} is expected.",
        )
    if is_said(expected[1]):
        return None if said.dtype == torch.bool else ""
    known = {
        "the answer still shares out one whole": z.softmax(-1) > threshold,
        "the threshold is set on the logits": z > threshold,
        "only the largest label is said": F.one_hot(z.argmax(-1), z.shape[1]).bool(),
        "the labels are rounded": z.sigmoid() > 0.5,
    }
    return next(
        (name for name, answer in known.items() if is_said(answer)),
        f"The loss is right. Of your answers {int((said.bool() != expected[1]).sum())} are not.",
    )

def numbers(case, got, expected):
    z, said = case["logits"], torch.as_tensor(got[1])
    count = said.sum(-1)
    return {
        "loss": float(got[0]), "right": float(expected[0]), "most": int(count.max()),
        "two": int((case["targets"].sum(-1) > 1).sum()), "texts": len(z),
        "threshold": case["threshold"], "first": [round(p, 2) for p in z[0].softmax(-1).tolist()],
        "labels": z.shape[1], "odds": math.log(case["threshold"] / (1 - case["threshold"])),
    }

# %% another right solution
def topics(logits, targets, threshold):
    loss = (targets * F.softplus(-logits) + (1 - targets) * F.softplus(logits)).mean()
    return loss, logits > math.log(threshold / (1 - threshold))

# %% misconception: the softmax is still there
# says: {two} of the {texts} texts have two topics or more, and
# the most that any text gets is {most}: for the first one, whose first two topics are right, the
# softmax says {first}. What one label gets is taken from the others. Which function asks each label
# by itself, and which loss goes with it?
# - loss = F.binary_cross_entropy_with_logits(logits, targets)
# + loss = F.cross_entropy(logits, targets / targets.sum(-1, keepdim=True))
# edit: logits.sigmoid() => logits.softmax(-1)
# %% misconception: the loss still shares out one whole
# says: You have changed the answers, and the loss is still the cross-entropy of a softmax:
# {loss:.3f} instead of {right:.3f}. A model trained with it learns fractions, which say nothing
# about yes or no; and a text without any topic divides by zero in it. Both halves have to mean the
# same thing.
# - loss = F.binary_cross_entropy_with_logits(logits, targets)
# + loss = F.cross_entropy(logits, targets / targets.sum(-1, keepdim=True))
# %% misconception: the answer still shares out one whole
# says: The loss is right. But the answers are still read off a softmax, and the most labels that
# any text gets from you is {most}: for the first text, whose first two topics are right, it says
# {first}. What was trained as separate questions must be asked as separate questions.
# edit: logits.sigmoid() => logits.softmax(-1)
# %% misconception: a sigmoid in front of a loss that has one
# says: Your loss is {loss:.3f} instead of {right:.3f}. `binary_cross_entropy_with_logits` contains
# the sigmoid, as its name says; with another one in front of it, it takes probabilities for logits.
# A number between 0 and 1 is never below zero, so no label could ever be given less than one half.
# edit: (logits, targets) => (logits.sigmoid(), targets)
# %% misconception: a softmax in front of the loss
# says: Your loss is {loss:.3f} instead of {right:.3f}: yes and no are asked of the fractions of a
# softmax. The loss has changed and the probabilities have not: two right labels still cannot both
# come near one.
# edit: _with_logits(logits, targets) => (logits.softmax(-1), targets)
# %% misconception: the threshold is set on the logits
# says: The loss is right. You compare the logits themselves with {threshold}. A threshold is meant
# for probabilities; a sigmoid is above {threshold} where the logit is above {odds:.2f}.
# edit: logits.sigmoid() > threshold => logits > threshold
# %% misconception: only the largest label is said
# says: The loss is right. You say exactly one label for every text, the one with the largest logit.
# Where several may be right, or none, each label is compared with the threshold by itself.
# edit: logits.sigmoid() > threshold => F.one_hot(logits.argmax(-1), logits.shape[1]).bool()
# %% misconception: the labels are rounded
# says: The loss is right, and so are the answers with a threshold of one half. With {threshold}
# they are the same as before: the threshold that is given is not used.
# edit: > threshold => > 0.5
# %% misconception: summed over the labels
# says: Your loss is {loss:.3f}, {labels} times the expected {right:.3f}: it is summed over the
# labels and averaged over the texts. In PyTorch, and here, the mean runs over both.
# edit: (logits, targets) => (logits, targets) * logits.shape[1]
# %% hints
# 1. With a softmax at most one probability can be above one half. What does the chapter take where
# several labels may be right, and what is the loss that belongs to it?
# 2. `F.binary_cross_entropy_with_logits(logits, targets)` takes the targets as they are. And the
# answers: the same function of the logits that this loss has inside it.
# %% explanation
# Several labels are several yes-or-no questions: a sigmoid for each, and the binary cross-entropy.
# With a softmax the loss stops at the logarithm of the number of right labels, no threshold fits
# texts with different numbers of topics, and a text with none makes the loss NaN. Loss and answer
# have to be changed together, since only together do they say what the outputs mean.

# %% task 13.4: The same text in both splits
# kind: repair; points: 15; minutes: 10; function: split
#
# `split(texts, labels)` is to say which rows of a table are for training, for development and for
# testing: a dictionary of three lists of row numbers, `"train"`, `"dev"` and `"test"`. The rules
# are those of the course:
#
# - The split is decided by the text alone: `int(sha256(text).hexdigest(), 16) % 10`, with the text
#   encoded in UTF-8; 0 to 7 is for training, 8 for development, 9 for testing.
# - A text that occurs several times with the same label counts once, with its first row.
# - A text that occurs with two different labels is left out altogether.
#
# The version below goes by the place in the file. Copies of one text end up in several splits; and
# a row added at the top sends other texts to training and to testing than before. Mend it.
#
# *Example.* For `texts = ["a", "b", "a", "b", "c"]` and `labels = ["x", "x", "x", "y", "y"]` row 0
# and row 4 are left. The hash of “a” leaves the remainder 9 and that of “c” 8, so the result is
# `{"train": [], "dev": [4], "test": [0]}`.

# %% stub
def split(texts: list[str], labels: list[str]) -> dict[str, list[int]]:
    """Row numbers for training, development and testing."""
    splits: dict[str, list[int]] = {"train": [], "dev": [], "test": []}
    # BEGIN STUB
    for row, text in enumerate(texts):
        bucket = row % 10
        splits["train" if bucket < 8 else "dev" if bucket == 8 else "test"].append(row)
    # END STUB
    # BEGIN SOLUTION
    first, names = {}, {}
    for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
        first.setdefault(text, row)
        names.setdefault(text, set()).add(label)
    for text, row in first.items():
        if len(names[text]) == 1:
            bucket = int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16) % 10
            splits["train" if bucket < 8 else "dev" if bucket == 8 else "test"].append(row)
    # END SOLUTION
    return splits

# %% check
def split_of(text):
    bucket = int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16) % 10
    return "train" if bucket < 8 else "dev" if bucket == 8 else "test"

def cases(rng):
    things = ["router", "modem", "bill", "app", "cable", "password", "invoice", "连接", "réseau"]
    troubles = ["is broken", "was too high", "does not start", "is missing", "坏了", "is slow"]
    desks = ["hardware", "software", "billing"]
    pairs = [f"The {thing} {trouble}." for thing in things for trouble in troubles]
    for count in (30, 50):
        texts = rng.permutation(pairs)[:count].tolist()
        labels = rng.choice(desks, size=count).tolist()
        rows = list(zip(texts, labels, strict=True))
        rows += [rows[i] for i in rng.permutation(count)[:12]]  # copies
        for i in rng.permutation(count)[:6]:  # contradictions
            text, label = rows[i]
            rows.append((text, desks[(desks.index(label) + 1) % 3]))
        rows = [rows[i] for i in rng.permutation(len(rows))]
        yield {"texts": [text for text, _ in rows], "labels": [label for _, label in rows]}

def judge(case, got, expected):
    if set(got) != set(expected):
        return ""
    texts, labels = case["texts"], case["labels"]
    if any(isinstance(row, str) for rows in got.values() for row in rows):
        return "The numbers of the rows are asked for, and you return texts."
    mine = {row: part for part, rows in got.items() for row in rows}
    if sum(map(len, got.values())) > len(mine):
        return "You have put a row in two splits."
    right = {row: part for part, rows in expected.items() for row in rows}
    if mine == right:
        return None
    kinds = {}
    for text, label in zip(texts, labels, strict=True):
        kinds.setdefault(text, set()).add(label)
    once = {text for text in texts if texts.count(text) == 1}
    by_text = all(split_of(texts[row]) == part for row, part in mine.items())
    firsts = {text: row for row, text in reversed(list(enumerate(texts)))}
    by_row = "train", "train", "train", "train", "train", "train", "train", "train", "dev", "test"
    if len(mine) == len(texts):
        if all(by_row[row % 10] == part for row, part in mine.items()):
            return "splits by the place in the file"
        return "copies are still there" if by_text else ""
    if by_text:
        if set(mine) == set(firsts.values()):
            return "contradictions are still there"
        if {texts[row] for row in mine} == once:
            return "texts with copies are lost altogether"
        if set(right) < set(mine) and all(len(kinds[texts[row]]) == 1 for row in mine):
            return "copies are still there"
        if len(mine) == len({(t, y) for t, y in zip(texts, labels, strict=True)}):
            return "a copy with another label counts as another text"
        if {texts[row] for row in mine} == {texts[row] for row in right}:
            return "You keep the right texts, but not always the first row of each."
        return ""
    if set(mine) == set(right):
        if all(split_of(texts[row] + labels[row]) == part for row, part in mine.items()):
            return "the label is hashed too"
        if all(by_row[row % 10] == part for row, part in mine.items()):
            return "texts counted once, splits still by the place"
        moved = [row for row in mine if mine[row] != right[row]]
        buckets = {
            int(hashlib.sha256(texts[row].encode("utf-8")).hexdigest(), 16) % 10 for row in moved
        }
        if len(buckets) == 1 and len({mine[row] for row in moved}) == 1:
            return "a remainder goes to the wrong split"
        return "another hash than SHA-256"
    if set(mine) == set(firsts.values()) and all(
        by_row[row % 10] == part for row, part in mine.items()
    ):
        return "texts counted once, splits still by the place"
    return ""

def numbers(case, got, expected):
    texts = case["texts"]
    splits = {}
    for part, rows in got.items():
        for row in rows:
            splits.setdefault(texts[row], set()).add(part)
    mine = {row: part for part, rows in got.items() for row in rows}
    right = {row: part for part, rows in expected.items() for row in rows}
    kinds = {}
    for text, label in zip(texts, case["labels"], strict=True):
        kinds.setdefault(text, set()).add(label)
    torn = [row for row in mine if len(kinds[texts[row]]) > 1]
    moved = [row for row in right if mine.get(row, right[row]) != right[row]]
    row = (moved or [0])[0]
    bucket = int(hashlib.sha256(texts[row].encode("utf-8")).hexdigest(), 16) % 10
    return {
        "both": sum(len(found) > 1 for found in splits.values()), "kept": len(mine),
        "right": len(right), "row": row, "text": texts[row], "yours": mine.get(row, ""),
        "split": right.get(row, ""), "torn": len(torn), "example": texts[torn[0]] if torn else "",
        "moved": len(moved), "bucket": bucket,
    }

# %% another right solution
def split(texts, labels):
    splits = {"train": [], "dev": [], "test": []}
    for row, text in enumerate(texts):
        rows = [i for i, other in enumerate(texts) if other == text]
        if rows[0] < row or len({labels[i] for i in rows}) > 1:
            continue
        digest = hashlib.sha256(text.encode()).digest()
        bucket = int.from_bytes(digest, "big") % 10
        splits[["train", "dev", "test"][max(0, bucket - 7)]].append(row)
    return splits

# %% misconception: splits by the place in the file
# says: All rows are kept, and {both} texts stand in two splits. The split goes by the place in the
# file, so that the test asks for what the training has shown. Let the text decide, and each text
# count once.
# edit: first.items() => zip(texts, range(len(texts)))
# edit: len(names[text]) == 1 => True
# edit: int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16) => row
# %% misconception: copies are still there
# says: The text decides about its split now, so that all its copies are in the same one. But they
# are all kept: you have {kept} rows where {right} are expected. In the test set such a text would
# count as often as it was copied. Count it once, with its first row.
# edit: first.items() => zip(texts, range(len(texts)))
# edit: len(names[text]) == 1 => True
# %% misconception: contradictions are still there
# says: You keep {torn} texts that occur with two different labels, among them “{example}” in its
# first row. Nothing says that the first label is the right one; such a text is left out altogether,
# which can only be known after reading all rows.
# edit: len(names[text]) == 1 => True
# %% misconception: a copy with another label counts as another text
# says: You take a text with another label for another text: {torn} of your rows have a text that
# occurs with two labels, among them “{example}”. A classifier is shown the text alone and cannot
# tell the two apart. Look for equal texts, and leave out those that contradict themselves.
# edit: setdefault(text, row) => setdefault((text, label), row)
# edit: for text, row => for (text, _), row
# edit: len(names[text]) == 1 => True
# %% misconception: texts with copies are lost altogether
# says: You keep {kept} rows, those whose text occurs exactly once; {right} are expected. A copy
# with the same label contradicts nothing: such a text stays, with its first row.
# edit: len(names[text]) == 1 => texts.count(text) == 1
# %% misconception: the label is hashed too
# says: You keep the right rows, but {moved} of them are in another split: row {row}, “{text}”, is
# in {yours!r} and belongs in {split!r}. Text and label are hashed together. Then correcting a label
# moves the text to another split; let the text alone decide.
# edit: text.encode("utf-8") => (text + labels[row]).encode()
# %% misconception: texts counted once, splits still by the place
# says: Copies are dealt with, but the split still goes by the place in the file: row {row},
# “{text}”, is in {yours!r} and its hash says {split!r}. Add one row at the top, and the test set
# consists of other texts than before, which the model may have learned from.
# edit: int(hashlib.sha256(text.encode("utf-8")).hexdigest(), 16) => row
# %% misconception: a remainder goes to the wrong split
# says: You keep the right rows, and all but {moved} of them are in the right split. Those {moved} are
# in {yours!r}: the hash of their texts leaves the remainder {bucket}, and that is for {split!r}. Is a
# bound off by one?
# edit: bucket < 8 => bucket <= 8
# %% misconception: another hash than SHA-256
# says: You keep the right rows, but {moved} of them are in another split: row {row}, “{text}”, is
# in {yours!r} and belongs in {split!r}. Check the whole of the rule: SHA-256 of the text in UTF-8,
# its hex digits read as one number to the base of 16, the remainder modulo 10. Or is it Python's
# own `hash`? That is mixed with a random number at every start of Python, so that the next run
# would split otherwise.
# edit: sha256 => md5
# %% hints
# 1. Two passes: read all rows first, and note for each text its first row and all labels that it
# occurs with. Only then hand out the splits.
# 2. `hashlib.sha256(text.encode("utf-8")).hexdigest()` gives hex digits; `int(digits, 16)` makes one
# large number of them.
# %% explanation
# A hash of the text is a random-looking decision that is the same every time, on every machine and
# for every order of the file, so a text never changes splits and its copies cannot be parted.
# Python's own `hash` of a string would not do, being different at every start. And a text with two
# labels cannot be answered rightly: it goes.

# %% task 13.5: Losses before you run anything
# kind: predict; points: 10; minutes: 7; function: predict
#
# Work out five numbers by reasoning. `predict(probabilities, right, labels, topics)` returns a
# dictionary:
#
# - `"loss"`: the cross-entropy when a softmax has given `probabilities` and the label number
#   `right` is right;
# - `"slope"`: its slope with respect to each of the logits, a list;
# - `"start"`: what the cross-entropy of a fresh classifier with `labels` labels is about, before
#   its first step;
# - `"start_sigmoid"`: the same for a fresh classifier with a sigmoid for each of `labels` labels
#   and the binary cross-entropy, divided by the number of labels;
# - `"floor"`: the smallest cross-entropy that a *softmax* can reach on a text for which `topics`
#   labels are right, each with a target of `1 / topics`.
#
# *Example.* `probabilities=[0.85, 0.10, 0.05], right=0, labels=4, topics=3`: the loss is 0.1625,
# the slope `[-0.15, 0.10, 0.05]`, the start 1.3863, with sigmoids 0.6931, and the floor is 1.0986.

# %% stub
def predict(probabilities: list[float], right: int, labels: int, topics: int) -> dict:
    """Loss and slope of a distribution, the loss at the start, and the floor of a softmax."""
    # BEGIN SOLUTION
    return {
        "loss": -math.log(probabilities[right]),
        "slope": [p - (number == right) for number, p in enumerate(probabilities)],
        "start": math.log(labels),
        "start_sigmoid": math.log(2),
        "floor": math.log(topics),
    }
    # END SOLUTION

# %% check
def cases(rng):
    yield {"probabilities": [0.85, 0.10, 0.05], "right": 0, "labels": 4, "topics": 3}
    for _ in range(3):
        count = int(rng.integers(3, 6))
        shares = rng.dirichlet(np.ones(count)) * 0.8 + 0.2 / count
        yield {
            "probabilities": shares.tolist(), "right": int(rng.integers(1, count)),
            "labels": int(rng.integers(5, 20)), "topics": int(rng.integers(4, 7)),
        }

def judge(case, got, expected):
    p, right, labels = case["probabilities"], case["right"], case["labels"]
    known = {
        "loss": {
            "a logarithm to another base": (-math.log10(p[right]), -math.log2(p[right])),
            "how much is missing": (1 - p[right],),
            "the squared distance": (
                sum((q - (i == right)) ** 2 for i, q in enumerate(p)),
                sum((q - (i == right)) ** 2 for i, q in enumerate(p)) / len(p),
            ),
        },
        "start": {
            "the chance is not the loss": (1 / labels, 1 - 1 / labels),
            "a logarithm to another base": (math.log10(labels), math.log2(labels)),
        },
        "start_sigmoid": {
            "the sigmoids start like a softmax": (math.log(labels),),
            "summed over the labels": (labels * math.log(2),), "the chance is not the loss": (0.5,),
        },
        "floor": {"a softmax that reaches zero": (0.0,)},
    }
    if len(got["slope"]) != len(p):
        return ""
    for key in ("loss", "slope", "start", "start_sigmoid", "floor"):
        if key == "slope":
            mine = [float(s) for s in got["slope"]]
            if np.allclose(mine, expected["slope"], atol=1e-4):
                continue
            if np.allclose(mine, [-s for s in expected["slope"]], atol=1e-4):
                return "the slope points downhill"
            if np.allclose(mine, [-(i == right) / q for i, q in enumerate(p)], atol=1e-4):
                return "the slope with respect to the probabilities"
            return ""
        mine = float(got[key])
        if not math.isclose(mine, expected[key], rel_tol=1e-3, abs_tol=1e-4):
            for name, values in known[key].items():
                if any(math.isclose(mine, v, rel_tol=1e-3, abs_tol=1e-4) for v in values):
                    return name
            return ""
    return None if set(got) == set(expected) else ""

def numbers(case, got, expected):
    p, right = case["probabilities"], case["right"]
    return {
        "share": p[right], "loss": float(got["loss"]), "should": float(expected["loss"]),
        "slope": float(got["slope"][right]), "right_slope": float(expected["slope"][right]),
        "start": float(got["start"]), "right_start": float(expected["start"]),
        "labels": case["labels"], "sigmoid": float(got["start_sigmoid"]), "topics": case["topics"],
        "each": 1 / case["topics"],
    }

# %% another right solution
def predict(probabilities, right, labels, topics):
    logits = torch.tensor(probabilities, dtype=torch.double).log().requires_grad_()
    loss = F.cross_entropy(logits[None], torch.tensor([right]))
    (slope,) = torch.autograd.grad(loss, logits)
    fresh, truth = torch.zeros(1, labels), F.one_hot(torch.tensor([0]), labels).float()
    best = torch.full((1, topics), 1 / topics)
    return {
        "loss": loss.item(),
        "slope": slope.tolist(),
        "start": F.cross_entropy(fresh, truth).item(),
        "start_sigmoid": F.binary_cross_entropy_with_logits(fresh, truth).item(),
        "floor": F.cross_entropy(best.log(), best).item(),
    }

# %% misconception: a logarithm to another base
# says: Your loss is {loss:.4f} and your start {start:.4f}, where {should:.4f} and {right_start:.4f}
# are expected: that is a logarithm to another base. It would only scale every loss, but the slope
# would no longer be as short as `p - y`; `math.log` is the natural one.
# edit: -math.log => -math.log10
# edit: log(labels) => log10(labels)
# edit: log(2) => log10(2)
# edit: log(topics) => log10(topics)
# %% misconception: how much is missing
# says: Your loss is {loss:.2f}, what is missing to one. Near one that is close to the
# cross-entropy, which is {should:.4f} here; near zero it is not: what is missing never exceeds one,
# and minus the logarithm has no upper end.
# edit: -math.log(probabilities[right]) => 1 - probabilities[right]
# %% misconception: the squared distance
# says: Your loss is {loss:.4f}, a squared distance between the probabilities and the target. It is
# what “somebody might have chosen instead” in the chapter; the cross-entropy is minus the logarithm
# of what the right label got.
# - "loss": -math.log(probabilities[right]),
# + "loss": sum((p - (n == right)) ** 2 for n, p in enumerate(probabilities)),
# %% misconception: the slope points downhill
# says: The loss is right. At the right label you have a slope of {slope:+.2f}, and it is
# {right_slope:+.2f}: raising that logit makes the loss smaller. The slope is `p - y`; it is
# training that goes against it.
# edit: p - (number == right) => (number == right) - p
# %% misconception: the slope with respect to the probabilities
# says: The loss is right. Your slope, {slope:.2f} at the right label and 0 elsewhere, is the one
# with respect to the probabilities. The logits are one step further back: raising one of them
# raises its probability and lowers all others. After that step the slope has its short form.
# edit: p - (number == right) => -(number == right) / p
# %% misconception: the chance is not the loss
# says: For the start you give a probability. A fresh classifier does give about the same to each of
# {labels} labels, and a half to each yes or no; the loss is minus the logarithm of that.
# edit: math.log(labels) => 1 / labels
# edit: math.log(2) => 0.5
# %% misconception: the sigmoids start like a softmax
# says: For the sigmoids you have {sigmoid:.4f}, the logarithm of {labels}. A sigmoid does not share
# anything out: near a logit of zero each label gets one half by itself, however many labels there
# are.
# edit: math.log(2) => math.log(labels)
# %% misconception: summed over the labels
# says: For the sigmoids you have {sigmoid:.4f}: that is the sum over {labels} labels. It is divided
# by their number, as in code, so that the answer is the same for any number of labels.
# edit: math.log(2) => labels * math.log(2)
# %% misconception: a softmax that reaches zero
# says: You let the softmax reach a loss of zero with {topics} right labels. It has one whole to
# share out, so the best it can do is to give each of them {each:.2f}, and the logarithm of that is
# never zero. This rest is removed by no training.
# edit: math.log(topics) => 0.0
# %% hints
# 1. All four losses are minus the logarithm of a probability. Which probability is it in each?
# 2. The slope is “probability minus target”, for every label. A fresh softmax gives 1/labels, a fresh
# sigmoid one half; the best fractions for `topics` right labels are equal.
# %% explanation
# The loss looks only at what the right label got, the slope at all: it is the error itself. The two
# starting values are worth remembering, since a first loss far above them means that something is
# wrong. And the floor is what one pays for a softmax where several labels are right.

# %% task 13.6: How many labels are enough?
# kind: measure; points: 20; minutes: 15; function: learning_curve; needs: sklearn
#
# You get the frozen vectors of labelled texts, `vectors` `(N, d)` with `labels` `(N,)` from 0 to 2,
# **sorted by label**, and those of unseen texts, `unseen` `(M, d)` with `truth` `(M,)`. For each
# number of labels in `sizes`, and `draws` times each, draw that many texts at random, without
# repetition and **equally many of each label**; fit a linear classifier on them; and measure its
# accuracy on all unseen texts. Return the accuracies, `(len(sizes), draws)`.
#
# Any linear classifier will do: `LogisticRegression` of scikit-learn (import it inside the
# function), or least squares on targets of 0 and 1 with a small penalty, one column a label. Your
# mean accuracies should be within 0.2 of the course's, 0.3 with the fewest labels.
#
# *Example.* With `sizes=[3]` and `draws=2` there are two accuracies, each of a classifier that has
# seen one text of each label. They may be far apart.

# %% stub
def learning_curve(
    vectors: Tensor,
    labels: Tensor,
    unseen: Tensor,
    truth: Tensor,
    sizes: list[int],
    draws: int,
) -> Tensor:
    """Accuracies (len(sizes), draws) on the unseen texts."""
    # BEGIN SOLUTION
    rng = np.random.default_rng(0)
    groups = [np.flatnonzero(labels.numpy() == c) for c in range(3)]
    accuracies = torch.zeros(len(sizes), draws)
    for i, size in enumerate(sizes):
        for j in range(draws):
            few = np.concatenate([rng.permutation(group)[: size // 3] for group in groups])
            x, y = vectors[few], F.one_hot(labels[few], 3).float()
            mean = x.mean(0)
            square = (x - mean).T @ (x - mean) + 30 * torch.eye(x.shape[1])
            weights = torch.linalg.solve(square, (x - mean).T @ (y - y.mean(0)))
            said = ((unseen - mean) @ weights + y.mean(0)).argmax(-1)
            accuracies[i, j] = (said == truth).float().mean()
    return accuracies
    # END SOLUTION

# %% check
def cases(rng):
    # The second table is easy: one text of each label is enough, and only that.
    for width, known, asked, distance, sizes in (
        (48, 48, 50, 2.3, [6, 24, 96, 144]), (12, 30, 22, 12.0, [3, 12]),
    ):
        centres = rng.normal(size=(3, width))
        centres *= distance / np.linalg.norm(centres - centres.mean(0), axis=1).mean()
        shift = 2 * rng.normal(size=width)

        def draw(each):
            noise = rng.normal(size=(3 * each, width))
            return shift + np.repeat(centres, each, axis=0) + noise

        order = rng.permutation(3 * asked)
        yield {
            "vectors": torch.from_numpy(draw(known)).float(),
            "labels": torch.arange(3).repeat_interleave(known),
            "unseen": torch.from_numpy(draw(asked)[order]).float(),
            "truth": torch.arange(3).repeat_interleave(asked)[torch.from_numpy(order)],
            "sizes": sizes, "draws": 10,
        }

def judge(case, got, expected):
    mine, sizes, asked = np.asarray(got, dtype=float), case["sizes"], len(case["truth"])
    if mine.shape != (len(sizes), case["draws"]):
        return ""
    if mine.max() > 1:
        return f"An accuracy is a fraction between 0 and 1; yours goes up to {mine.max():.1f}."
    mean, right, is_easy = mine.mean(1), np.asarray(expected).mean(1), len(sizes) == 2
    if mean[0] > 0.95 and not is_easy:
        return "scored on texts that it learned from"
    if mine[:2].std() == 0 and abs(mean[0] - 1 / 3) < 1e-3:
        return "the first rows instead of a draw"
    if (mine[:2].std(1) == 0).all() and not is_easy:
        return "the same texts in every draw"
    if mine.min() < 0.15:
        return f"The smallest of your accuracies is {mine.min():.2f}, worse than guessing. Is it set?"
    if abs(mine * asked - np.round(mine * asked)).max() > 1e-3:
        return f"With {asked} unseen texts an accuracy is a whole number of them: use them all."
    if not is_easy and mine[2].std() == 0:
        return (
            f"With {sizes[2]} labels every draw has the same accuracy, though only {sizes[2]} of "
            f"{len(case['labels'])} texts are asked for: are all of them drawn?"
        )
    if not is_easy and np.ptp(mine[3]) * asked > 2.5:
        return (
            f"{sizes[3]} labels are all that there are, so all draws are the same texts; but your "
            "accuracies differ. Is a text drawn twice, or fewer than are asked for?"
        )
    allowed = np.array([0.03, 0.03] if is_easy else [0.3, 0.2, 0.2, 0.2])
    low = int((mean - right + allowed).argmin())
    if mean[low] < right[low] - allowed[low]:
        return (
            f"With {sizes[low]} labels your mean accuracy is {mean[low]:.2f}, where "
            f"{right[low]:.2f} can be had. Is the classifier fitted to the end, on equally many "
            "texts of each label?"
        )
    high = int((mean - right).argmax())
    if mean[high] > right[high] + 0.2:
        return (
            f"With {sizes[high]} labels your mean accuracy is {mean[high]:.2f}, where "
            f"{right[high]:.2f} is expected: are there unseen texts among those that you fit on?"
        )
    return None

def numbers(case, got, expected):
    mine = np.asarray(got, dtype=float)
    return {
        "first": float(mine[0].mean()), "right": float(np.asarray(expected)[0].mean()),
        "size": case["sizes"][0], "draws": case["draws"],
    }

# %% another right solution
def learning_curve(vectors, labels, unseen, truth, sizes, draws):
    # The nearest of three means: the borders between them are straight, so it is linear as well.
    generator = torch.Generator().manual_seed(1)
    accuracies = []
    for size in sizes:
        row = []
        for _ in range(draws):
            order = torch.randperm(len(labels), generator=generator)
            few = [order[labels[order] == c][: size // 3] for c in range(3)]
            means = torch.stack([vectors[rows].mean(0) for rows in few])
            row.append(float((torch.cdist(unseen, means).argmin(-1) == truth).float().mean()))
        accuracies.append(row)
    return np.array(accuracies)

# %% misconception: scored on texts that it learned from
# says: With {size} labels you report a mean accuracy of {first:.2f}, where {right:.2f} is about
# what can be had on unseen texts. Do you score on the texts that were drawn? Those the classifier
# knows by heart, the more easily the fewer there are. So your curve starts at its top. Score on
# `unseen` and `truth`.
# edit: ((unseen - mean) => ((x - mean)
# edit: said == truth => said == labels[few]
# %% misconception: the first rows instead of a draw
# says: With few labels every accuracy of yours is one third, whichever draw it is: the texts are
# sorted by label. Do you take the first rows, which all have label 0? A classifier that has seen
# one label can say only that. Draw at random, equally many of each label.
# edit: np.concatenate([rng.permutation(group)[: size // 3] for group in groups]) => np.arange(size)
# %% misconception: the same texts in every draw
# says: Your {draws} draws of {size} texts give the same accuracy every time. Are they the same
# texts? With so few labels it matters a great deal which ones they are, and that is what the draws
# are to show. Is the generator started again from the same seed inside the loop?
# edit: rng.permutation(group) => np.random.default_rng(0).permutation(group)
# %% hints
# 1. For each label the numbers of its rows, `(labels == c).nonzero()`; then a random permutation of
# these, of which `size // 3` are taken. One generator, made before the loops.
# 2. A classifier in three lines: `LogisticRegression(C=0.1, max_iter=500).fit(x, y)` on arrays, and
# `.score` on the unseen ones.
# %% explanation
# Two kinds of luck: which texts were drawn for learning, which the columns of the table show, and
# which questions were asked, which they cannot show, since all are asked the same. The first
# shrinks with more labels, the second only with more questions; how wide it is, is task 17.5.
# %% free choices
# - `np.random.default_rng(0)`, `mean = x.mean(0)`, `(x - mean).T @ (y - y.mean(0))`,
#   `(x - mean).T @ (x - mean) + 30 * torch.eye(x.shape[1])`, `(unseen - mean) @ weights + y.mean(0)`:
#   any seed and any linear classifier
# - `range(3)` => `range(4)`, `F.one_hot(labels[few], 3).float()`: a fourth group is empty
