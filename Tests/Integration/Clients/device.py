"""Publishes numbered messages of one appliance at QoS 1 for as long as it takes, through every loss of the broker, and ends when all are acknowledged.

device.py HOST PORT USER TOPIC COUNT RATE     the password comes from PASSWORD; RATE is messages a second

Each carries its number as `message_id`, for whoever gets no acknowledgement publishes again.
"""
import json
import os
import sys
import threading
import time

import paho.mqtt.client as mqtt

host, port, user, topic, count, rate = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6])
unacknowledged = threading.Semaphore(0)
device = mqtt.Client(client_id="device-" + topic.replace("/", "-"), clean_session=False)
device.username_pw_set(user, os.environ["PASSWORD"])
# Sooner than anybody else is back.
device.reconnect_delay_set(0.02, 0.02)
device.max_inflight_messages_set(20)
device.max_queued_messages_set(0)
device.on_publish = lambda *_: unacknowledged.release()
device.connect(host, port)
device.loop_start()
begin = time.monotonic()
for number in range(count):
    time.sleep(max(0, begin + number / rate - time.monotonic()))
    device.publish(topic, json.dumps({"message_id": f"{topic}-{number}", "n": number}), qos=1)
for _ in range(count):
    if not unacknowledged.acquire(timeout=60):
        sys.exit("the broker acknowledged nothing for a minute")
device.disconnect()
