"""Two processors stand for two GPUs here: devices are set before TensorFlow starts, so in a process of its own."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
import tensorflow as tf
processor = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * 2)
from training import corpus, devices, loop
loop.BASELINE_WINDOWS = 64
settings = {"units": 8, "batch_size": 16, "epoch_windows": 80, "test_windows": 16}
losses = []
for names in ([], ["CPU:0", "CPU:1"]):
    loop.Devices = lambda mixed, names=names: devices.Devices(mixed, names)
    made = corpus.open_corpus(sys.argv[1])
    card = loop.train(loop.Plan("rnn", settings, epochs=1, seed=4), made, f"{sys.argv[2]}/{len(names)}.keras")
    losses.append([card["history"][0]["train_loss"], card["history"][0]["test_loss"]])
print(json.dumps(losses))
"""


def test_two_devices_that_share_each_batch_learn_what_one_does(corpus, tmp_path):
    command = [sys.executable, "-c", PROGRAM, str(corpus.folder), str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    one, two = json.loads(done.stdout)
    assert two == pytest.approx(one, rel=1e-4)
