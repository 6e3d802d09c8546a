"""What is checked, a session each: ``nox --list`` names them, ``.ci/run`` runs those of a change.

A session makes an environment of its own under ``.nox``.  In an environment that has the ``dev``
extra, ``nox --no-venv --no-install -s lint types`` uses what is there instead; ``minimum`` always
needs its own.
"""

import re
import shutil
import sys
import tomllib
from pathlib import Path

import nox
from packaging.requirements import Requirement

nox.needs_version = ">=2024.10.9"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "docs", "smoke"]

HERE = Path(__file__).parent
PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
EVERYTHING = ".[docs,examples,persist,plots,scale,test]"

#: the least Python of ``requires-python``, where this machine has it
OLDEST_PYTHON = PROJECT["requires-python"].removeprefix(">=")
OLDEST_PYTHON = OLDEST_PYTHON if shutil.which(f"python{OLDEST_PYTHON}") else None


def pinned(*names: str) -> list[str]:
    """Requirements of the ``dev`` extra by name."""
    known = {Requirement(line).name: line for line in EXTRAS["dev"]}
    return [known[name] for name in names]


def lowest(*requirements: str) -> list[str]:
    """``numpy>=1.26`` as ``numpy==1.26``."""
    pairs = (re.fullmatch(r"([\w.-]+)>=([\d.]+)", line).groups() for line in requirements)
    return [f"{name}=={version}" for name, version in pairs]


def readme(marker: str) -> str:
    """The commands between two markers of the README, exactly as written there."""
    pattern = rf"<!-- {marker} -->\n```\w*\n(.*?)```\n<!-- end -->"
    return re.search(pattern, (HERE / "README.md").read_text(), flags=re.DOTALL)[1]


def test_file(name: str) -> str:
    """Where a file of tests is."""
    return str(next((HERE / "tests").rglob(name)).relative_to(HERE))


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests by the README's own command."""
    session.install(EVERYTHING)
    session.run("sh", "-ec", readme("test"), external=True)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines the smoke tests reach; ``-- -m "not slow"`` measures the default run.

    With numpy's kernels: the other sessions run the compiled ones, where there is a compiler.
    """
    session.install(EVERYTHING, *pinned("pytest-cov"))
    chosen = session.posargs or ["-m", "smoke"]
    measured = ["--cov", "--cov-report=term"]
    env = {"SKMIXED_KERNELS": "numpy"}
    session.run("python", "-m", "pytest", "-q", "-n", "auto", *chosen, *measured, env=env)


@nox.session
def smoke(session: nox.Session) -> None:
    """Run one test of each kind, in a minute."""
    session.install(EVERYTHING)
    session.run("python", "-m", "pytest", "-q", "-m", "smoke", "-n", "auto", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that the default run leaves out."""
    session.install(EVERYTHING)
    session.run("python", "-m", "pytest", "-q", "-m", "slow", "-n", "auto", *session.posargs)


@nox.session
def counts(session: nox.Session) -> None:
    """Check how often the deviance is evaluated in five benchmark cases: exact on any machine."""
    session.install(EVERYTHING)
    session.run(
        "python", "-m", "pytest", "-q", "-m", "slow or not slow", test_file("test_counts.py")
    )


def copied(session: nox.Session) -> str:
    """A folder with the sources alone, where nothing is compiled."""
    folder = Path(session.create_tmp()) / "sources"
    shutil.rmtree(folder, ignore_errors=True)
    left_out = shutil.ignore_patterns(".*", "__pycache__", "_native.*", "_build")
    shutil.copytree(HERE, folder, ignore=left_out)
    return str(folder)


@nox.session
def plain(session: nox.Session) -> None:
    """Install where no compiler is, and run the tests by the README's own command."""
    session.chdir(copied(session))
    session.install(EVERYTHING, env={"CC": "/bin/false", "CXX": "/bin/false"})
    there = "from skmixed._algebra.kernels import CHOICE; assert not CHOICE.native, CHOICE"
    session.run("python", "-c", there)
    session.run("sh", "-ec", readme("test"), external=True, env={"SKMIXED_KERNELS": "numpy"})


