"""The client of a request, and the time of its arrival."""

from datetime import datetime

from activities.sources.authentication import Sender
from activities.tracking.addresses import kept_ip_address
from activities.tracking.agents import parse_agent
from activities.tracking.reading import Client
from config.collector.http import Request


def client_of(request: Request, sender: Sender, received: datetime) -> Client:
    headers = request.headers
    return Client(
        sender,
        received,
        parse_agent(headers.get("user-agent", "")),
        kept_ip_address(request.address),
        opts_out=headers.get("sec-gpc", "").strip() == "1" or headers.get("dnt", "").strip() == "1",
    )
