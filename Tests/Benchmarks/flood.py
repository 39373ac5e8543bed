"""Publishes one telemetry message on a topic again and again at QoS 1, so many a second, by four `mosquitto_pub` at once.

flood.py TOPIC RATE     mosquitto_pub finds the broker by XDG_CONFIG_HOME; ends when it is ended
"""
import subprocess
import sys
import time

STEP_SECONDS, PUBLISHERS = 0.02, 4

topic, rate = sys.argv[1], int(sys.argv[2])
line = b'{"session_id":"bench","current_stage":3,"temperature":148.5,"time_remaining_s":600}\n'
publishers = [subprocess.Popen(["mosquitto_pub", "-q", "1", "-t", topic, "-l"], stdin=subprocess.PIPE) for _ in range(PUBLISHERS)]
# Past 65,535 messages `mosquitto_pub -l` ends before all are acknowledged; here it does not end.
begin, sent = time.monotonic(), 0
try:
    while True:
        due = int((time.monotonic() - begin) * rate / PUBLISHERS)
        for publisher in publishers:
            publisher.stdin.write(line * (due - sent))
            publisher.stdin.flush()
        sent = due
        time.sleep(STEP_SECONDS)
finally:
    for publisher in publishers:
        publisher.kill()
