package e2e_test

import (
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
)

// fastCGI runs an application that speaks FastCGI.
func (p *plant) fastCGI(ln net.Listener) (address string) {
	go fcgi.Serve(ln, http.HandlerFunc(fine))
	return ln.Addr().String()
}

// gunicorn runs an application in Python that never finishes /slow.
func (p *plant) gunicorn(timeout, bind string, more ...string) {
	p.Helper()
	writeFile(p.T, p.dir, "slow.py", `import time
def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(60)
    start_response("200 OK", [("Content-Length", "4")])
    return [b"fine"]
`)
	argv := append([]string{need(p.T, "gunicorn"), "--chdir", p.dir, "-w", "2", "--timeout", timeout, "-b", bind, "slow:app"}, more...)
	app := startProcess(p.T, "gunicorn", nil, argv...)
	if socket, ok := strings.CutPrefix(bind, "unix:"); ok {
		app.ready("unix", socket)
		return
	}
	app.ready("tcp", bind)
}

// uwsgi runs a server that behaves like uWSGI: it answers a ping, and closes for bytes
// that are not a uwsgi packet. It answers no requests.
func (p *plant) uwsgi() string {
	ln := p.listen()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				head := make([]byte, 4)
				if _, err := c.Read(head); err == nil && head[0] == 100 {
					c.Write([]byte{100, 0, 0, 1})
				}
			}()
		}
	}()
	return ln.Addr().String()
}
