"""HTTP calls to addresses typed by users, guarded against requests into the own network (SSRF).

The host is resolved once, and the call uses exactly the checked addresses. All of them must be public, unless the
operator trusts the host. HTTPS is required unless the operator trusts the host. There are no redirects and no
proxies. Time and size of a reply are limited.
"""

import http.client
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

MAX_REPLY = 64 * 1024
KEPT = 2_000  # characters of a reply
USER_AGENT = "custom-activities"
Resolve = Callable[..., Sequence[Any]]


class UnsafeAddressError(Exception):
    """The address must not be called; a retry would not change that."""


class CallFailedError(Exception):
    """The call had no valid reply; a retry may succeed."""


@dataclass(frozen=True, slots=True)
class CallReply:
    status: int
    text: str

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class CallTarget:
    """A checked address: the addresses to connect to, and the host name to use."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: Sequence[tuple[int, Any]]  # (family, address of the socket)


def check_url(url: str) -> tuple[str, str, int, str]:
    """Check `url` without resolving it; return scheme, host, port and path. Raises `UnsafeAddressError`."""
    if any(character <= " " or character == "\x7f" for character in url):
        raise UnsafeAddressError(_("the address contains a space or a line break"))
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode() if not _is_literal(parts.hostname) else parts.hostname
    except (ValueError, UnicodeError):
        raise UnsafeAddressError(_("the address cannot be read")) from None
    if parts.scheme not in ("https", "http") or not host:
        raise UnsafeAddressError(_("the address must begin with https:// and a host"))
    if parts.username is not None or parts.password is not None:
        raise UnsafeAddressError(_("the address must not contain a user or a password"))
    if port == 0:
        raise UnsafeAddressError(_("the address cannot be read"))
    port = port or {"https": 443, "http": 80}[parts.scheme]
    if parts.scheme == "http" and not is_trusted_host(host, port):
        raise UnsafeAddressError(_("only https:// is allowed; the operator can allow a host in WEBHOOK_TRUSTED_HOSTS"))
    if _has_dot_segments(parts.path):
        raise UnsafeAddressError(_("the path of the address has a segment “.” or “..”"))
    path = quote(parts.path or "/", _KEPT) + (f"?{quote(parts.query, _KEPT)}" if parts.query else "")
    return parts.scheme, host, port, path


# characters that stay unquoted: reserved ones, and the percent sign of existing encodings
_KEPT = "%/?:@!$&'()*+,;=-._~[]|^{}`\"<>\\"


def _has_dot_segments(path: str) -> bool:
    """True if the decoded path has dot segments, which a server could resolve to another path."""
    return any(part in (".", "..") for part in re.split(r"[/\\]", unquote(path)))


def is_trusted_host(host: str, port: int) -> bool:
    """True if the operator allows this host, even in the own network and without TLS."""
    trusted = {trusted_host.lower() for trusted_host in settings.WEBHOOK_TRUSTED_HOSTS}
    return bool({host.lower(), f"{host.lower()}:{port}"} & trusted)


def resolve_target(url: str, resolve: Resolve = socket.getaddrinfo) -> CallTarget:
    """Resolve the host of `url`, once, and check its addresses.

    Raises `UnsafeAddressError` where any of its addresses is not public, `CallFailedError`.
    """
    scheme, host, port, path = check_url(url)
    try:
        resolved = resolve(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise CallFailedError(_("the host %(host)s is not known") % {"host": host}) from None
    addresses = [(family, address) for family, _kind, _protocol, _name, address in resolved]
    if not addresses:
        raise CallFailedError(_("the host %(host)s is not known") % {"host": host})
    if not is_trusted_host(host, port):
        for _family, address in addresses:
            if not is_public_address(address[0]):
                parameters = {"host": host, "address": address[0]}
                raise UnsafeAddressError(_("%(host)s is %(address)s, which is not a public address") % parameters)
    return CallTarget(scheme, host, port, path, addresses)


def is_public_address(text: str) -> bool:
    """True if an IP address is public, including an IPv4 address embedded in an IPv6 address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inside = _embedded_ipv4(address)
    if inside is not None:
        return is_public_address(str(inside))
    if any(address in network for network in _SPECIAL if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


# special in IANA's registries, but public in the ipaddress module of some Python releases
_SPECIAL = [
    ipaddress.ip_network(text)
    for text in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "5f00::/16", "fec0::/10", "64:ff9b:1::/48")
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def _embedded_ipv4(address: Any) -> Any:
    """The IPv4 address embedded in an IPv6 address, or None."""
    if address.version == 4:
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)


def _is_literal(host: str | None) -> bool:
    try:
        ipaddress.ip_address(host or "")
    except ValueError:
        return False
    return True


def send_request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    seconds: float,
    resolve: Resolve = socket.getaddrinfo,
    context: ssl.SSLContext | None = None,
) -> CallReply:
    """Make one call. Raises `UnsafeAddressError` or `CallFailedError`; any status is a reply."""
    target = resolve_target(url, resolve)
    caller = _Connection(target, seconds, context)
    # a slowly dripping reply never exceeds the timeout of a single read: the timer limits the whole call
    alarm = threading.Timer(seconds, caller.cut)
    alarm.daemon = True
    alarm.start()
    try:
        # as bytes, since http.client accepts only Latin-1 text
        encoded_headers = {name: value.encode() for name, value in {"User-Agent": USER_AGENT, **headers}.items()}
        caller.request(method, target.path, body or None, encoded_headers)
        reply = caller.getresponse()
        text = reply.read(MAX_REPLY)
    except ssl.SSLCertVerificationError as error:
        raise CallFailedError(_("the certificate is not valid: %(why)s") % {"why": error.verify_message}) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        if caller.was_cut or isinstance(error, TimeoutError):
            raise CallFailedError(
                _("no complete reply within %(seconds)s seconds") % {"seconds": f"{seconds:g}"}
            ) from None
        raise CallFailedError(f"{type(error).__name__}: {error}"[:300]) from None
    finally:
        alarm.cancel()
        caller.close()
    if caller.was_cut:
        raise CallFailedError(_("no complete reply within %(seconds)s seconds") % {"seconds": f"{seconds:g}"})
    return CallReply(reply.status, text.decode("utf-8", "replace").replace("\0", "�")[:KEPT])


class _Connection(http.client.HTTPConnection):
    """A connection to previously resolved addresses, under the name of the host."""

    def __init__(self, target: CallTarget, seconds: float, context: ssl.SSLContext | None) -> None:
        super().__init__(target.host, target.port, timeout=seconds)
        self.target = target
        self.context = context or ssl.create_default_context()
        self.was_cut = False
        if target.scheme == "https":
            self.default_port = 443  # the port that the Host header omits

    def connect(self) -> None:
        error: OSError | None = None
        for family, address in self.target.addresses:
            plain = socket.socket(family, socket.SOCK_STREAM)
            plain.settimeout(self.timeout)
            try:
                plain.connect(address)
            except OSError as connect_error:
                plain.close()
                error = connect_error
                continue
            self.sock = plain
            if self.target.scheme == "https":
                self.sock = self.context.wrap_socket(plain, server_hostname=self.target.host)
            return
        raise error or OSError("no address")

    def cut(self) -> None:
        """Abort the call from another thread, at any stage."""
        self.was_cut = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.sock.close()
