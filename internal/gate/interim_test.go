package gate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
)

// interimYAML has a route with rules for responses, and a pool for which goodgate adds
// fields to each response.
const interimYAML = `
listeners: [{address: "127.0.0.1:0", http2: {cleartext: true}}]
shutdown: {lame_duck: 0s}
routes: [{name: all, pool: app, response_headers: {set: {X-Set: ours}, remove: [X-Secret]}}]
pools:
  app: {upstreams: [%q], limits: {rates: [{requests: 1000, per: 1m}]}, retry: {attempts: 1, hedge: {budget: 0%%}}}`

func interimConfig(t *testing.T, upstream string) *config.Config {
	return parse(t, fmt.Sprintf(interimYAML, "http://"+upstream))
}

// forbidden are fields that describe one connection, that frame, or that are for
// goodgate.
const forbidden = "Connection: X-Hop, close\r\nX-Hop: evil\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nTrailer: X\r\n" +
	"Content-Length: 44\r\nGoodgate-Drain: 1s\r\nX-Secret: evil\r\nX-Set: theirs\r\n"

// TestInformationalResponses checks that informational responses and those that switch
// protocols are filtered like others, and that each client gets the usable ones once:
// goodgate's fields only in the final answer (caddyserver/caddy#5074), no length in a
// 101 (dotnet/yarp#1073), one 100 (Mesh-LLM/mesh-llm#70).
func TestInformationalResponses(t *testing.T) {
	t.Parallel()
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	const early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nTransfer-Encoding: chunked\r\nUpgrade: x\r\n" + forbidden + "\r\n"
	const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	const switched = "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Token: t\r\n" + forbidden + "\r\n"
	for name, c := range map[string]struct {
		request  string // its line, with the fields behind
		body     string
		response string
		want     string // the codes
	}{
		"early hints":                      {"GET / HTTP/1.1\r\n", "", early + ok, "[103 200]"},
		"twice":                            {"GET / HTTP/1.1\r\n", "", early + early + ok, "[103 103 200]"},
		"to HTTP/1.0":                      {"GET / HTTP/1.0\r\n", "", early + ok, "[200]"},
		"unexpected 100 Continue":          {"POST / HTTP/1.1\r\nContent-Length: 2\r\n", "hi", "HTTP/1.1 100 Continue\r\n\r\n" + ok, "[200]"},
		"continue":                         {"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n", "hi", "HTTP/1.1 100 Continue\r\n\r\n" + ok, "[100 200]"},
		"continue, chunked":                {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n", "2\r\nhi\r\n0\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n" + early + ok, "[100 103 200]"},
		"continue to HTTP/1.0":             {"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n", "hi", "HTTP/1.1 100 Continue\r\n\r\n" + ok, "[200]"},
		"unknown expectation of HTTP/1.0":  {"POST / HTTP/1.0\r\nContent-Length: 2\r\nExpect: tea\r\n", "hi", ok, "[200]"},
		"unknown expectation":              {"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: tea\r\n", "hi", ok, "[417]"},
		"unknown expectation of several":   {"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: tea, 100-continue\r\n", "hi", ok, "[417]"},
		"unknown expectation in two lines": {"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\nExpect: tea\r\n", "hi", ok, "[417]"},
		"switch":                           {"GET / HTTP/1.1\r\n" + upgrade, "", "HTTP/1.1 101 Switching Protocols" + switched, "[101]"},
		"switch after POST":                {"POST / HTTP/1.1\r\nContent-Length: 2\r\n" + upgrade, "hi", "HTTP/1.1 101 Web Socket" + switched, "[101]"},
		"switch with CR in its reason":     {"GET / HTTP/1.1\r\n" + upgrade, "", "HTTP/1.1 101 A\rX-Evil: b" + switched, "[101]"},
		"unrequested switch":               {"GET / HTTP/1.1\r\n", "", "HTTP/1.1 101 Switching Protocols" + switched, "[502]"},
		"switch to another protocol":       {"GET / HTTP/1.1\r\n" + strings.Replace(upgrade, "websocket", "x", 1), "", "HTTP/1.1 101 Switching Protocols" + switched, "[502]"},
		"switch of HTTP/1.0":               {"GET / HTTP/1.0\r\n" + upgrade, "", "HTTP/1.1 101 Switching Protocols" + switched, "[502]"},
		"upgrade of HTTP/1.0 is ignored":   {"GET / HTTP/1.0\r\n" + upgrade, "", ok, "[200]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := &actor{}
			a.part.Store(&sample{bytes: c.response, closes: true})
			g := start(t, interimConfig(t, listen(t, a.serve)), Options{})
			end := "Connection: close\r\n"
			if c.want == "[101]" {
				end = ""
			}
			answers, err := talk(t, g.addrs[0], c.request+end+"Host: a.example\r\n\r\n"+c.body, func(m *message) bool { return m.status() < 200 })
			if _, network := err.(net.Error); err != nil && !network {
				t.Errorf("the client reads: %v", err)
			}
			if got := fmt.Sprint(codes(answers)); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
			for _, m := range answers {
				judgeInterim(t, m)
			}
		})
	}
}

