package health

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

func mustAddrPort(addr string) netip.AddrPort { return netip.MustParseAddrPort(addr) }

// dialogue is a server that answers each line by a script.
func dialogue(t *testing.T, greeting string, script map[string]string) string {
	return listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		defer c.Close()
		io.WriteString(c, greeting)
		lines := bufio.NewScanner(c)
		for lines.Scan() {
			for part := range strings.SplitAfterSeq(script[lines.Text()], "|") { // in parts
				io.WriteString(c, strings.TrimSuffix(part, "|"))
			}
		}
	})
}

func TestTCPSteps(t *testing.T) {
	t.Parallel()
	addr := dialogue(t, "220 ready\r\n", map[string]string{"PING": "+PO|NG\r\n", "INFO": "role:|master\r\nup:1\r\n", "BYE": "\x00\xff"})
	f := func(want balancer.Probe, text string, steps ...Step) {
		t.Helper()
		wantResult(t, probe(t, TCP{Steps: steps, MaxData: 60}, addr, 2*time.Second), want, text)
	}
	greeting := Step{Expect: []byte("220 ")}
	ping := Step{Send: []byte("PING\n"), Expect: []byte("+PONG")}
	f(balancer.Passed, "", greeting)
	f(balancer.Passed, "", greeting, ping)
	f(balancer.Passed, "", greeting, ping, Step{Send: []byte("INFO\n"), Expect: []byte("role:master")}, Step{Regexp: regexp.MustCompile(`(?m)^up:\d`)})
	f(balancer.Passed, "", Step{Send: []byte("BYE\n")}, Step{Expect: []byte{0, 0xff}})
	f(balancer.Passed, "", greeting, Step{Send: []byte("PING\n")}) // needs no answer
	long := Step{Send: []byte("INFO\nINFO\nINFO\n"), Expect: []byte("role:slave")}
	f(balancer.Wrong, "step 3: the upstream has sent 60 bytes (max_body)", greeting, ping, long)
	// Bytes from before the last Send do not count.
	f(balancer.Silent, "waiting for the answer to step 3", greeting, ping, Step{Send: []byte("X\n"), Expect: []byte("+PONG")})
}

func TestTCPStepsFail(t *testing.T) {
	t.Parallel()
	ping := []Step{{Send: []byte("PING\r\n"), Expect: []byte("+PONG")}}
	wantResult(t, probe(t, TCP{Steps: ping}, silent(t), 50*time.Millisecond), balancer.Silent, "step 1")
	wantResult(t, probe(t, TCP{Steps: ping}, hangup(t), long), balancer.Silent, "step 1")
	wantResult(t, probe(t, TCP{Steps: ping}, raw(t, "-LOADING\r\n"), long), balancer.Wrong, "ended the connection")
	wantResult(t, probe(t, TCP{Steps: ping}, refused(t), long), balancer.Refused, "refused")
}

func TestTCPStepsOverTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	p := TCP{TLS: clientTLS(s), Steps: []Step{{Send: []byte("GET / HTTP/1.0\r\n\r\n"), Regexp: regexp.MustCompile(`^HTTP/1\.\d 404 `)}}}
	wantResult(t, probeTLS(t, p, s.Listener.Addr().String(), long), balancer.Passed, "")
	p.Target.TLS = new(true)
	wantResult(t, probe(t, p, s.Listener.Addr().String(), long), balancer.Passed, "")
}
