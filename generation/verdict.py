"""What a loss curve says, in words: whether the network learnt more than two guesses that need no training."""

EPOCHS_TO_LEARN = 3  # so many are given to a network before it is said that it learns nothing
EPOCHS_OF_PATIENCE = 5  # without a better test loss


def loss_of(history, baselines):
    """What a page shows of a training's loss: the figures, and what they say in words."""
    kind, sentence = verdict(history, baselines)
    return {"history": history, "verdict": sentence, "verdict_kind": kind}


def verdict(history, baselines):
    """Return (kind, sentence); the kind is "warning", "good" or "quiet", the sentence empty where there is none yet."""
    marginal = baselines.get("marginal")
    if not history or marginal is None:
        return "quiet", ""
    best = min(history, key=lambda epoch: epoch["test_loss"])
    known = f"{best['test_loss']:.4f}"
    if best["test_loss"] >= marginal:
        return _nothing_learnt(len(history), known, marginal)
    return "good", f"{_against_baselines(known, marginal, baselines.get('hold'), best)}{_since(history, best)}"


def _nothing_learnt(n_epochs, best, marginal):
    epochs = f"{n_epochs} epoch{'s' if n_epochs > 1 else ''}"
    if n_epochs < EPOCHS_TO_LEARN:
        return "quiet", f"After {epochs} the test loss is not below knowing nothing ({marginal:.4f}); it is early."
    return "warning", (
        f"This run learns nothing: after {epochs} its best test loss, {best}, is not below {marginal:.4f}, the loss of "
        f"a guess that knows no more than how common each note is."
    )


def _against_baselines(known, marginal, hold, best):
    learnt = f"The best test loss, {known} in epoch {best['epoch']}, is below knowing nothing ({marginal:.4f})"
    if hold is None:
        return f"{learnt}."
    if best["test_loss"] < hold:
        return f"{learnt} and below holding the last frame ({hold:.4f})."
    return f"{learnt}, not below holding the last frame ({hold:.4f})."


def _since(history, best):
    since = history[-1]["epoch"] - best["epoch"]
    return f" No epoch was better in the {since} since." if since >= EPOCHS_OF_PATIENCE else ""
