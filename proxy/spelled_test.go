package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
)

// Over HTTP/1 the spelling of fields and the reason phrase pass unchanged, in every form
// of request: SOAP clients expect a 100, old ones use HTTP/1.0 (traefik/traefik#9819,
// envoyproxy/envoy#9559).
func TestSpellingPasses(t *testing.T) {
	t.Parallel()
	for _, request := range []string{
		"POST /soap HTTP/1.1\nContent-Length: 2\n\nhi",
		"POST /soap HTTP/1.1\nContent-Length: 2\nExpect: 100-continue\n\nhi",
		"POST /soap HTTP/1.1\nTransfer-Encoding: chunked\nExpect: 100-Continue\n\n2\nhi\n0\n\n",
		"POST http://example.com/soap HTTP/1.1\nContent-Length: 2\n\nhi",
		"POST http://example.com HTTP/1.1\nContent-Length: 2\n\nhi",
		"POST /soap HTTP/1.0\nContent-Length: 2\n\nhi",
		"POST /soap HTTP/1.0\nContent-Length: 2\nExpect: 100-continue\nConnection: Upgrade\nUpgrade: websocket\n\nhi",
		"GET /soap HTTP/1.1\n\n",
		"OPTIONS * HTTP/1.1\n\n",
	} {
		for _, framing := range []string{"Content-Length: 4\n\nbody", "Transfer-Encoding: chunked\n\n4\nbody\n0\n\n", "Connection: close\n\nbody"} {
			w := start(t, setup{upstreams: specs("app:80"), front: "inbound"})
			var head strings.Builder
			w.script("app:80", func(c *wire) {
				for line := ""; line != "\r\n"; {
					var err error
					if line, err = c.r.ReadString('\n'); err != nil {
						return
					}
					head.WriteString(line)
				}
				if strings.HasPrefix(request, "POST") {
					c.say("HTTP/1.1 100 Go On\n\n")
					io.CopyN(io.Discard, c.r, 2)
				}
				c.say("HTTP/1.1 200 All Fine\neTag: \"x\"\nSOAPServer: y\n" + framing)
			})
			c := w.dial()
			line, fields, _ := strings.Cut(request, "\n")
			c.say(line + "\nHost: example.com\nSOAPAction: \"urn:x\"\nX-CSRFToken: z\n" + fields)
			var all []byte
			for !bytes.Contains(all, []byte("\nbody")) {
				b, err := c.r.ReadByte()
				if err != nil {
					break
				}
				all = append(all, b)
			}
			name := fmt.Sprintf("%q answered with %q", request, framing)
			for _, want := range []string{"\r\nSOAPAction: \"urn:x\"\r\n", "\r\nX-CSRFToken: z\r\n"} {
				check(t, name+": the upstream has"+want, strings.Contains(head.String(), want), true)
			}
			for _, want := range []string{" 200 All Fine\r\n", "\r\neTag: \"x\"\r\n", "\r\nSOAPServer: y\r\n"} {
				if !strings.Contains(string(all), want) {
					t.Errorf("%s: no %q in %q", name, want, all)
				}
			}
			if strings.Contains(line, "HTTP/1.0") {
				check(t, name+": upgrade or expectation", strings.Contains(head.String(), "Upgrade") || strings.Contains(head.String(), "Expect"), false)
				check(t, name+": chunked to HTTP/1.0", strings.Contains(string(all), "chunked"), false)
			}
		}
	}
}

// An upgrade request keeps the spelling of its fields: some WebSocket servers accept only
// one spelling of Sec-WebSocket-Key.
func TestSpellingOfUpgradesPasses(t *testing.T) {
	t.Parallel()
	s := setup{upstreams: specs("app:80"), front: "inbound"}
	s.route.RequestHeaders.Set = map[string]string{"X-CSRFToken": "ours"}
	w := start(t, s)
	head := make(chan string, 1)
	w.script("app:80", func(c *wire) {
		var b strings.Builder
		for line := ""; line != "\r\n"; b.WriteString(line) {
			var err error
			if line, err = c.r.ReadString('\n'); err != nil {
				break
			}
		}
		head <- b.String()
	})
	w.dial().say("GET / HTTP/1.1\nHost: example.com\nConnection: upgrade\nUpgrade: websocket\nSec-WebSocket-Key: x\nSEC-websocket-VERSION: 13\nX-csrftoken: z\n\n")
	got := <-head
	for _, want := range []string{"\r\nSec-WebSocket-Key: x\r\n", "\r\nSEC-websocket-VERSION: 13\r\n"} {
		check(t, "the upstream has"+want, strings.Contains(got, want), true)
	}
	check(t, "the field that a rule sets", strings.Count(strings.ToLower(got), "x-csrftoken: "), 1)
	check(t, "its value", strings.Contains(got, ": ours\r\n"), true)
}
