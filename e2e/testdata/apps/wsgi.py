# A WSGI application that answers with what it was told in headers.
import json
import sys
import wsgiref.simple_server


class Handler(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args):
        pass


def answer(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    body = json.dumps({k: v for k, v in environ.items() if k.startswith("HTTP_")})
    return [body.encode()]


host, port = sys.argv[1].rsplit(":", 1)
wsgiref.simple_server.make_server(host, int(port), answer, handler_class=Handler).serve_forever()
