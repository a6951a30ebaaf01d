package gate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goodgate/goodgate/reason"

	"github.com/goodgate/goodgate/proxy"
)

// sample is one message of the corpus; testdata/corpus/README.md explains the form.
type sample struct {
	name   string
	bytes  string
	wants  []string // "refused 400", "has NAME: VALUE" ...
	method string   // of the request that a response answers; "" = GET
	closes bool     // the upstream closes after the response
}

// want returns the value of a word, and whether the word is present.
func (s *sample) want(word string) (string, bool) {
	for _, w := range s.wants {
		if first, rest, _ := strings.Cut(w, " "); first == word {
			return rest, true
		}
	}
	return "", false
}

var repeated = regexp.MustCompile(`\{([^{}*]+)\*(\d+)\}`)

// readCorpus reads a file of samples.
func readCorpus(t *testing.T, name string) []sample {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "corpus", name))
	if err != nil {
		t.Fatal(err)
	}
	var list []sample
	for i, line := range strings.Split(string(text), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		if mark == "@" {
			list = append(list, sample{name: rest})
		}
		if mark == "" || mark == "#" || mark == "@" {
			continue
		}
		s := &list[len(list)-1]
		switch mark {
		case "<":
			s.bytes += unescape(t, rest) + "\r\n"
		case "<<":
			s.bytes += unescape(t, rest)
		case "method":
			s.method = rest
		case "closes":
			s.closes = true
		case ">":
			s.wants = append(s.wants, rest)
		default:
			t.Fatalf("%s:%d: %q", name, i+1, line)
		}
	}
	return list
}

// unescape knows Go's escapes, and {TEXT*N}.
func unescape(t *testing.T, line string) string {
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(line, `"`, `\"`) + `"`)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return repeated.ReplaceAllStringFunc(s, func(m string) string {
		parts := repeated.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	})
}

// recorder is an upstream that answers whole, unambiguous requests.
type recorder struct {
	mu   sync.Mutex // protects the fields below
	seen []*message
	odd  []error // the bytes on the wire instead
}

func (r *recorder) serve(c net.Conn) {
	defer c.Close()
	br := bufio.NewReader(c)
	for {
		m, err := readStrict(br, nil)
		r.mu.Lock()
		if err == nil {
			r.seen = append(r.seen, m)
		} else if _, network := errors.AsType[net.Error](err); err != io.EOF && err != io.ErrUnexpectedEOF && !network {
			r.odd = append(r.odd, err)
		}
		r.mu.Unlock()
		if err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}
}

func (r *recorder) take() ([]*message, []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, odd := r.seen, r.odd
	r.seen, r.odd = nil, nil
	return seen, odd
}

// listen serves connections until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return ln.Addr().String()
}

// corpusYAML has routes that a path must not bypass.
const corpusYAML = `
listeners: [{address: "127.0.0.1:0", timeouts: {header: 400ms, body_idle: 400ms}}]
shutdown: {lame_duck: 0s}
routes:
  - {name: admin, match: {path: /admin/*}, pool: app, request_headers: {set: {X-Route: admin}}}
  - {name: below, match: {path: /below/*}, strip_prefix: /below, add_prefix: /root, pool: app}
  - {name: rest, pool: app}
pools:
  app: {upstreams: [%q], health: {type: tcp}, retry: {attempts: 1, hedge: {budget: 0%%}}, breaker: {enabled: false}, timeouts: {response_header: 2s, idle: 500ms}}`

// reasons collects why requests failed.
type reasons struct {
	mu   sync.Mutex // protects list
	list []reason.Reason
}

func (r *reasons) observe(rec *proxy.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, rec.Reason)
}

func (r *reasons) take() []reason.Reason {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.list
	r.list = nil
	return list
}

// second is a request that follows on the same connection. It exposes a server that takes
// it for a part of the first, or the reverse.
const second = "GET /second HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"

// talk sends bytes and reads answers until the connection ends.
func talk(t *testing.T, address, bytes string, bodiless func(*message) bool) (answers []*message, err error) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	go io.WriteString(c, bytes) // unread output must not block the reader
	br := bufio.NewReader(c)
	for {
		m, err := readStrict(br, bodiless)
		if err != nil {
			if err == io.EOF {
				err = nil
			}
			return answers, err
		}
		answers = append(answers, m)
	}
}

