"""Published comparisons: figures of other people's studies, with citations, and how far each can be trusted."""

from isoscope.benchmarks.published.figures import Basis, Published, figures, items
from isoscope.benchmarks.published.studies import Study, studies, study

__all__ = ["Basis", "Published", "Study", "figures", "items", "studies", "study"]
