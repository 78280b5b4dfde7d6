"""The collector's listening socket."""

import socket
import threading

from config.collector import server


def test_a_taken_port_is_tried_again_until_it_is_free(monkeypatch, caplog):
    monkeypatch.setattr(server, "TAKEN_SECONDS", 0.01)
    other = socket.create_server(("127.0.0.1", 0))
    port = other.getsockname()[1]
    found = []
    waiting = threading.Thread(target=lambda: found.append(server.listen("127.0.0.1", port)), daemon=True)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive() and f"port {port} is taken" in caplog.text
    other.close()
    waiting.join(5)
    assert found and found[0].getsockname()[1] == port
    found[0].close()


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_head():
    with server.listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _address = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
