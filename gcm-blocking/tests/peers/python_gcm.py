"""Sends every input with the package python-gcm to the emulator, and prints what went over the wire.

usage: python_gcm.py ENDPOINT CAPTURE INPUTS > requests.golden

ENDPOINT is the emulator's URL, CAPTURE the file it appends its requests to (`serve --capture`). Each send has to
succeed. A line of the output is the request of one input: its id, content type, scheme of the credential, and body.
"""

import json
import os
import sys

from gcm import GCM


def main():
    # The emulator is on this machine: no proxy of the environment is to be asked for it.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    endpoint, capture, inputs = sys.argv[1:]
    gcm = GCM("peer-key")
    gcm.url = endpoint
    with open(inputs, encoding="utf-8") as file:
        rows = json.load(file)
    for row in rows:
        send(gcm, row)
    with open(capture, encoding="utf-8") as file:
        requests = [json.loads(line) for line in file]
    if len(requests) != len(rows):
        sys.exit(f"{len(rows)} inputs made {len(requests)} requests")
    for row, request in zip(rows, requests):
        line = {key: request[key] for key in ("content_type", "authorization", "body")}
        print(json.dumps({"id": row["id"], **line}))


def send(gcm, row):
    """One send, without retries: the emulator accepts everybody."""
    call, kwargs = row["call"], dict(row["kwargs"], retries=1)
    if call == "plaintext":
        # A canonical id, or nothing when it was accepted as it is.
        if gcm.plaintext_request(**kwargs) is not None:
            sys.exit(f"{row['id']}: not accepted")
    elif call == "topic":
        if not gcm.send_topic_message(**kwargs):
            sys.exit(f"{row['id']}: not accepted")
    else:
        reply = gcm.json_request(**kwargs)
        if "errors" in reply or len(reply["success"]) != len(set(kwargs["registration_ids"])):
            sys.exit(f"{row['id']}: {reply}")


main()