// TestMalformedRequests checks that every request of the corpus is either refused or
// reaches the upstream as one request with one meaning.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	rec, why := &recorder{}, &reasons{}
	upstream := listen(t, rec.serve)
	g := start(t, parse(t, fmt.Sprintf(corpusYAML, "http://"+upstream)), Options{Observe: []func(*proxy.Record){why.observe}})
	counts := map[string]int{}
	list := readCorpus(t, "requests.txt")
	for _, s := range list {
		t.Run(s.name, func(t *testing.T) {
			answers, err := talk(t, g.addrs[0], s.bytes+second, func(*message) bool { return s.method == "HEAD" })
			if _, network := errors.AsType[net.Error](err); err != nil && !network {
				t.Errorf("the client reads: %v", err)
			}
			seen, odd := rec.take()
			if len(odd) > 0 {
				t.Errorf("the upstream reads: %v", odd)
			}
			counts[s.judge(t, answers, seen, why.take())]++
		})
	}
	t.Logf("%d requests: %v", len(list), counts)
	if len(list) < 150 {
		t.Errorf("the corpus has %d requests, want 150 or more", len(list))
	}
}

// judge compares what became of a request with what should, and says what did.
func (s *sample) judge(t *testing.T, answers, seen []*message, why []reason.Reason) string {
	t.Helper()
	status := 0
	if len(answers) > 0 {
		status = answers[0].status()
	}
	if wanted, ok := s.want("refused"); ok {
		if len(seen) > 0 {
			t.Fatalf("the upstream got %q %q, want a refusal (%d answered)", seen[0].start, seen[0].fields, status)
		}
		if want, _ := strconv.Atoi(wanted); len(answers) != 1 || status < 400 || want != 0 && status != want {
			t.Errorf("%d answers, the first is %d; want only a %s", len(answers), status, wanted)
		}
		if slices.Contains(why, reason.RequestMalformed) {
			return "refused with a reason"
		}
		return "refused without a reason"
	}
	got := fmt.Sprint(codes(answers), starts(seen[min(1, len(seen)):]))
	want := "[200 200] [GET /second HTTP/1.1]"
	if _, ok := s.want("alone"); ok {
		want = "[200] []"
	} else if code, ok := s.want("then"); ok {
		want = "[200 " + code + "] []"
	}
	if got != want || len(seen) == 0 {
		t.Fatalf("answers and what the upstream got behind the first: got %s, want %s", got, want)
	}
	s.compare(t, seen[0])
	return "forwarded"
}

func codes(list []*message) []int {
	var out []int
	for _, m := range list {
		out = append(out, m.status())
	}
	return out
}

func starts(list []*message) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.start)
	}
	return out
}

// compare checks a request against the expectations of a sample, and against the
// general rules.
func (s *sample) compare(t *testing.T, m *message) {
	t.Helper()
	s.compareFields(t, m)
	if got := m.get("Host"); len(got) != 1 {
		t.Errorf("Host: got %q, want one", got)
	}
	if got := m.get("X-Forwarded-For"); !slices.Equal(got, []string{"127.0.0.1"}) {
		t.Errorf("X-Forwarded-For: got %q, want only the client's address", got)
	}
	for _, f := range m.fields {
		if name := strings.ReplaceAll(f[0], "_", "-"); name != f[0] && strings.HasPrefix(strings.ToLower(name), "x-forwarded-") {
			t.Errorf("got a field %q", f[0])
		}
	}
}

// compareFields checks a message against the expectations of a sample.
func (s *sample) compareFields(t *testing.T, m *message) {
	t.Helper()
	for _, w := range s.wants {
		word, rest, _ := strings.Cut(w, " ")
		name, value, _ := strings.Cut(rest, ": ")
		switch word {
		case "alone", "then", "status":
		case "forwarded":
			if m.start != unescape(t, rest) {
				t.Errorf("got %q, want %q", m.start, rest)
			}
		case "has":
			if got := m.get(name); !slices.Equal(got, []string{unescape(t, value)}) {
				t.Errorf("%s: got %q, want one %q", name, got, value)
			}
		case "lacks":
			if got := m.get(name); len(got) > 0 {
				t.Errorf("%s: got %q, want none", name, got)
			}
		case "body":
			if want := unescape(t, rest); m.body != want {
				t.Errorf("body: got %q, want %q", m.body, want)
			}
		default:
			t.Errorf("what is %q?", w)
		}
	}
}
