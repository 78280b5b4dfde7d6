"""Programs that send a public form, fifty a second from a few addresses, and a person who sends it among them."""

import http.client
import itertools
import threading
import time
from urllib.parse import urlencode

A_SECOND, SENDERS = 50, 5
PERSON_SECONDS = 2.0
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": AGENT}


class FormBots:
    """Both, from `start` to `end`. `people`: statuses that the person got; `sent`: what the programs sent."""

    def __init__(self, address: tuple[str, int], path: str, honeypot: str) -> None:
        self.address, self.path, self.honeypot = address, path, honeypot
        self.people: list[int] = []
        self.sent = 0
        self._numbers = itertools.count(1)
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._send_much, daemon=True) for _sender in range(SENDERS)]
        self._threads.append(threading.Thread(target=self._be_a_person, daemon=True))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ending.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(90)

    def _send_much(self) -> None:
        while not self._ending.is_set():
            started, number = time.monotonic(), next(self._numbers)
            values = {"email": f"bot{number}@bots.example.com", "first_name": "A"}
            if number % 2:
                values[self.honeypot] = "http://spam"
            self._post(f"127.0.1.{1 + number % 10}", values)
            self.sent += 1
            self._ending.wait(max(0.0, SENDERS / A_SECOND - (time.monotonic() - started)))

    def _be_a_person(self) -> None:
        while not self._ending.wait(PERSON_SECONDS):
            number = len(self.people)
            values = {
                "email": f"guest{number}@people.example.com",
                "first_name": "A",
                **({"_own": "1"} if number % 2 else {}),
            }
            self.people.append(self._post("127.0.2.1", values))

    def _post(self, source: str, values: dict[str, str]) -> int:
        """The status of a form sent from an address of this machine; 0 where there was no answer."""
        connection = http.client.HTTPConnection(*self.address, timeout=60, source_address=(source, 0))
        try:
            connection.request("POST", self.path, urlencode(values), HEADERS)
            reply = connection.getresponse()
            reply.read()
            return reply.status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
