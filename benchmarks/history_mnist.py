"""The machines of 1958 and 1960 on all of MNIST: ``python -m benchmarks.history_mnist``.

Ten perceptrons, and ten Adalines, one for each digit against all others; the one with the largest
sum answers. The page on history quotes ``benchmarks/results/history_mnist.json``. MNIST is taken
from where `dlcourse.data.mnist` finds it, or downloaded.
"""

import json
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from dlcourse import data
from dlcourse.classic.perceptron import Adaline, Perceptron

RESULTS = Path(__file__).parent / "results" / "history_mnist.json"
MACHINES = {
    "perceptron": lambda: Perceptron(max_epochs=5),
    "Adaline": lambda: Adaline(rate=0.001, epochs=5),
}


def ten_against_all(machine, train, test):
    """Test error in percent of ten machines, each trained to tell one digit from all others."""
    inputs, new = (part.inputs.reshape(len(part), -1).astype(float) for part in (train, test))
    sums = [
        machine().fit(inputs, np.where(train.targets == digit, 1, -1)).decision_function(new)
        for digit in range(10)
    ]
    return 100 * float(np.mean(np.argmax(sums, axis=0) != test.targets))


def main():
    train, test = data.mnist("train"), data.mnist("test")
    record = {}
    for name, machine in MACHINES.items():
        start = time.perf_counter()
        error = ten_against_all(machine, train, test)
        seconds = time.perf_counter() - start
        record[name] = {"test_error_percent": round(error, 2), "seconds": round(seconds, 1)}
    record["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, one thread used"
    record["versions"] = {"python": platform.python_version(), "numpy": np.__version__}
    RESULTS.write_text(json.dumps(record, indent=1) + "\n")
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
