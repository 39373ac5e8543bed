"""A device of no dialect: publishes a temperature every second and obeys every command. Wants the broker's host and port, the
appliance's id, and MQTT_PASSWORD; needs python3-paho-mqtt (1.6)."""
import json, os, random, sys, time
import paho.mqtt.client as mqtt

host, port, me = sys.argv[1], int(sys.argv[2]), sys.argv[3]

def say(topic, message):
    device.publish(f"martlet/{me}/{topic}", json.dumps(message), qos=1)

def connected(client, *_):
    client.subscribe(f"martlet/{me}/commands/+", qos=1)
    say("events/appliance:status", {"status": "online"})

def told(client, _, message):
    command = json.loads(message.payload)
    if "expires_at" in command:  # Our own answers come by the same filter.
        say("events/" + command["type"], command["data"])
        say("commands/ack", {"command_id": command["command_id"], "status": "acknowledged"})

device = mqtt.Client(client_id=me, protocol=mqtt.MQTTv5)
device.username_pw_set(os.environ.get("MQTT_USER", me), os.environ["MQTT_PASSWORD"])
device.will_set(f"martlet/{me}/events/appliance:status", '{"status":"offline"}', qos=1)
device.on_connect, device.on_message = connected, told
device.connect(host, port)
device.loop_start()
while True:
    say("events/telemetry", {"temperature": 20 + random.random()})
    time.sleep(1)
