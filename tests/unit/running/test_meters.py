"""What is measured of a run besides its nodes."""

import os
import subprocess
import sys
import time

import psutil

from harness.running.meters import Meters


class Generator:
    """A process that makes no load."""

    def __init__(self, *pids):
        self.pids = pids


def read(meters):
    return {(of, metric): value for of, metric, value in meters.read()}


def busy(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_the_machine_and_the_harness_itself_are_measured_in_per_cent_of_one_core():
    meters = Meters(Generator())
    read(meters)
    busy(0.3)
    found = read(meters)

    assert found["machine", "cores"] == psutil.cpu_count()
    assert 0 < found["machine", "cpu_percent"] <= 100 * psutil.cpu_count()
    assert found["machine", "iowait_percent"] >= 0
    assert found["harness", "cpu_percent"] > 10
    assert not [of for of, _ in found if of == "generator"]


def test_what_makes_the_load_is_measured_while_it_lives():
    code = "while True: pass"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        meters = Meters(Generator(process.pid))
        read(meters)
        time.sleep(0.3)
        living = read(meters)
        process.kill()
    ended = read(meters)

    assert living["generator", "cpu_percent"] > 10
    assert living["generator", "rss_bytes"] > 0
    assert not [of for of, _ in ended if of == "generator"]


def test_a_generator_that_is_not_there_yet_is_left_out():
    generator = Generator()
    meters = Meters(generator)
    assert not [of for of, _ in read(meters) if of == "generator"]
    generator.pids = (os.getpid(),)
    assert [of for of, _ in read(meters) if of == "generator"]
