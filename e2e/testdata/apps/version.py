"""A version of an application, good or broken, in Python."""

import http.server
import json
import os
import sys
import threading
import time

NAME, ADDRESS, KIND = sys.argv[1:4]
USUAL = 0.005  # seconds
answered = 0
lock = threading.Lock()

if KIND == "crashes":
    raise ImportError("cannot import name 'settings'")


def wait():
    if KIND == "slow":
        return 10 * USUAL
    if KIND == "leaks":  # as a heap that fills up
        return USUAL + answered**2 / 400_000
    return USUAL


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are two writes

    def answer(self):
        global answered
        if self.path == "/healthz":
            self.reply(200, b"ok")
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(wait())
        with lock:
            answered += 1
        if KIND == "leaks" and answered > 400:
            os._exit(137)
        text = json.dumps({
            "app": NAME,
            "method": self.command,
            "target": self.path,
            "headers": {key.lower(): value for key, value in self.headers.items()},
            "body": body.decode(),
        })
        self.reply(500 if KIND == "errors" else 200, text.encode())

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-App", NAME)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

    do_GET = do_PUT = do_POST = do_DELETE = answer


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


host, port = ADDRESS.split(":")
Server((host, int(port)), Handler).serve_forever()
