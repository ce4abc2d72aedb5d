"""The course's own texts and tasks: what was published, what is built from it, and their names."""

from minibert.course.texts.corpora import CORPORA
from minibert.course.texts.datasets import DATASETS
from minibert.data.catalog import Catalog

CATALOG = Catalog(DATASETS, CORPORA)  # registered in pyproject.toml as an entry point
