"""Data sets that a package registers, also one that is broken."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from minibert.data import catalog as module
from minibert.data.catalog import GROUP, Catalog, NamedCorpus, catalog


@pytest.fixture
def registered(monkeypatch):
    """Register what a plug-in would; the catalogue is made anew, and again afterwards."""

    def register(content: object = None, value: str = "plugin_of_this_test:CATALOG") -> None:
        plugin = ModuleType("plugin_of_this_test")
        plugin.CATALOG = content
        monkeypatch.setitem(sys.modules, plugin.__name__, plugin)
        points = [EntryPoint("toy", value, GROUP)]
        monkeypatch.setattr(module, "entry_points", lambda group: points)

    catalog.cache_clear()
    yield register
    catalog.cache_clear()


def test_what_a_package_registers_has_its_name(registered):
    corpus = NamedCorpus(lambda: [("key", ["A sentence."])], "a note")
    registered(Catalog(corpora={"toy": corpus}))
    assert dict(catalog().corpora) == {"toy": corpus}


def test_a_package_that_registers_something_else_is_named(registered):
    registered({"toy": 1})
    with pytest.raises(ValueError, match="plugin_of_this_test:CATALOG is no Catalog"):
        catalog()


def test_a_package_that_cannot_be_imported_is_named_with_its_reason(registered):
    registered(value="no_such_module_of_this_test:CATALOG")
    with pytest.raises(ValueError, match="No module named 'no_such_module_of_this_test'") as caught:
        catalog()
    assert "\n" not in str(caught.value)
