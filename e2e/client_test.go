package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The client of these tests writes requests to a net.Conn itself and never
// sends one twice. http.Client would not do: its transport repeats a GET whose
// kept connection turns out to be closed, and so hides what these tests look for.

// echo is the answer of an app server: a description of the request.
type echo struct {
	App     string            `json:"app"`
	Method  string            `json:"method"`
	Target  string            `json:"target"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

// conn is a connection of a client.
type conn struct {
	net.Conn
	r *bufio.Reader
}

func dial(address string) (*conn, error) {
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	c, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &conn{c, bufio.NewReader(c)}, nil
}

// answer is a whole response.
type answer struct {
	*http.Response
	body string
}

// do sends a request, once, and reads the whole answer.
func (c *conn) do(r *http.Request) (*answer, error) {
	c.SetDeadline(time.Now().Add(2 * bound))
	if err := r.Write(c); err != nil {
		return nil, fmt.Errorf("writing: %w", err)
	}
	res, err := http.ReadResponse(c.r, r)
	if err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the body: %w", err)
	}
	return &answer{res, string(body)}, nil
}

// echo reads the app server's answer.
func (a *answer) echo(t *testing.T) (e echo) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &e); err != nil {
		t.Fatalf("status %d, body %q: not an app server's answer: %v", a.StatusCode, a.body, err)
	}
	return e
}

// request returns a request to an address, with headers as "Name: value".
func request(t *testing.T, method, path string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, "http://gate.test"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	return r
}

// ask sends one request on a new connection.
func ask(t *testing.T, address, method, path string, headers ...string) *answer {
	t.Helper()
	c := connect(t, address)
	a, err := c.do(request(t, method, path, headers...))
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// connect opens a connection for as long as the test runs.
func connect(t *testing.T, address string) *conn {
	t.Helper()
	c, err := dial(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
