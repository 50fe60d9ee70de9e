"""Grouped, nested cross-validation: folds, blocks of features, penalised regressions, predictions out of fold."""
