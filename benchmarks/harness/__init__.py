"""From a request to its trials: what is agreed on, in which order it is measured, and what stops it."""
