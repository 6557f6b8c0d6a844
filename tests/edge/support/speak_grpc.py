"""A gRPC server and a client of Google's own make: `serve` listens on a port that it prints, `ask` asks the edge."""

import sys
import threading
from concurrent import futures

import grpc

NAME = "shop.Till"


def buy(request, context):
    context.set_trailing_metadata((("x-sum", "7"), ("x-bin-bin", b"\x00\xff")))
    if request == b"none":
        context.abort(grpc.StatusCode.NOT_FOUND, "there is none")
    said = dict(context.invocation_metadata())
    return request + said["x-shop"].encode()


def count(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def tell(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def talk(requests, context):
    if dict(context.invocation_metadata()).get("x-watch"):
        context.add_callback(lambda: print("gone", flush=True))
    for request in requests:
        yield request.upper()


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    handlers = {
        "Buy": grpc.unary_unary_rpc_method_handler(buy),
        "Count": grpc.stream_unary_rpc_method_handler(count),
        "Tell": grpc.unary_stream_rpc_method_handler(tell),
        "Talk": grpc.stream_stream_rpc_method_handler(talk),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


def ask(port, root):
    with open(root, "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = (("grpc.ssl_target_name_override", "shop.example"), ("grpc.default_authority", "shop.example"))
    channel = grpc.secure_channel(f"127.0.0.1:{port}", credentials, options)

    answer, call = channel.unary_unary(f"/{NAME}/Buy").with_call(b"bread ", metadata=(("x-shop", "one"),), timeout=TIME)
    assert answer == b"bread one", answer
    trailers = dict(call.trailing_metadata())
    assert (trailers["x-sum"], trailers["x-bin-bin"]) == ("7", b"\x00\xff"), trailers
    try:
        channel.unary_unary(f"/{NAME}/Buy")(b"none", timeout=TIME)
        raise AssertionError("it was there")
    except grpc.RpcError as error:
        assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "there is none"), error
        assert dict(error.trailing_metadata())["x-sum"] == "7"

    pieces = [b"x" * 65536] * 64
    assert channel.stream_unary(f"/{NAME}/Count")(iter(pieces), timeout=TIME) == str(64 * 65536).encode()
    told = list(channel.unary_stream(f"/{NAME}/Tell")(b"1000", timeout=TIME))
    assert told == [str(number).encode() for number in range(1000)], told

    # Each word is answered before the next is said.
    answered = threading.Semaphore(0)

    def words():
        for number in range(100):
            yield f"word {number}".encode()
            assert answered.acquire(timeout=TIME)

    replies = channel.stream_stream(f"/{NAME}/Talk")(words(), timeout=TIME)
    for number, reply in enumerate(replies):
        assert reply == f"WORD {number}".encode(), reply
        answered.release()
    assert number == 99

    # Who goes away takes the server's work along.
    said = threading.Event()

    def endless():
        yield b"first"
        said.wait(TIME)

    replies = channel.stream_stream(f"/{NAME}/Talk")(endless(), metadata=(("x-watch", "1"),), timeout=TIME)
    assert next(replies) == b"FIRST"
    replies.cancel()
    said.set()
    print("asked", flush=True)


TIME = 30
if sys.argv[1] == "serve":
    serve()
else:
    ask(int(sys.argv[2]), sys.argv[3])
