"""Looking inside a model, as chapters do: a module a question."""