func judgeInterim(t *testing.T, m *message) {
	t.Helper()
	var names []string
	for _, f := range m.fields {
		names = append(names, f[0])
		if strings.Contains(f[1], "evil") || strings.Contains(m.start, "\r") {
			t.Errorf("%q %q: evil", m.start, m.fields)
		}
	}
	switch status := m.status(); {
	case status == 100:
		if len(m.fields) > 0 {
			t.Errorf("100 with %q", names)
		}
	case status == 103:
		slices.Sort(names)
		if got := fmt.Sprint(names, m.get("X-Set"), m.get("Link")); got != "[Link X-Set] [ours] [</a.css>]" {
			t.Errorf("103 with %s", got)
		}
	case status == 101:
		got := fmt.Sprint(m.get("Connection"), m.get("Upgrade"), m.get("X-Token"), m.get("X-Set"), m.get("Content-Length"), m.get("Keep-Alive"), m.get("Goodgate-Drain"))
		if got != "[Upgrade] [websocket] [t] [ours] [] [] []" {
			t.Errorf("101 with %s", got)
		}
	case status == 200:
		if len(m.get("RateLimit")) != 1 || len(m.get("RateLimit-Policy")) != 1 || len(m.get("X-Request-Id")) != 1 {
			t.Errorf("200 without fields of goodgate: %q", m.fields)
		}
	}
}

// TestExpectationsOfHTTP2 checks that HTTP/2 clients get the same answer. net/http's
// server hides a list that contains 100-continue.
func TestExpectationsOfHTTP2(t *testing.T) {
	t.Parallel()
	a := &actor{}
	a.part.Store(&sample{bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"})
	g := start(t, interimConfig(t, listen(t, a.serve)), Options{})
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	for expect, want := range map[string]int{"tea": 417, "100-continue": 200, "": 200} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+g.addrs[0]+"/", strings.NewReader("hi"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header["Expect"] = []string{expect}
		res, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%q: got %d, want %d", expect, res.StatusCode, want)
		}
	}
}

// TestTrailersOfResponses checks which trailer fields reach the client.
func TestTrailersOfResponses(t *testing.T) {
	t.Parallel()
	const fields = "Transfer-Encoding: gzip\r\nContent-Length: 3\r\nConnection: close\r\nSet-Cookie: a\r\nGoodgate-Drain: 1s\r\n" +
		"X-Request-Id: evil\r\nX-Secret: evil\r\nx-set: evil\r\nX-Sum: 7\r\n"
	for _, announced := range []string{"", "Trailer: X-Sum\r\n", "Trailer: X-Sum, X-Secret, Goodgate-Drain, Connection\r\n"} {
		a := &actor{}
		a.part.Store(&sample{bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + announced + "\r\n2\r\nok\r\n0\r\n" + fields + "\r\n"})
		g := start(t, interimConfig(t, listen(t, a.serve)), Options{})
		res, err := http.Get("http://" + g.addrs[0] + "/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if want := (http.Header{"Set-Cookie": {"a"}, "X-Sum": {"7"}}); err != nil || string(body) != "ok" || fmt.Sprint(res.Trailer) != fmt.Sprint(want) {
			t.Errorf("%q: got %q, %v, trailer %v; want %v", announced, body, err, res.Trailer, want)
		}
	}
}
