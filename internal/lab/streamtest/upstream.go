package streamtest

import (
	"bufio"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Upstream answers each request with the next answer of a list, on any connection.
type Upstream struct {
	Path string // path of its socket

	mu      sync.Mutex // protects the field below
	answers []Answer
}

// NewUpstream returns an upstream that runs until the test ends.
func NewUpstream(t testing.TB) *Upstream {
	u := &Upstream{Path: filepath.Join(t.TempDir(), "up")}
	l, err := net.Listen("unix", u.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(Accept(l, u.serve))
	return u
}

// Accept calls serve with each connection of l, and closes the connection after that.
// stop closes l and waits for all of them.
func Accept(l net.Listener, serve func(net.Conn)) (stop func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	return func() {
		l.Close()
		wg.Wait()
	}
}

// Play sets the answers.
func (u *Upstream) Play(list []Answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers = list
}

func (u *Upstream) next() (Answer, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.answers) == 0 {
		return Answer{}, false
	}
	a := u.answers[0]
	u.answers = u.answers[1:]
	return a, true
}

func (u *Upstream) serve(c net.Conn) {
	br := bufio.NewReader(c)
	for {
		if _, err := http.ReadRequest(br); err != nil {
			return
		}
		a, ok := u.next()
		if !ok {
			return
		}
		if _, err := c.Write([]byte(a.Bytes)); err != nil || a.Closes || !a.Complete() {
			return
		}
	}
}

// Complete reports whether an answer is complete by the rules of the standard, without
// the end of the connection, and with nothing after it. After any other answer the
// upstream closes, so that no client waits for more.
func (a *Answer) Complete() bool {
	r := strings.NewReader(a.Bytes)
	out := ReadAnswer(bufio.NewReader(noEnd{r}), a.Method)
	return out.Whole && r.Len() == 0
}
