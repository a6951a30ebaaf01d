"""The app server of the tests, in Python. All three say the same on the wire."""

import http.server
import json
import os
import sys
import time
import urllib.parse

NAME, ADDRESS = sys.argv[1:3]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are two writes

    def answer(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/healthz":
            self.reply(int(os.environ.get("HEALTH_STATUS", 200)), b"")
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = dict(urllib.parse.parse_qsl(url.query))
        time.sleep(int(query.get("wait", os.environ.get("DELAY_MS", 0))) / 1000)
        text = json.dumps({
            "app": NAME,
            "method": self.command,
            "target": self.path,
            "headers": {key.lower(): value for key, value in self.headers.items()},
            "body": body.decode(),
        })
        self.reply(int(query.get("status", 200)), text.encode())

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


host, port = ADDRESS.split(":")
Server((host, int(port)), Handler).serve_forever()
