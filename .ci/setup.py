"""Make .venv complete: `make` calls this first, and it returns at once when nothing is to be done.

It must run on a bare machine, so it uses the standard library alone. It must be able to *say* that
a Python is too old, so it avoids syntax that an old Python could not read.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
STAMP = os.path.join(VENV, "complete")
LOG = os.path.join(ROOT, "install.log")
BIN = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin")
OLDEST = (3, 11)
GIGABYTES = 4  # the environment takes about 2, and pip unpacks beside it


class SetupError(Exception):
    """What went wrong, and what to do about it."""


def main():
    wanted = fingerprint()
    if installed() == wanted:
        return
    started = time.time()
    if installed() is None:
        make_environment()
    check_disk()
    install()
    with open(STAMP, "w") as file:
        file.write(wanted)
    print("[setup] ready in %.0f s" % (time.time() - started))


def fingerprint():
    """What a complete environment was made from: Python, pins, the package's own settings."""
    digest = hashlib.sha256(sys.version.encode())
    for name in ("requirements.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def installed():
    """The fingerprint that .venv was completed with; None if it never was or doesn't start."""
    try:
        with open(STAMP) as file:
            stamp = file.read()
        subprocess.check_call([os.path.join(BIN, "python"), "-c", "import dlcourse"], cwd=VENV)
    except (OSError, subprocess.CalledProcessError):
        return None
    return stamp


def check_python():
    if sys.version_info < OLDEST:
        raise SetupError(
            "Python %d.%d is too old: dlcourse needs %d.%d or newer.\n"
            "Install one and name it:  make PYTHON=python3.12 ..." % (sys.version_info[:2] + OLDEST)
        )


def make_environment():
    if os.path.exists(VENV):
        print("[setup] .venv is incomplete; making it anew")
        shutil.rmtree(VENV)
    check_disk()
    have_venv()
    print("[setup] making .venv with Python %s" % sys.version.split()[0])
    subprocess.check_call([sys.executable, "-m", "venv", VENV])


def have_venv():
    """Debian ships Python without ensurepip; say how to get it, and as root just get it."""
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        package = "python%d.%d-venv" % sys.version_info[:2]
        if os.name == "posix" and os.geteuid() == 0 and shutil.which("apt-get"):
            print("[setup] installing %s, which Debian keeps apart from Python" % package)
            environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
            subprocess.call(["apt-get", "update", "-q"], env=environment, stdout=subprocess.DEVNULL)
            command = ["apt-get", "install", "-qy", package]
            if subprocess.call(command, env=environment, stdout=subprocess.DEVNULL) == 0:
                return
        raise SetupError(
            "This Python cannot make virtual environments. Install what it lacks:\n"
            "    sudo apt install %s" % package
        )


def check_disk():
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < GIGABYTES and not os.path.exists(STAMP):
        raise SetupError(
            "Only %.1f GB are free on this disk; the tools take about %d GB.\n"
            "Free some space, or clone the repository to a larger disk." % (free, GIGABYTES)
        )


def install():
    pip = [os.path.join(BIN, "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    options = os.environ.get("PIP_OPTIONS", "").split()
    run(pip + options + ["-r", os.path.join(ROOT, "requirements.txt")])
    # The build tools are among the pins, so nothing is fetched for them.
    run(pip + ["--no-deps", "--no-build-isolation", "-e", ROOT])


def run(command):
    """Run pip with its words in install.log, and show a short line of progress."""
    lines = []
    with open(LOG, "a") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for line in process.stdout:
            log.write(line)
            lines.append(line)
            report(line, sum(line.startswith("Collecting ") for line in lines))
    if process.wait() != 0:
        raise SetupError(explain("".join(lines)))


def report(line, count):
    if line.startswith("Collecting ") and count % 40 == 0:
        print("[setup] found %d packages ..." % count)
    elif line.startswith("Installing collected packages"):
        print("[setup] unpacking them ...")
    sys.stdout.flush()


def explain(output):
    """pip's trouble in words that say what to do."""
    if "No space left on device" in output:
        return "The disk is full. Free %d GB and run the same command again." % GIGABYTES
    offline = ("NewConnectionError", "Temporary failure in name resolution", "Connection refused",
               "ConnectTimeoutError", "Network is unreachable", "NameResolutionError",
               "(from versions: none)")  # fmt: skip
    if any(sign in output for sign in offline):
        return (
            "The package index could not be reached. The first set-up needs a network, later runs\n"
            "don't. Check the connection, or pip's proxy settings, and run the same command again."
        )
    tail = "\n".join("    " + line for line in output.strip().splitlines()[-12:])
    return "pip failed; its last lines (all of them are in install.log):\n%s" % tail


if __name__ == "__main__":
    try:
        check_python()
        main()
    except SetupError as error:
        sys.exit("[setup] %s" % error)
    except KeyboardInterrupt:
        sys.exit("[setup] interrupted; the next run starts where it can")
    except OSError as error:
        sys.exit(
            "[setup] %s\nMend that (space, permissions) and run the same command again." % error
        )
