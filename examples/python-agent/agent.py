#!/usr/bin/env python3
"""An agent in plain Python 3.9 or later, for Linux: no package is needed.

It proves the service, shakes hands, is ready, sends heartbeats, shows messages by printing them, answers one method of
its own (``example/echo`` returns its parameters) and stops when it is asked to. Everything the wire needs is in this
file; ``schema/bilayer.openrpc.json`` describes all the messages.
"""

import json
import os
import selectors
import signal
import socket
import struct
import sys
import time

PROTOCOL = {"min": 1, "max": 1}
METHOD_NOT_FOUND = -32601
HEADER_BYTES_MAX = 4096


class Lost(Exception):
    """The connection is over."""


class Wire:
    """JSON-RPC 2.0 messages in frames: Content-Length, an empty line, the body."""

    def __init__(self, stream, frame_bytes_max=1024 * 1024):
        self.stream = stream
        self.frame_bytes_max = frame_bytes_max
        self.received = b""

    def send(self, **message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.stream.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def receive(self):
        """Reads what is there, and returns the messages that are complete."""
        chunk = self.stream.recv(65536)
        if not chunk:
            raise Lost("the service closed the connection")
        self.received += chunk
        messages = []
        while True:
            header, end, rest = self.received.partition(b"\r\n\r\n")
            if not end:
                if len(header) > HEADER_BYTES_MAX:
                    raise Lost("the service sent a header without an end")
                return messages
            length = self.body_length(header)
            if len(rest) < length:
                return messages
            messages.append(json.loads(rest[:length]))
            self.received = rest[length:]

    def body_length(self, header):
        for line in header.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                length = int(value)
                if length <= self.frame_bytes_max:
                    return length
        raise Lost("the service sent a header without a usable length")


def connect():
    """Opens the endpoint and proves that the service, and nobody else, is at its other end."""
    try:
        endpoint, server = os.environ["BILAYER_ENDPOINT"], os.environ["BILAYER_SERVER"]
        # Programs that this one starts have no use for the token.
        token = os.environ.pop("BILAYER_TOKEN")
    except KeyError as missing:
        sys.exit(
            f"not started by Bilayer: {missing.args[0]} is not set. Name this program in an [agent.NAME] table of the "
            "configuration and run `bilayer run`"
        )
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    stream.connect(endpoint)
    credentials = stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _pid, uid, _gid = struct.unpack("3i", credentials)
    if str(uid) != server:
        sys.exit(f"{endpoint} is served by uid {uid}, not by {server}; nothing was sent to it")
    return Wire(stream), token


class Agent:
    def __init__(self, wire):
        self.wire = wire
        self.heartbeat_seconds = None
        self.stopping = False

    def shake_hands(self, token):
        params = {
            "protocol": PROTOCOL,
            "kind": "agent",
            "token": token,
            "client": {"name": "python-agent", "version": "0.1.0"},
        }
        self.wire.send(id=1, method="initialize", params=params)
        waiting = []
        while not waiting:
            waiting = self.wire.receive()
        answer = waiting.pop(0)
        if "error" in answer:
            sys.exit(f"the service did not accept this agent: {answer['error']['message']}")
        welcome = answer["result"]
        if "heartbeat_ms" in welcome:
            self.heartbeat_seconds = welcome["heartbeat_ms"] / 3000
        # A worker belongs to the machine: there is no session in its welcome.
        agent, session = welcome["agent"], welcome.get("session")
        serves = f"{session['user']['name']} in session {session['id']}" if session else "the machine"
        say(f"agent {agent['name']} (launch {agent['generation']}) serves {serves}")
        return waiting

    def run(self, token):
        for message in self.shake_hands(token):
            self.handle(message)
        self.wire.send(method="agent/status", params={"text": "at your service"})
        self.wire.send(method="agent/ready")
        selector = selectors.DefaultSelector()
        selector.register(self.wire.stream, selectors.EVENT_READ)
        next_beat = time.monotonic()
        while not self.stopping:
            timeout = None
            if self.heartbeat_seconds is not None:
                if time.monotonic() >= next_beat:
                    self.wire.send(method="agent/heartbeat")
                    next_beat = time.monotonic() + self.heartbeat_seconds
                timeout = max(0, next_beat - time.monotonic())
            if selector.select(timeout):
                for message in self.wire.receive():
                    self.handle(message)

    def handle(self, message):
        if "method" not in message:
            return  # the answer to a request; this agent sends none after the first
        method, params = message["method"], message.get("params")
        answer = self.handlers.get(method)
        if "id" not in message:
            if answer:
                answer(self, params)
        elif answer:
            self.wire.send(id=message["id"], result=answer(self, params))
        else:
            error = {"code": METHOD_NOT_FOUND, "message": f"there is no method {method!r} here"}
            self.wire.send(id=message["id"], error=error)

    def stop(self, params):
        say(f"stopping: {params['reason']}, {params['deadline_ms']} ms left")
        self.stopping = True

    def session_changed(self, params):
        session = params["session"]
        say(f"session {session['id']}: {session['state']}, locked: {session['locked']}")

    def power_changed(self, params):
        say(f"power: {params['event']}")

    def show(self, params):
        say(f"message: {params['title']}: {params['text']}")

    def echo(self, params):
        return params

    handlers = {
        "agent/stop": stop,
        "session/changed": session_changed,
        "power/changed": power_changed,
        "message/show": show,
        "example/echo": echo,
    }


def say(text):
    print(text, flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    wire, token = connect()
    try:
        Agent(wire).run(token)
    except (Lost, OSError) as lost:
        sys.exit(f"lost the service: {lost}")
    say("stopped")


if __name__ == "__main__":
    main()
