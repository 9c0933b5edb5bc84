"""The Debian package: what it holds, installed into a root of its own, removed and purged. The scripts run there too.

The Python packages it brings are left out here (`make deb-test` has them): its own wheel alone needs no index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PASSWD = "root:x:0:0:root:/root:/bin/sh\n"
SITE = f"usr/lib/meshnode/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


def run(*words: object) -> str:
    done = subprocess.run([str(word) for word in words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wheels = tmp_path_factory.mktemp("wheels")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", wheels)
    out = tmp_path_factory.mktemp("out")
    said = run(sys.executable, "scripts/debian.py", "--architecture", "amd64", "--wheels", wheels, "--out", out)
    return Path(said.strip())


class Root:
    """A root that dpkg fills; its programs are those of this machine."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for folder in ("var/lib/dpkg/updates", "var/lib/dpkg/info", "etc"):
            (place / folder).mkdir(parents=True)
        for name in ("status", "available"):
            (place / "var/lib/dpkg" / name).touch()
        for name, text in (("passwd", PASSWD), ("group", "root:x:0:\n"), ("shadow", ""), ("gshadow", "")):
            (place / "etc" / name).write_text(text)

    def dpkg(self, *words: object) -> None:
        run("dpkg", f"--root={self.place}", "--force-script-chrootless", "--force-depends", "--force-not-root",
            "--force-architecture", "--log=/dev/null", *words)  # fmt: skip

    def there(self, path: str) -> bool:
        return os.path.lexists(self.place / path)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    assert shutil.which("dpkg-deb"), "dpkg-deb is missing: this needs a Debian"
    return Root(tmp_path / "root")


def test_what_it_says_of_itself(package: Path) -> None:
    fields = run("dpkg-deb", "--field", package)
    minor = sys.version_info.minor
    assert f"Depends: python3 (>= 3.{minor}), python3 (<< 3.{minor + 1}), passwd" in fields
    assert "Architecture: amd64" in fields
    assert "@" not in fields.replace("meshnode@localhost", "")
    listed = run("dpkg-deb", "--contents", package)
    assert all(" root/root " in line for line in listed.splitlines())
    assert "meshnode_sim" not in listed


@pytest.mark.netns  # root: the account is made
def test_it_comes_and_goes_and_leaves_what_it_should(package: Path, root: Root) -> None:
    root.dpkg("--install", package)
    assert "meshnode:" in (root.place / "etc/passwd").read_text()
    unit = (root.place / "usr/lib/systemd/system/meshnode.service").read_text()
    assert "ExecStart=/usr/bin/meshnode run $MESHNODE_OPTIONS\n" in unit
    assert "EnvironmentFile=-/etc/default/meshnode\n" in unit
    assert "@" not in unit.replace("@system-service", "").replace("@privileged", "").replace("@resources", "")
    for path in ("usr/bin/meshnode", f"{SITE}/meshnode/_hardware/boards", "usr/lib/udev/rules.d"):
        assert root.there(path)
    (root.place / "etc/default/meshnode").write_text('MESHNODE_OPTIONS="--interface wlan1"\n')
    home = root.place / "var/lib/meshnode"
    home.mkdir()
    (home / "keys").touch()

    root.dpkg("--install", package)
    assert "wlan1" in (root.place / "etc/default/meshnode").read_text(), "what a person wrote stays"
    root.dpkg("--remove", "meshnode")
    assert not root.there("usr/lib/meshnode")
    assert not root.there("usr/bin/meshnode")
    assert root.there("var/lib/meshnode/keys"), "keys and messages stay"
    assert root.there("etc/default/meshnode")
    root.dpkg("--purge", "meshnode")
    for path in ("var/lib/meshnode", "etc/default/meshnode", "usr/lib/systemd/system/meshnode.service"):
        assert not root.there(path)
    assert (root.place / "etc/passwd").read_text() == PASSWD


def test_the_environment_finds_its_packages_and_its_interpreter(package: Path, tmp_path: Path) -> None:
    run("dpkg-deb", "--extract", package, tmp_path)
    python = tmp_path / "usr/lib/meshnode/bin/python"
    assert os.readlink(python).startswith("/usr/bin/python3.")
    assert (tmp_path / "usr/bin/meshnode").resolve() == tmp_path / "usr/lib/meshnode/bin/meshnode"
    assert (tmp_path / "usr/lib/meshnode/bin/meshnode").read_text().startswith("#!/usr/lib/meshnode/bin/python -I\n")
    python.unlink()
    python.symlink_to(sys._base_executable)  # type: ignore[attr-defined]  # where these tests run another one
    found = run(python, "-I", "-c", "import meshnode; print(meshnode.__file__)")
    assert Path(found.strip()).is_relative_to(tmp_path / SITE)
