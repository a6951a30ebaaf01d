package e2e_test

import (
	"net"
	"net/http"
	"net/http/fcgi"
)

// fastCGI runs an application that is spoken to with FastCGI.
func (p *plant) fastCGI(ln net.Listener) (address string) {
	go fcgi.Serve(ln, http.HandlerFunc(fine))
	return ln.Addr().String()
}

// uwsgi runs what answers as uWSGI does: to a ping, and by closing to what is no
// packet of its own. It answers no requests.
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
