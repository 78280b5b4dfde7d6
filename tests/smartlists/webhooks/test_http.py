"""Calls to addresses that users typed never get into our own network, and never hang."""

import socket
import ssl
import time

import pytest

from smartlists.webhooks import http as webhook_http
from smartlists.webhooks.http import CallFailedError, UnsafeAddressError
from tests.smartlists.webhook_receiver import Handler, receiver


def resolving(*addresses):
    def resolve(_host, port, **_more):
        resolve.asked += 1
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in addresses
        ]

    resolve.asked = 0
    return resolve


def call(url, seconds=5.0, **more):
    return webhook_http.send_request("POST", url, {}, b"{}", seconds=seconds, **more)


@pytest.mark.parametrize(
    "address",
    [
        "192.0.0.8",
        "192.88.99.1",
        "3fff::1",
        "5f00::1",
        "::7f00:1",
        "169.254.169.254",
        "127.0.0.1",
        "10.0.0.8",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2001:0:53aa:64c:0:0:80ff:fffe",
        "ff02::1",
        "nonsense",
        "fec0::1",
        "feff::1",
        "64:ff9b:1::7f00:1",
    ],
)
def test_no_address_but_public_ones_is_called(address):
    assert not webhook_http.is_public_address(address)
    with pytest.raises(UnsafeAddressError):
        webhook_http.resolve_target("https://example.com/", resolving(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_public_addresses_are(address):
    assert webhook_http.is_public_address(address)
    assert webhook_http.resolve_target("https://example.com/", resolving(address)).port == 443


def test_one_private_address_among_public_ones_is_too_many():
    with pytest.raises(UnsafeAddressError):
        webhook_http.resolve_target("https://example.com/", resolving("93.184.216.34", "127.0.0.1"))


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://localhost/",
    ],
)
def test_addresses_written_out_are_looked_at_too(url):
    with pytest.raises((UnsafeAddressError, CallFailedError)):
        webhook_http.resolve_target(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "https://",
        "https:///path",
        "https://user:secret@example.com/",
        "https://example.com\r\nX: y/",
        "https://example.com/a b",
        "https://example.com:99999/",
        "https://example.com:0/",
        "javascript:alert(1)",
        "https://[::1",
        "https://ex\x00ample.com/",
        "https://" + "a" * 64 + ".com/",
        "https://example.com/in/../admin",
        "https://example.com/in/%2E%2e/admin",
        "https://example.com/in/..%2Fadmin",
        "https://example.com/in/..%5Cadmin",
        "https://example.com/in/..",
        "https://example.com/./in",
    ],
)
def test_what_is_no_safe_address_is_refused(url):
    with pytest.raises(UnsafeAddressError):
        webhook_http.check_url(url)


def test_a_name_is_resolved_once_and_that_address_is_called(settings):
    """A name that is public at first and 127.0.0.1 the second time is resolved once."""
    answers = [resolving("203.0.113.1"), resolving("127.0.0.1")]
    public = resolving("93.184.216.34")

    def turning(host, port, **more):
        turning.asked += 1
        return (public if turning.asked == 1 else answers[1])(host, port, **more)

    turning.asked = 0
    target = webhook_http.resolve_target("https://example.com/", turning)
    assert [address for _family, address in target.addresses] == [("93.184.216.34", 443)]
    assert turning.asked == 1


def test_the_call_goes_to_the_address_that_was_checked_under_the_name(settings):
    with receiver() as server:
        settings.WEBHOOK_TRUSTED_HOSTS = ["crm.example.com"]
        resolve = resolving("127.0.0.1")
        reply = call(f"http://crm.example.com:{server.server_port}/in?a=1", resolve=resolve)
        assert reply.status == 200 and resolve.asked == 1
        ((path, headers, body),) = server.calls
        assert (path, headers["Host"], body) == ("/in?a=1", f"crm.example.com:{server.server_port}", b"{}")


def test_trust_is_for_a_host_or_for_a_host_and_its_port(settings):
    settings.WEBHOOK_TRUSTED_HOSTS = ["127.0.0.1:9"]
    assert webhook_http.is_trusted_host("127.0.0.1", 9) and not webhook_http.is_trusted_host("127.0.0.1", 10)
    with pytest.raises(UnsafeAddressError):
        webhook_http.check_url("http://127.0.0.1:10/")


def test_redirects_are_not_followed(settings):
    with receiver([(302, {"Location": "https://169.254.169.254/"})]) as server:
        settings.WEBHOOK_TRUSTED_HOSTS = [server.host]
        assert call(server.url).status == 302
        assert len(server.calls) == 1


class Endless(Handler):
    def answer(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65_536)
        except OSError:
            pass

    do_POST = answer


class Dripping(Handler):
    def answer(self):
        self.send_response(200)
        self.send_header("Content-Length", "10000000000")
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    do_POST = answer


class DrippingHeaders(Handler):
    def answer(self):
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                self.wfile.write(b"X-A: b\r\n")
                time.sleep(0.05)
        except OSError:
            pass

    do_POST = answer


def test_an_endless_reply_is_read_so_far_and_no_further(settings):
    with receiver(handler=Endless) as server:
        settings.WEBHOOK_TRUSTED_HOSTS = [server.host]
        reply = call(server.url)
        assert reply.status == 200 and len(reply.text) == webhook_http.KEPT


@pytest.mark.parametrize("handler", [Dripping, DrippingHeaders])
def test_a_reply_that_drips_in_is_cut(settings, handler):
    with receiver(handler=handler) as server:
        settings.WEBHOOK_TRUSTED_HOSTS = [server.host]
        started = time.monotonic()
        with pytest.raises(CallFailedError, match=r"within 0\.5 seconds"):
            call(server.url, seconds=0.5)
        assert time.monotonic() - started < 5


def test_nobody_there_and_an_unknown_name_are_failures(settings):
    settings.WEBHOOK_TRUSTED_HOSTS = ["127.0.0.1"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(CallFailedError):
            call(f"http://127.0.0.1:{free.getsockname()[1]}/")

    def unknown(*_arguments, **_more):
        raise socket.gaierror

    with pytest.raises(CallFailedError):
        call("https://example.com/", resolve=unknown)


def test_a_certificate_of_nobody_known_is_a_failure(settings, tmp_path):
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "both.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with receiver() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        settings.WEBHOOK_TRUSTED_HOSTS = ["localhost", "other.example.com"]
        url = f"https://localhost:{server.server_port}/"
        with pytest.raises(CallFailedError, match="certificate"):
            call(url, resolve=resolving("127.0.0.1"))
        known = ssl.create_default_context(cafile=str(file))
        assert call(url, resolve=resolving("127.0.0.1"), context=known).status == 200
        with pytest.raises(CallFailedError, match="certificate"):  # the right key under another name
            call(url.replace("localhost", "other.example.com"), resolve=resolving("127.0.0.1"), context=known)


def test_text_of_any_script_is_sent_in_paths_queries_and_headers(settings):
    with receiver() as server:
        settings.WEBHOOK_TRUSTED_HOSTS = ["127.0.0.1"]
        url = f"http://127.0.0.1:{server.server_port}/año/a%20b?q=日本&r=1"
        assert webhook_http.send_request("POST", url, {"X-Name": "Zoë 日本"}, b"", seconds=5.0).status == 200
        ((path, headers, _body),) = server.calls
        assert path == "/a%C3%B1o/a%20b?q=%E6%97%A5%E6%9C%AC&r=1"
        assert headers["X-Name"].encode("latin-1").decode() == "Zoë 日本"