@nox.session
def baseline(session: nox.Session) -> None:
    """Run the tests with the loops that are compiled for processors without AVX2."""
    session.install(EVERYTHING)
    session.run("sh", "-ec", readme("test"), external=True, env={"SKMIXED_KERNELS": "baseline"})


@nox.session
def sanitized(session: nox.Session) -> None:
    """Spoil the arguments of compiled loops that look at every access to memory."""
    session.chdir(copied(session))
    found = "-fsanitize=address,undefined"
    flags = f"-O1 {found} -fno-sanitize-recover=undefined"  # -O3 compiles for minutes
    env = {
        "CFLAGS": flags,
        "CXXFLAGS": flags,
        "LDFLAGS": found,
        "SKMIXED_BUILD": "require",
    }
    session.install(EVERYTHING, env=env)
    libraries = (f"lib{name}.so" for name in ("asan", "ubsan", "stdc++"))
    paths = [
        session.run("gcc", f"-print-file-name={name}", silent=True, external=True).strip()
        for name in libraries
    ]
    env = {
        "ASAN_OPTIONS": "detect_leaks=0",  # those of the interpreter
        "LD_PRELOAD": ":".join(paths),
        "SKMIXED_KERNELS": "native",
    }
    chosen = ("-m", "slow or not slow", "tests/native")
    session.run("python", "-m", "pytest", "-q", "-n", "0", *chosen, env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, layout and spelling."""
    session.install(*pinned("ruff", "codespell"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the public modules, and of a user's script."""
    session.install(EVERYTHING, *pinned("mypy", "pyright"))
    session.run("mypy")
    python = session.run("python", "-c", "import sys; print(sys.executable)", silent=True)
    session.run("pyright", "--pythonpath", python.strip(), "tests/typing/user_script.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Check the docstrings and the README's code, and build the site, whose code is run.

    ``-- -D plot_gallery=0`` leaves out the pictures of the gallery.
    """
    session.install(EVERYTHING)
    session.run("python", "docs/validate.py")
    session.run(
        "python", "-m", "pytest", "-q", "-m", "slow or not slow", test_file("test_readme.py")
    )
    strict = ("-W", "--keep-going", "-n", "-q", "-j", "2")
    session.run("python", "-m", "sphinx", *strict, *session.posargs, "docs", "docs/_build/html")


@nox.session
def examples(session: nox.Session) -> None:
    """Run the examples with every warning an error."""
    session.install(".[examples]")
    strict = ["-W", "error", "-W", "ignore:FigureCanvasAgg is non-interactive"]
    env = {"MPLBACKEND": "Agg"}
    for example in sorted((HERE / "examples").glob("plot_*.py")):
        printed = session.run("python", *strict, str(example), silent=True, env=env)
        session.log("\n".join(printed.splitlines()[-3:]))
    if sys.platform == "linux":  # whose limits of memory it needs
        session.run("python", *strict, "examples/big_parquet.py", "--rows", "1e6", env=env)


@nox.session(python=OLDEST_PYTHON)
def minimum(session: nox.Session) -> None:
    """Run the smoke tests with the oldest version of everything that pyproject.toml promises."""
    constraints = Path(session.create_tmp()) / "constraints.txt"
    constraints.write_text("\n".join(lowest(*PROJECT["dependencies"], *EXTRAS["test"])))
    session.install("--constraint", str(constraints), ".[test]")
    # scikit-learn's checks of other kinds of arrays came after these versions
    env = {"SCIPY_ARRAY_API": None}
    session.run(
        "python", "-m", "pytest", "-q", "-m", "smoke", "-n", "auto", *session.posargs, env=env
    )


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Time the fits beside other packages; arguments after ``--`` are those of the benchmarks."""
    session.install(".[examples]")
    session.run("python", "-m", "benchmarks", *session.posargs)
