"""Properties of pricing that hold for every book, checked on generated books against the oracle."""
