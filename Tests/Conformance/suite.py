"""Autobahn|Testsuite's cases, as they come from PyPI, in Python 3.

The package is Python 2: a text literal is bytes, `/` on whole numbers is floor division, a module imports its neighbour
by a bare name. Nothing of it is changed on disk. Each module of its folder `case` is compiled here with the division
mended and with a few names of Python 2 around it; its texts stay `str` of one character a byte (Latin-1), and whoever
plays a case converts at the border (`octets`).
"""

import ast
import binascii
import builtins
import importlib.abc
import importlib.util
import pathlib
import re
import sys
import types

PACKAGE = pathlib.Path(importlib.util.find_spec("autobahntestsuite").origin).parent
CASES = PACKAGE / "case"
# Cases that the suite itself has switched off; the module needs what newer libraries lack.
UNUSED = {"case9_9_1": "Case9_9_1"}


def octets(value):
    """The bytes of a text of the suite, inside lists and tuples too."""
    if isinstance(value, str):
        return value.encode("latin-1")
    if isinstance(value, (list, tuple)):
        return [octets(each) for each in value]
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value


class FloorDivision(ast.NodeTransformer):
    def visit_BinOp(self, node):
        self.generic_visit(node)
        return ast.BinOp(node.left, ast.FloorDiv(), node.right) if isinstance(node.op, ast.Div) else node


def make_class(*arguments):
    """`type`, but `object` may stand before other bases, as it could for classes of the old style."""
    if len(arguments) == 3:
        name, bases, members = arguments
        return type(name, tuple(base for base in bases if base is not object), members)
    return type(*arguments)


def stand_ins() -> dict[str, types.ModuleType]:
    """What the cases find under these names instead of Python 3's modules."""
    from autobahn.websocket.utf8validator import Utf8Validator

    class Validator(Utf8Validator):
        def validate(self, text):
            return super().validate(octets(text))

    hexadecimal = types.ModuleType("binascii")
    hexadecimal.b2a_hex = hexadecimal.hexlify = lambda text: binascii.hexlify(octets(text)).decode()
    hexadecimal.a2b_hex = lambda text: binascii.unhexlify(text).decode("latin-1")
    resources = types.ModuleType("pkg_resources")
    resources.resource_filename = lambda package, name: str(PACKAGE / name)
    utf8 = types.ModuleType("autobahn.websocket.utf8validator")
    utf8.Utf8Validator = Validator
    return {"binascii": hexadecimal, "pkg_resources": resources, utf8.__name__: utf8}


class CaseLoader(importlib.abc.Loader):
    def __init__(self, file: pathlib.Path, instead: dict) -> None:
        self.file, self.instead = file, instead

    def create_module(self, spec):
        return None

    def exec_module(self, module) -> None:
        source = self.file.read_text(encoding="latin-1")
        # The one construct that Python 3 cannot even read; it stands in functions that nobody calls.
        source = re.sub(r"^(\s*)print (.+)$", r"\1print(\2)", source, flags=re.M)
        tree = ast.fix_missing_locations(FloorDivision().visit(ast.parse(source, str(self.file))))
        module.__dict__["__builtins__"] = {
            **vars(builtins), "xrange": range, "unichr": chr, "type": make_class, "__import__": self.find}
        exec(compile(tree, str(self.file), "exec", dont_inherit=True), module.__dict__)

    def find(self, name, globals=None, locals=None, fromlist=(), level=0):
        return self.instead.get(name) or builtins.__import__(name, globals, locals, fromlist, level)


class CaseFinder(importlib.abc.MetaPathFinder):
    """`case` and `case1_1_1` are the files of the suite's folder, `autobahn_cases` is its list of them."""

    def __init__(self) -> None:
        self.instead = stand_ins()

    def find_spec(self, name, path, target=None):
        file = CASES / ("__init__.py" if name == "autobahn_cases" else f"{name}.py")
        if not re.fullmatch(r"autobahn_cases|case(\d\w*)?", name) or not file.exists():
            return None
        return importlib.util.spec_from_file_location(name, file, loader=CaseLoader(file, self.instead))


def load() -> dict[str, type]:
    """Every case by its number, "1.1.1", in the suite's order."""
    sys.meta_path.insert(0, CaseFinder())
    for module, name in UNUSED.items():
        sys.modules[module] = types.ModuleType(module)
        setattr(sys.modules[module], name, None)
    import autobahn_cases
    from case import Case

    Case.compare = lambda self, one, other: octets(one) == octets(other)
    return {number_of(case): case for case in autobahn_cases.Cases}


def number_of(case: type) -> str:
    return case.__name__.removeprefix("Case").replace("_", ".")


def order(number: str) -> list[int]:
    return [int(part) for part in number.split(".")]
