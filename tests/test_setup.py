"""The set-up that `make` runs first: it explains what is wrong, and the next run recovers."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

SCRIPT = Path(__file__).parent.parent / ".ci" / "setup.py"


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """The script as a module, on an empty project of its own."""
    spec = importlib.util.spec_from_file_location("setup_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name in ("requirements.txt", "pyproject.toml"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "VENV", str(tmp_path / ".venv"))
    monkeypatch.setattr(module, "BIN", str(tmp_path / ".venv" / "bin"))
    monkeypatch.setattr(module, "STAMP", str(tmp_path / ".venv" / "complete"))
    monkeypatch.setattr(module, "LOG", str(tmp_path / "install.log"))
    return module


def complete(setup, monkeypatch):
    """Stand in for pip, which needs a network: what it would install is one empty package."""

    def install():
        lib = next(Path(setup.VENV).glob("lib/python3*/site-packages"))
        (lib / "dlcourse.py").write_text("")

    monkeypatch.setattr(setup, "install", install)
    setup.main()


def test_first_run_then_nothing_to_do(setup, monkeypatch, capsys):
    complete(setup, monkeypatch)
    assert "ready in" in capsys.readouterr().out
    monkeypatch.setattr(setup, "install", lambda: pytest.fail("installed again"))
    setup.main()
    assert capsys.readouterr().out == ""


def test_half_made_environment_is_made_anew(setup, monkeypatch, capsys):
    Path(setup.BIN).mkdir(parents=True)
    (Path(setup.VENV) / "leftover").write_text("")
    complete(setup, monkeypatch)
    assert "incomplete; making it anew" in capsys.readouterr().out
    assert not (Path(setup.VENV) / "leftover").exists()
    assert setup.installed() == setup.fingerprint()


def test_failed_install_leaves_no_stamp(setup, monkeypatch):
    def fail():
        raise setup.SetupError("no")

    monkeypatch.setattr(setup, "install", fail)
    with pytest.raises(setup.SetupError):
        setup.main()
    assert setup.installed() is None
    complete(setup, monkeypatch)
    assert setup.installed() is not None


def test_new_pins_are_installed_into_the_same_environment(setup, monkeypatch):
    complete(setup, monkeypatch)
    (Path(setup.VENV) / "kept").write_text("")
    (Path(setup.ROOT) / "requirements.txt").write_text("# other pins")
    calls = []
    monkeypatch.setattr(setup, "install", lambda: calls.append(1))
    setup.main()
    assert calls == [1]
    assert (Path(setup.VENV) / "kept").exists()


def test_old_python(setup, monkeypatch):
    monkeypatch.setattr(setup.sys, "version_info", (3, 9, 2))
    with pytest.raises(setup.SetupError, match=r"Python 3.9 is too old.*3.11(.|\n)*PYTHON="):
        setup.check_python()


def test_script_can_be_read_by_an_old_python():
    compile(SCRIPT.read_text(), "setup.py", "exec")
    import ast

    ast.parse(SCRIPT.read_text(), feature_version=(3, 4))


def test_little_space(setup, monkeypatch):
    monkeypatch.setattr(setup.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e9))
    with pytest.raises(setup.SetupError, match=r"Only 1.0 GB are free.*4 GB(.|\n)*Free some"):
        setup.main()


def test_python_without_venv(setup, monkeypatch):
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    monkeypatch.setattr(setup.os, "geteuid", lambda: 1000)
    with pytest.raises(setup.SetupError, match=r"sudo apt install python3\.\d+-venv"):
        setup.main()


def test_full_disk_and_other_trouble_in_words(setup):
    assert "disk is full" in setup.explain("ERROR: [Errno 28] No space left on device: x")
    assert "    last line" in setup.explain("first\nlast line")


@pytest.mark.slow
def test_no_network(tmp_path):
    """The real script and the real pip, with an index that nobody answers for."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(SCRIPT, tmp_path / ".ci" / "setup.py")
    (tmp_path / "requirements.txt").write_text("six==1.16.0\n")
    (tmp_path / "pyproject.toml").write_text("")
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
    }
    run = subprocess.run(
        [sys.executable, str(tmp_path / ".ci" / "setup.py")],
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert run.returncode == 1
    assert "could not be reached" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / ".venv" / "complete").exists()
