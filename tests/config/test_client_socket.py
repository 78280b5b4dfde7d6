"""Buffers of responses for clients that read later, and the time that a thread waits for them."""

import shutil
import socket
import threading

import pytest

from config.server import client_socket
from config.server.client_socket import ClientSocket, Pace

BLOCK = b"0123456789abcdef" * 4_096


@pytest.fixture
def pair():
    server, client = socket.socketpair()
    with server, client:
        yield ClientSocket(server), client


def no_time():
    return Pace(rate=1, total=0)


def received(client, size, answering):
    """The bytes that a client reads once everything was written, while the worker's loop sends them."""
    parts = []

    def read():
        while sum(map(len, parts)) < size:
            parts.append(client.recv(1_048_576))

    reader = threading.Thread(target=read)
    reader.start()
    while answering.backlog:
        answering.flush()
    reader.join(30)
    return b"".join(parts)


def test_outcomes_of_a_stream_are_kept_for_a_client_that_reads_last(pair):
    answering, client = pair
    answering.reading, answering.writing = no_time(), no_time()
    blocks = [BLOCK[number % 16 :] for number in range(5 * client_socket.MOST_KEPT // len(BLOCK))]
    for block in blocks:
        answering.sendall(block)
    assert answering.backlog.size > 4 * client_socket.MOST_KEPT
    assert len(answering.backlog._segments) < 45, "each is an open file"
    assert received(client, sum(map(len, blocks)), answering) == b"".join(blocks)
    answering.close()


def test_a_client_that_reads_meanwhile_gets_outcomes_at_once(pair):
    answering, client = pair
    answering.reading, answering.writing = no_time(), no_time()
    while not answering.backlog:
        answering.sendall(BLOCK)
    client.setblocking(False)
    read = len(client.recv(10 * len(BLOCK)))
    kept = answering.backlog.size
    answering.sendall(b"x")
    assert answering.backlog.size < kept and answering.writing.count and read
    answering.close()


@pytest.mark.parametrize("why", ["no stream", "no room on the disk", "too much"])
def test_else_the_thread_waits_for_the_client_at_a_pace(pair, monkeypatch, why):
    answering, _client = pair
    answering.reading, answering.writing = None if why == "no stream" else no_time(), no_time()
    if why == "no room on the disk":
        monkeypatch.setattr(client_socket, "DISK_RESERVE", shutil.disk_usage("/").total * 1_000)
    if why == "too much":
        monkeypatch.setattr(client_socket, "MOST_KEPT_OF_STREAM", client_socket.MOST_KEPT)
    with pytest.raises(TimeoutError):
        for _number in range(2 * client_socket.MOST_KEPT // len(BLOCK)):
            answering.sendall(BLOCK)
    assert answering.backlog.size < client_socket.MOST_KEPT + 2 * len(BLOCK)
    answering.close()
