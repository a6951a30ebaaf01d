package gate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// actor is an upstream that answers /second as it should, and everything else
// with the bytes of a sample.
type actor struct{ part atomic.Pointer[sample] }

func (a *actor) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		m, err := readStrict(br, nil)
		if err != nil {
			return
		}
		if strings.HasPrefix(m.start, "GET /second ") {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext")
			continue
		}
		s := a.part.Load()
		io.WriteString(c, s.bytes)
		if s.closes {
			return
		}
	}
}

// refusals are the reasons for refusing a response.
var refusals = map[string][]reason.Reason{
	"":          {reason.ResponseMalformed},
	"truncated": {reason.ResponseTruncated, reason.ResponseStalled},
	"large":     {reason.ResponseHeaderTooLarge},
	"closed":    {reason.ClosedBeforeResponse},
}

// TestMalformedResponses checks that every response of the corpus is either refused or
// reaches the client as one response with one meaning, and that the rest of its bytes
// is never used as the answer to another request.
func TestMalformedResponses(t *testing.T) {
	t.Parallel()
	a, why := &actor{}, &reasons{}
	upstream := listen(t, a.serve)
	g := start(t, parse(t, fmt.Sprintf(corpusYAML, "http://"+upstream)), Options{Observe: []func(*proxy.Record){why.observe}})
	counts := map[string]int{}
	list := readCorpus(t, "responses.txt")
	for _, s := range list {
		t.Run(s.name, func(t *testing.T) {
			method := s.method
			if method == "" {
				method = "GET"
			}
			a.part.Store(&s)
			why.take()
			final := 0
			bodiless := func(m *message) bool {
				code := m.status()
				if code < 200 {
					return true
				}
				final++
				return code == 204 || code == 304 || method == "HEAD" && final == 1
			}
			answers, err := talk(t, g.addrs[0], method+" /first HTTP/1.1\r\nHost: a.example\r\n\r\n"+second, bodiless)
			if _, network := errors.AsType[net.Error](err); err != nil && !network && err != io.ErrUnexpectedEOF {
				t.Errorf("the client reads: %v", err)
			}
			counts[s.judgeResponse(t, answers, why.take())]++
		})
	}
	t.Logf("%d responses: %v", len(list), counts)
	if len(list) < 90 {
		t.Errorf("the corpus has %d responses, want 90 or more", len(list))
	}
}

func (s *sample) judgeResponse(t *testing.T, answers []*message, why []reason.Reason) string {
	t.Helper()
	if kind, ok := s.want("refused"); ok {
		answers = slices.DeleteFunc(slices.Clone(answers), func(m *message) bool { return m.status() < 200 })
		if len(answers) != 2 || answers[0].status() < 502 || answers[0].status() > 504 || answers[1].body != "next" {
			t.Fatalf("got answers %v, want a gateway error and the second", describe(answers))
		}
		if len(why) == 0 || !slices.Contains(refusals[kind], why[0]) {
			t.Errorf("got reasons %v, want one of %v", why, refusals[kind])
		}
		return "refused"
	}
	code, _ := s.want("status")
	if len(answers) == 0 || strconv.Itoa(answers[0].status()) != code {
		t.Fatalf("got answers %v, want a %s", describe(answers), code)
	}
	for _, m := range answers {
		if strings.Contains(m.body, "evil") {
			t.Errorf("got an answer %q %q", m.start, m.body)
		}
	}
	if last := answers[len(answers)-1]; last.body != "next" {
		t.Errorf("got answers %v, want the second at the end", describe(answers))
	}
	s.compareFields(t, answers[0])
	return "relayed"
}

func describe(list []*message) []string {
	var out []string
	for _, m := range list {
		out = append(out, fmt.Sprintf("%s (%d bytes)", m.start, len(m.body)))
	}
	return out
}

// TestConnectionForEachRequest checks that a pool without kept connections uses a new
// one for each request: bytes after an answer belong to no request, however late they
// arrive.
func TestConnectionForEachRequest(t *testing.T) {
	t.Parallel()
	for setting, most := range map[string]int64{"timeouts: {keepalive: 0s}": 3, "max_idle_conns: 0": 3, "max_idle_conns: 1": 1} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			var conns atomic.Int64
			upstream := listen(t, func(c net.Conn) {
				conns.Add(1)
				(&recorder{}).serve(c)
			})
			g := start(t, parse(t, fmt.Sprintf(`
listeners: [{address: "127.0.0.1:0"}]
shutdown: {lame_duck: 0s}
pools: {app: {upstreams: ["http://%s"], health: {type: none}, %s}}`, upstream, setting)), Options{})
			for range 3 {
				get(t, "http://"+g.addrs[0])
			}
			if got := conns.Load(); got != most {
				t.Errorf("three requests went over %d connections, want %d", got, most)
			}
		})
	}
}

// TestSwitchSaysUpgrade checks that the answer that begins a tunnel has only "upgrade"
// in Connection. An earlier version had "close" first, which clients that look at one
// value rejected.
func TestSwitchSaysUpgrade(t *testing.T) {
	t.Parallel()
	a := &actor{}
	a.part.Store(&sample{bytes: "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", closes: true})
	g := start(t, parse(t, fmt.Sprintf(corpusYAML, "http://"+listen(t, a.serve))), Options{})
	answers, err := talk(t, g.addrs[0], "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", func(*message) bool { return true })
	if err != nil || len(answers) != 1 || answers[0].status() != 101 {
		t.Fatalf("got %v, %v; want a 101", describe(answers), err)
	}
	if got := answers[0].get("Connection"); !slices.Equal(got, []string{"Upgrade"}) {
		t.Errorf("Connection: got %q, want one Upgrade", got)
	}
}
