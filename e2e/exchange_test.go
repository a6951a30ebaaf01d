package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
)

// exchangeOn sends a request on a connection and describes the answer, as far as it
// matters to clients.
func exchangeOn(t *testing.T, conn net.Conn, r *http.Request) string {
	t.Helper()
	sent := make(chan struct{})
	go func() { // an answer may come before the body has gone
		defer close(sent)
		r.Write(conn)
	}()
	defer func() { conn.Close(); <-sent }()
	in := bufio.NewReader(conn)
	a, err := http.ReadResponse(in, r)
	if err != nil {
		return "no answer: " + err.Error()
	}
	defer a.Body.Close()
	if a.StatusCode == http.StatusSwitchingProtocols {
		io.WriteString(conn, "hello\n")
		line, err := in.ReadString('\n')
		return fmt.Sprintf("%d %s %q %v", a.StatusCode, a.Header.Get("Upgrade"), line, err)
	}
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return "half an answer: " + err.Error()
	}
	if a.StatusCode >= 300 && a.StatusCode != 500 && a.StatusCode != 502 && a.StatusCode != 403 { // the page is the proxy's own
		body = nil
	}
	return fmt.Sprintf("%d location=%q frame=%q %s", a.StatusCode, location(r, a.Header.Get("Location")), a.Header.Get("X-Frame-Options"), body)
}

// location returns a redirect's target. A target on the same host is the same with and
// without its host.
func location(r *http.Request, to string) string {
	u, err := url.Parse(to)
	if err != nil || u.Hostname() != r.Host || u.Scheme == "https" {
		return to
	}
	return u.RequestURI()
}
