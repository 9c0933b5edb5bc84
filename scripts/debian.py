"""Builds the Debian package: meshnode and all it needs of Python packages, below /usr/lib/meshnode.

    make deb                      for this machine's architecture
    make deb ARCH=arm64           for the other one: wheels of that architecture, nothing is run

The environment is a virtual one whose interpreter is the distribution's: its packages are compiled for one minor
version of Python, that of the interpreter this script runs under. Wheels come from the index that pip is configured
with, by the hashes of requirements/run.lock. The service's files are those of hardware/, as for `meshnode service`.
"""

from __future__ import annotations

import argparse
import compileall
import gzip
import os
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = Path(__file__).with_name("debian")
LOCK = ROOT / "requirements" / "run.lock"
HOME = Path("usr/lib/meshnode")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC = range(17, 37)  # Debian 12 has 2.36


def main() -> None:
    """The package into `dist`, its name on standard output."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--architecture", choices=tuple(MACHINES), default=_own_architecture())
    asked.add_argument("--wheels", type=Path, help="take these wheels instead of building and fetching them")
    asked.add_argument("--out", type=Path, default=ROOT / "dist")
    options = asked.parse_args()
    os.umask(0o022)
    with tempfile.TemporaryDirectory() as scratch:
        wheels = options.wheels or gather(options.architecture, Path(scratch) / "wheels")
        stage = Path(scratch) / "stage"
        fill(stage, sorted(wheels.glob("*.whl")))
        package = build(stage, options.architecture, options.out)
    sys.stdout.write(f"{package}\n")


def gather(architecture: str, into: Path) -> Path:
    """Wheels of meshnode and of everything it needs, for that architecture."""
    own = into / "own"
    _run("hatchling", "build", "-t", "wheel", "-d", str(own))
    _pip("wheel", "--require-hashes", "--no-build-isolation", "-r", str(LOCK), "-w", str(own))
    if architecture == _own_architecture():
        return own
    pure = [wheel for wheel in own.glob("*.whl") if wheel.stem.endswith("-none-any")]
    foreign = into / "foreign"
    foreign.mkdir()
    for wheel in pure:
        shutil.copy(wheel, foreign)
    rest = into / "rest.lock"
    rest.write_text(_without(LOCK.read_text(), {_name(wheel.name.partition("-")[0]) for wheel in pure}))
    machine = MACHINES[architecture]
    tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC] + [f"manylinux2014_{machine}"]
    platforms = [word for tag in tags for word in ("--platform", tag)]
    _pip(
        "download", "--require-hashes", "--no-deps", "--only-binary=:all:", *platforms, "--python-version", PYTHON,
        "-r", str(rest), "-d", str(foreign),
    )  # fmt: skip
    return foreign


def fill(stage: Path, wheels: Iterable[Path]) -> None:
    """Everything the package holds, as it will lie below /."""
    packages = stage / HOME / "lib" / f"python{PYTHON}" / "site-packages"
    for wheel in wheels:
        unpack(wheel, packages)
    shutil.rmtree(packages / "meshnode_sim", ignore_errors=True)  # its needs are not brought
    _write(stage / HOME / "pyvenv.cfg", f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {PYTHON}\n")
    programs = stage / HOME / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(f"/usr/bin/python{PYTHON}")
    text = "import sys\n\nfrom meshnode.cli.app import main\n\nsys.exit(main())\n"
    _write(programs / "meshnode", f"#!/{HOME}/bin/python -I\n{text}", 0o755)
    (stage / "usr/bin").mkdir()
    (stage / "usr/bin/meshnode").symlink_to(f"../../{HOME}/bin/meshnode")
    compileall.compile_dir(
        packages, quiet=2, stripdir=str(stage), prependdir="/",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )  # fmt: skip
    _service(stage)
    _documents(stage / "usr/share/doc/meshnode")


def unpack(wheel: Path, into: Path) -> None:
    """A wheel is an archive of what goes into site-packages; its programs and data files are not brought."""
    with zipfile.ZipFile(wheel) as opened:
        data = {name for name in opened.namelist() if re.match(r"[^/]+\.data/", name)}
        if any(re.match(r"[^/]+\.data/(pure|plat)lib/", name) for name in data):
            raise SystemExit(f"{wheel.name} has packages in its data, which this script does not unpack")
        opened.extractall(into, [name for name in opened.namelist() if name not in data])


def build(stage: Path, architecture: str, out: Path) -> Path:
    """The package of a filled stage."""
    version = (ROOT / "meshnode" / "__init__.py").read_text().partition('__version__ = "')[2].partition('"')[0]
    size = sum(file.lstat().st_size for file in stage.rglob("*")) // 1024
    after = f"{sys.version_info.major}.{sys.version_info.minor + 1}"
    control = (PARTS / "control").read_text()
    for mark, value in (
        ("@VERSION@", version), ("@ARCHITECTURE@", architecture), ("@SIZE@", str(size)), ("@PYTHON@", PYTHON),
        ("@PYTHON_NEXT@", after),
    ):  # fmt: skip
        control = control.replace(mark, value)
    _write(stage / "DEBIAN" / "control", control)
    _write(stage / "DEBIAN" / "conffiles", "/etc/default/meshnode\n")
    for script in ("postinst", "prerm", "postrm"):
        _write(stage / "DEBIAN" / script, (PARTS / script).read_text(), 0o755)
    out.mkdir(parents=True, exist_ok=True)
    package = out / f"meshnode_{version}_{architecture}.deb"
    _call("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(stage), str(package))
    return package


def _service(stage: Path) -> None:
    """Unit, device rules, and the options a person may change."""
    unit = (ROOT / "hardware" / "systemd" / "meshnode.service").read_text()
    for mark, text in (
        ("# Written by `meshnode service install`, which overwrites it: put changes", "# Put changes"),
        ("@PROGRAM@", "/usr/bin/meshnode"),
        ("@OPTIONS@", " $MESHNODE_OPTIONS"),
        ("@CREDENTIALS@\n", "EnvironmentFile=-/etc/default/meshnode\n"),
        ("@SERIAL@\n", ""),
    ):
        if mark not in unit:
            raise SystemExit(f"the unit has no {mark}")
        unit = unit.replace(mark, text)
    _write(stage / "usr/lib/systemd/system/meshnode.service", unit)
    rules = ROOT / "hardware" / "udev" / "70-meshnode-halow.rules"
    _write(stage / "usr/lib/udev/rules.d" / rules.name, rules.read_text())
    _write(stage / "etc/default/meshnode", (PARTS / "default").read_text())


def _documents(place: Path) -> None:
    _write(place / "copyright", (ROOT / "LICENSE").read_text() + "\nBundled Python packages carry their licences in\n"
           f"/{HOME}/lib/python{PYTHON}/site-packages/*.dist-info.\n")  # fmt: skip
    for page in ("README.md", "CHANGELOG.md"):
        file = place / f"{page}.gz"
        file.write_bytes(gzip.compress((ROOT / page).read_bytes(), mtime=0))
        file.chmod(0o644)


def _without(lock: str, names: set[str]) -> str:
    """A lock file without the entries of these packages."""
    entries = re.split(r"(?m)^(?=[^\s#])", lock)
    return "".join(entry for entry in entries if entry and _name(entry.partition("==")[0]) not in names)


def _name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower().strip()


def _own_architecture() -> str:
    return next((name for name, machine in MACHINES.items() if machine == os.uname().machine), "")


def _write(file: Path, text: str, mode: int = 0o644) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(mode)


def _pip(*words: str) -> None:
    _run("pip", "--disable-pip-version-check", "--no-input", "--quiet", *words)


def _run(module: str, *words: str) -> None:
    _call(sys.executable, "-m", module, *words)


def _call(*words: str) -> None:
    subprocess.run(words, cwd=ROOT, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
