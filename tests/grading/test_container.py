"""Level 3: what the container is told, and a class graded in one.

Where there is no container program a stand-in plays its part: a script that does here what it was
asked to do in the container. The real image is used where `dlcourse doctor --level 3` has built it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from dlcourse import cli
from dlcourse.grading import assignment, container, jail

MANUSCRIPT = Path(__file__).parents[2] / "book" / "exercises" / "07-backpropagation.md"
needs_jail = pytest.mark.skipif(all(map(jail.obstacle, jail.BEST)), reason="no jail here")

# Notes every call in a file, and runs the judge with the mounted paths in the place of its own, at
# the level that this machine has.
STAND_IN = """#!{python}
import json, os, subprocess, sys
words = sys.argv[1:]
with open({log!r}, "a") as log:
    context = sorted(os.listdir(words[-1])) if words[0] == "build" else []
    log.write(json.dumps([words, context]) + "\\n")
if words[0] == "image":
    sys.exit(0 if os.path.exists({image!r}) else 1)
if words[0] == "build":
    open({image!r}, "w").close()
if words[0] == "run":
    mounts = [w.split(",") for w in words if w.startswith("type=bind")]
    places = {{m[2].split("=", 1)[1]: m[1].split("=", 1)[1] for m in mounts}}
    start = next(n for n, w in enumerate(words) if w.startswith("dlcourse-judge:")) + 1
    words = [places.get(w, w) for w in words[start:]]
    at = words.index("--level")
    del words[at : at + 2]
    sys.exit(subprocess.call([sys.executable, "-P", "-m", "dlcourse.cli", *words]))
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A function that gives the calls so far; the stand-in is the only container program."""
    programs, log = tmp_path / "programs", tmp_path / "log"
    programs.mkdir()
    text = STAND_IN.format(python=sys.executable, log=str(log), image=str(tmp_path / "image"))
    (programs / "docker").write_text(text)
    (programs / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    monkeypatch.setattr(container, "PROGRAMS", ("docker",))
    return lambda: [json.loads(line) for line in log.read_text().splitlines()]


@pytest.fixture
def handed(tmp_path):
    """A class of two: all right, and nothing done."""
    notebook = assignment.read(MANUSCRIPT)
    for name, made in (("ada", assignment.solution_version), ("bob", assignment.student_version)):
        folder = tmp_path / "handed" / name
        folder.mkdir(parents=True)
        nbformat.write(made(notebook), folder / "07-backpropagation.ipynb")
    return tmp_path / "handed"


def points(out):
    lines = (out / "grades.csv").read_text().splitlines()[1:]
    return {line.split(",")[0]: float(line.split(",")[3]) for line in lines}


@needs_jail
def test_a_class_is_graded_through_the_container_program(stand_in, handed, tmp_path, monkeypatch):
    monkeypatch.setattr(container, "_user", lambda group=False: 1000)
    out = tmp_path / "new" / "out"
    words = ["grade", str(MANUSCRIPT), str(handed), "--out", str(out), "--level", "3"]
    assert cli.main([*words, "--jobs", "1", "--seed", "5"]) == 0
    assert points(out) == {"ada": 10, "bob": 0}
    calls = stand_in()
    assert [words[0] for words, _ in calls] == ["info", "image", "build", "run"]
    assert calls[2][1] == ["Containerfile", "dlcourse", "set-up.sh"]
    assert calls[3][0][-8:] == ["--out", "/out", "--level", "2", "--jobs", "1", "--seed", "5"]
    # The image is there now; and a run that has nothing to go on with fails as it does here.
    assert cli.main([*words[:4], str(tmp_path / "other"), *words[5:], "--resume"]) == 1
    assert [words[0] for words, _ in stand_in()[4:]] == ["info", "image", "run"]


def test_a_failed_build_is_told(stand_in, handed, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(container, "_CONTAINERFILE", "FROM nothing")
    monkeypatch.setattr(container.subprocess, "run", failing_build(subprocess.run))
    words = ["grade", str(MANUSCRIPT), str(handed), "--out", str(tmp_path / "o"), "--level", "3"]
    assert cli.main(words) == 1
    assert "docker could not build the image" in capsys.readouterr().err


def failing_build(run):
    def changed(words, **options):
        if words[1] == "build":
            return subprocess.CompletedProcess(words, 125)
        return run(words, **options)

    return changed


def test_the_container_is_shut():
    mounts = [(Path("/in"), "/handed", True), (Path("/o"), "/out", False)]
    words = container.arguments("podman", "image", ["grade"], mounts=mounts, jobs=3)
    line = " ".join(words)
    for option in ("--network none", "--read-only", "--cap-drop ALL",
                   "--security-opt no-new-privileges", "--memory 7168m", "--memory-swap 7168m",
                   "--pids-limit 208", "type=bind,source=/in,target=/handed,readonly",
                   "type=bind,source=/o,target=/out "):  # fmt: skip
        assert option in line, option
    assert words[-2:] == ["image", "grade"]
    assert not {"--privileged", "--cap-add"} & set(words)


@pytest.mark.parametrize(("uid", "user"), [(0, "65534:65534"), (1234, "1234:1234")])
def test_nobody_is_root_in_it(uid, user, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "getgid", lambda: uid)
    for program, keeps in (("podman", uid != 0), ("docker", False)):
        words = container.arguments(program, "image", [])
        assert words[words.index("--user") + 1] == user
        assert ("--userns" in words) == keeps


def test_a_path_that_cannot_be_said_is_told():
    with pytest.raises(ValueError, match="takes no path with a comma"):
        container.arguments("docker", "image", [], mounts=[(Path("/a,b"), "/handed", True)])


def test_a_program_that_does_not_answer_is_told(monkeypatch, tmp_path):
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho starting >&2\necho no daemon here >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = "docker is installed, but does not work: no daemon here"
    assert container.find() == ("", reason)
    assert jail.obstacle(3) == reason
    program.write_text("#!/bin/sh\nexit 0\n")
    assert container.find() == ("docker", "")
    program.unlink()
    assert jail.obstacle(3) == "neither docker nor podman is installed"
    with pytest.raises(jail.JailError, match=r"level 3.*neither docker"):
        container.examine()


def test_what_a_container_cannot_do_is_told(tmp_path, capsys):
    words = ["grade", str(MANUSCRIPT), str(tmp_path), "--out", str(tmp_path / "o"), "--level", "3"]
    assert cli.main([*words, "--gradebook", "g.db"]) == 1
    assert "in a container" in capsys.readouterr().err
    with pytest.raises(jail.JailError, match="dlcourse grade --level 3"):
        jail.choose(3)


def built_image():
    """The real image, where it has been built; else why it is not used."""
    program, why = container.find()
    if why:
        return "", why
    listed = subprocess.run(
        [program, "image", "list", "--format", "{{.Repository}}:{{.Tag}}"],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    images = [line for line in listed.stdout.split() if "dlcourse-judge:" in line]
    return (images[0], "") if images else ("", "no image here; dlcourse doctor --level 3 builds it")


@pytest.mark.slow
def test_in_a_real_container(handed, tmp_path, capfd):
    image, why = built_image()
    if why:
        pytest.skip(why)
    assert container.examine(image) == 0
    told = capfd.readouterr().out
    assert "From inside a jailed notebook at level 2:" in told
    assert "BAD" not in told
    out = tmp_path / "out"
    assert container.grade(MANUSCRIPT, handed, out, ["--seed", "5"], jobs=1, image=image) == 0
    assert points(out) == {"ada": 10, "bob": 0}
