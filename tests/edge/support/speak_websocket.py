"""WebSockets by others' libraries: `serve` is hypercorn, which takes them over HTTP/1.1 and over HTTP/2 without TLS, on a port that it prints;
`ask` is a client of h2 and wsproto, which opens several over one connection to the edge (RFC 8441)."""

import asyncio
import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings
from hypercorn.asyncio import serve as run
from hypercorn.config import Config
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage


async def shop(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"4")]})
        return await send({"type": "http.response.body", "body": b"page"})
    assert (await receive())["type"] == "websocket.connect"
    if scope["path"] == "/refused":
        return await send({"type": "websocket.close"})
    protocols = scope["subprotocols"]
    await send({"type": "websocket.accept", "subprotocol": protocols[0] if protocols else None})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") == "version":
            await send({"type": "websocket.send", "text": scope["http_version"]})
        else:
            await send({"type": "websocket.send", "bytes": message.get("bytes"), "text": message.get("text")})


def serve():
    config = Config()
    listener = socket.create_server(("127.0.0.1", 0))
    config.bind = [f"fd://{listener.fileno()}"]
    config.websocket_max_message_size = 16 << 20
    config.graceful_timeout = 0
    print(listener.getsockname()[1], flush=True)
    asyncio.run(run(shop, config))


class Client:
    """One connection with streams of WebSockets."""

    def __init__(self, port, root):
        context = ssl.create_default_context(cafile=root)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=TIME)
        self.socket = context.wrap_socket(plain, server_hostname="shop.example")
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.http.initiate_connection()
        self.heads, self.sockets, self.messages, self.ended, self.bodies = {}, {}, {}, {}, {}
        self.flush()
        allowed = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
        self.until(lambda: self.http.remote_settings.get(allowed) == 1)

    def flush(self):
        self.socket.sendall(self.http.data_to_send())

    def until(self, there):
        while not there():
            octets = self.socket.recv(65536)
            assert octets, "the edge has closed"
            for event in self.http.receive_data(octets):
                self.take(event)
            self.flush()

    def take(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.ResponseReceived):
            self.heads[stream] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived) and event.data:
            self.http.acknowledge_received_data(event.flow_controlled_length, stream)
            if self.heads[stream][":status"] != "200":
                self.bodies[stream] = self.bodies.get(stream, b"") + event.data
                return
            speaker = self.sockets[stream]
            speaker.receive_data(event.data)
            for said in speaker.events():
                if isinstance(said, (TextMessage, BytesMessage)):
                    parts = self.messages.setdefault(stream, [[]])
                    parts[-1].append(said.data)
                    if said.message_finished:
                        parts.append([])
                elif isinstance(said, CloseConnection):
                    self.messages.setdefault(stream, [[]]).insert(-1, ["closed"])
        elif isinstance(event, h2.events.StreamEnded):
            self.ended[stream] = None
        elif isinstance(event, h2.events.StreamReset):
            self.ended[stream] = event.error_code

    def open(self, path="/chat", *more):
        stream = self.http.get_next_available_stream_id()
        head = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https"), (":authority", "shop.example")]
        head += [(":path", path), ("sec-websocket-version", "13"), *more]
        self.http.send_headers(stream, head)
        self.sockets[stream] = Connection(ConnectionType.CLIENT)
        self.flush()
        self.until(lambda: stream in self.heads)
        return stream

    def say(self, stream, event):
        """As far as the windows allow at a time."""
        octets = self.sockets[stream].send(event)
        while octets:
            room = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size, len(octets))
            if room == 0:
                before = self.http.local_flow_control_window(stream)
                self.until(lambda: self.http.local_flow_control_window(stream) > before)
                continue
            self.http.send_data(stream, octets[:room])
            octets = octets[room:]
            self.flush()

    def heard(self, stream):
        self.until(lambda: len(self.messages.get(stream, [])) > 1)
        parts = self.messages[stream].pop(0)
        return parts[0][:0].join(parts)


def ask(port, root, version):
    client = Client(port, root)
    streams = [client.open("/chat", ("sec-websocket-protocol", "one, two")) for _ in range(5)]
    for stream in streams:
        head = client.heads[stream]
        assert (head[":status"], head["sec-websocket-protocol"]) == ("200", "one"), head
        assert "sec-websocket-accept" not in head and "content-length" not in head, head
    for stream in streams:
        client.say(stream, TextMessage("version"))
        client.say(stream, TextMessage(f"this is {stream}"))
    for stream in reversed(streams):
        assert client.heard(stream) == version
        assert client.heard(stream) == f"this is {stream}"
    # More than any window on the way, on one of them; the others go on.
    large = bytes(range(256)) * 4096
    client.say(streams[1], BytesMessage(large))
    assert client.heard(streams[1]) == large
    # Who refuses says so, and the connection is as good as before.
    refused = client.open("/refused")
    assert client.heads[refused][":status"] == "403", client.heads[refused]
    for stream in streams:
        client.say(stream, CloseConnection(1000))
        assert client.heard(stream) == "closed"
    # That is all: hypercorn ends no stream of HTTP/2 by itself, and falls over whoever ends one after it is done with it.
    print("asked")


TIME = 30

if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        ask(int(sys.argv[2]), sys.argv[3], sys.argv[4])
