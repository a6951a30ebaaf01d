package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// haproxy runs a real HAProxy with one backend, sends it requests, and asks the
// doctor.
func (p *plant) haproxy(settings, server string) diagnosis {
	p.Helper()
	front := p.address()
	file := writeFile(p.T, p.dir, "haproxy.cfg", fmt.Sprintf(`global
    log stdout format raw local0
defaults
    mode http
    log global
    option httplog
    retries 0
    timeout connect 2s
    timeout client 10s
    timeout server 10s
frontend web
    bind %s
    default_backend app
backend app
    %s
    %s
`, front, settings, server))
	h := startProcess(p.T, "haproxy", nil, need(p.T, "haproxy"), "-db", "-f", file)
	h.ready("tcp", front)
	c := &http.Client{Timeout: bound, Transport: &http.Transport{DisableKeepAlives: true}}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if a, err := c.Get("http://" + front + "/"); err == nil {
				a.Body.Close()
			}
		})
	}
	wg.Wait()
	waitFor(p.T, "HAProxy to log three requests", func() bool { return strings.Count(h.out.String(), " web ") >= 3 })
	log := writeFile(p.T, p.dir, "haproxy.log", h.out.String())
	return p.doctor("--haproxy", file, "--access-log", log)
}
