"""Runs acme2certifier as a server of HTTPS: its own program listens on port 80 of every address, and looks at ports 80 and 443.

usage: serve_acme2certifier.py ADDRESS PORT CERTIFICATE KEY DNS_PORT HTTP_PORT TLS_PORT
Its configuration is acme_srv.cfg in the working directory.
"""

import os
import socket
import ssl
import sys
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIServer, make_server

address, port, certificate, key = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
dns_port, http_port, tls_port = map(int, sys.argv[5:8])
os.environ["ACME_SRV_CONFIGFILE"] = os.path.abspath("acme_srv.cfg")

import dns.resolver  # noqa: E402

# What it looks at lies on ports that need no privilege.
reset = dns.resolver.BaseResolver.reset


def reset_to_port(resolver):
    reset(resolver)
    resolver.port = dns_port


dns.resolver.BaseResolver.reset = reset_to_port
connect = socket.socket.connect


def connect_to_port(self, peer):
    if isinstance(peer, tuple):
        peer = (peer[0], {80: http_port, 443: tls_port}.get(peer[1], peer[1])) + tuple(peer[2:])
    return connect(self, peer)


socket.socket.connect = connect_to_port

from acme2certifier.share.acme2certifier_wsgi import application, get_handler_cls  # noqa: E402


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(certificate, key)
server = make_server(address, port, application, server_class=Server, handler_class=get_handler_cls())
server.base_environ["HTTPS"] = "on"
server.socket = context.wrap_socket(server.socket, server_side=True)
print("acme2certifier listens", flush=True)
server.serve_forever()
