package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/balancer"
)

// short is a limit that silence reaches.
const short = 200 * time.Millisecond

// probeKnown makes one alive probe of an upstream with the knowledge k.
func probeKnown(t testing.TB, p *Alive, u *balancer.Upstream, k *known, timeout time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), timeout, fmt.Errorf("test limit of %v: %w", timeout, context.DeadlineExceeded))
	defer cancel()
	t.Cleanup(k.close)
	return p.probeKnowing(ctx, u, k)
}

// after returns a server that reads the question and then reacts.
func after(t testing.TB, react func(net.Conn)) string {
	return listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		defer c.Close()
		c.Read(make([]byte, 4096))
		react(c)
	})
}

// says returns a reaction that keeps the connection open.
func says(text string) func(net.Conn) {
	return func(c net.Conn) {
		io.WriteString(c, text)
		io.Copy(io.Discard, c)
	}
}

func ends(net.Conn)     {}
func resets(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }

// Every reaction of a process is a sign of life. Silence counts only if the upstream has
// answered before.
func TestAliveReactions(t *testing.T) {
	t.Parallel()
	either, http1 := []bool{false, true}, []bool{false}
	f := func(name string, react func(net.Conn), over []bool, wantAnswered bool) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := upstreams(t, after(t, react))[0]
			for _, http2 := range over {
				for _, before := range []bool{false, true} {
					k := &known{answered: before}
					wantResult(t, probeKnown(t, NewAlive(AliveOptions{HTTP2: http2}), u, k, long), balancer.Passed, "")
					if want := before || wantAnswered; k.answered != want || k.asked != nil {
						t.Errorf("HTTP/2 %t: answered %t, asked %v, want %t and nothing open", http2, k.answered, k.asked, want)
					}
				}
			}
		})
	}
	f("200", says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), either, true)
	f("500", says("HTTP/1.1 500 Internal Server Error\r\n\r\n"), either, true)
	f("400 and the end", func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, either, true)
	f("half a status line", says("HTTP/1.1 2"), either, true)
	f("one byte", says("\x00"), http1, true)
	f("garbage without end", func(c net.Conn) {
		for {
			if _, err := io.WriteString(c, strings.Repeat("\xff", 1<<16)); err != nil {
				return
			}
		}
	}, either, true)
	f("SETTINGS", says("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), http1, true)
	f("GOAWAY and the end", func(c net.Conn) { io.WriteString(c, goAway) }, either, true)
	f("RST_STREAM", says(noSettings+"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x07"), either, true)
	f("FIN", ends, either, false)
	f("RST", resets, either, false)

	early := upstreams(t, raw(t, ""))[0]
	wantResult(t, probeKnown(t, NewAlive(AliveOptions{}), early, &known{}, long), balancer.Passed, "")
	mail := upstreams(t, listener(t, "tcp", "127.0.0.1:0", says("220 mail ready\r\n")))[0]
	wantResult(t, probeKnown(t, NewAlive(AliveOptions{}), mail, &known{}, long), balancer.Passed, "")
}

func TestAliveFailures(t *testing.T) {
	t.Parallel()
	p := NewAlive(AliveOptions{})
	k := &known{answered: true}
	wantResult(t, probeKnown(t, p, upstreams(t, refused(t))[0], k, long), balancer.Refused, "refused")
	if k.answered {
		t.Error("an upstream that refused a connection is held to what answered before")
	}
	u := upstreams(t, silent(t))[0]
	wantResult(t, probeKnown(t, p, u, &known{}, short), balancer.Passed, "") // it need not know the question
	wantResult(t, p.Probe(t.Context(), u), balancer.Passed, "")              // and is not waited for long
	wantResult(t, probeKnown(t, p, u, &known{answered: true}, short), balancer.Silent, "any answer to OPTIONS *: test limit")
	wantResult(t, probeKnown(t, NewAlive(AliveOptions{HTTP2: true}), u, &known{answered: true}, short), balancer.Silent, "any answer to OPTIONS *: test limit")
	talker := upstreams(t, after(t, says(noSettings+"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x08\x06\x00\x00\x00\x00\x0012345678")))[0]
	wantResult(t, probeKnown(t, NewAlive(AliveOptions{HTTP2: true}), talker, &known{answered: true}, short), balancer.Silent, "any answer to OPTIONS *: test limit")
}

// An upstream that answers live requests is not stopped even if it ignores the question.
func TestAliveByLiveTraffic(t *testing.T) {
	t.Parallel()
	var u *balancer.Upstream
	u = upstreams(t, after(t, func(c net.Conn) {
		u.Answered(time.Now()) // as a request that was answered
		io.Copy(io.Discard, c)
	}))[0]
	k := &known{answered: true}
	wantResult(t, probeKnown(t, NewAlive(AliveOptions{}), u, k, short), balancer.Passed, "")
	if k.asked != nil {
		t.Error("the question waits although the probe passed")
	}
}

// TestAliveQuestion checks the bytes of the question, and that the PROXY protocol's
// header comes before them.
func TestAliveQuestion(t *testing.T) {
	t.Parallel()
	f := func(network, addr string, o AliveOptions, want string) {
		t.Helper()
		got := make(chan string, 1)
		addr = listener(t, network, addr, func(c net.Conn) {
			defer c.Close()
			b := make([]byte, len(want))
			io.ReadFull(c, b)
			got <- string(b)
			io.WriteString(c, answerOK)
			io.Copy(io.Discard, c)
		})
		wantResult(t, probe(t, NewAlive(o), addr, long), balancer.Passed, "")
		if got, want := <-got, strings.ReplaceAll(want, "ADDR", addr); !strings.HasPrefix(want, got) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	const question = "OPTIONS * HTTP/1.1\r\nHost: localhost\r\nUser-Agent: goodgate-health\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n"
	f("unix", filepath.Join(t.TempDir(), "s"), AliveOptions{}, question)
	f("unix", filepath.Join(t.TempDir(), "s"), AliveOptions{Preface: []byte("PROXY UNKNOWN\r\n")}, "PROXY UNKNOWN\r\n"+question)
	f("tcp", "127.0.0.1:0", AliveOptions{}, "OPTIONS * HTTP/1.1\r\nHost: ADDR")
	f("tcp", "127.0.0.1:0", AliveOptions{Auto: true}, "OPTIONS * HTTP/1.1\r\nHost: ADDR")
	f("tcp", "127.0.0.1:0", AliveOptions{HTTP2: true}, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
}

// net/http answers by itself over both protocols, without calling a handler.
func TestAliveOfNetHTTP(t *testing.T) {
	t.Parallel()
	f := func(secure, http2 bool, o AliveOptions) {
		t.Helper()
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a handler was asked") }))
		errs := new(strings.Builder)
		s.Config.ErrorLog = log.New(errs, "", 0)
		s.EnableHTTP2 = http2
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetHTTP1(true)
		s.Config.Protocols.SetHTTP2(http2)
		s.Config.Protocols.SetUnencryptedHTTP2(http2)
		if secure {
			s.StartTLS()
			o.TLS = clientTLS(s)
		} else {
			s.Start()
		}
		u := members(t, balancer.Spec{Addr: s.Listener.Addr().String(), TLS: secure})[0]
		k := new(known)
		wantResult(t, probeKnown(t, NewAlive(o), u, k, long), balancer.Passed, "")
		s.Close()
		if !k.answered || errs.Len() > 0 {
			t.Errorf("TLS %t, HTTP/2 %t, %+v: answered %t, and the server logged %q", secure, http2, o, k.answered, errs)
		}
	}
	for _, secure := range []bool{false, true} {
		f(secure, false, AliveOptions{})
		f(secure, false, AliveOptions{Auto: true})
		f(secure, true, AliveOptions{})
		f(secure, true, AliveOptions{Auto: true})
		f(secure, true, AliveOptions{HTTP2: true})
	}
}

func TestAliveWithTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	trust := clientTLS(s)
	p := NewAlive(AliveOptions{TLS: trust})
	wantResult(t, probeTLS(t, p, hangup(t), long), balancer.Silent, "tls handshake")
	wantResult(t, probeTLS(t, p, silent(t), short), balancer.Silent, "test limit") // the handshake is the process's work
	wantResult(t, probeTLS(t, p, raw(t, "220 mail ready\r\n"), long), balancer.Silent, "tls handshake")
	other := NewAlive(AliveOptions{TLS: &tls.Config{RootCAs: trust.RootCAs, ServerName: "other.test"}})
	wantResult(t, probeTLS(t, other, s.Listener.Addr().String(), long), balancer.Silent, "tls handshake")

	mute := listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		io.Copy(io.Discard, tls.Server(c, &tls.Config{Certificates: s.TLS.Certificates}))
		c.Close()
	})
	u := members(t, balancer.Spec{Addr: mute, TLS: true})[0]
	wantResult(t, probeKnown(t, p, u, &known{}, long), balancer.Passed, "")
	wantResult(t, probeKnown(t, p, u, &known{answered: true}, time.Second), balancer.Silent, "any answer to OPTIONS *: test limit")
}

// asked is a server that passes on each connection with the question that it has read.
type asked struct {
	net.Conn
	request string
}

func askedServer(t testing.TB, config *tls.Config) (string, <-chan asked) {
	conns := make(chan asked, 10)
	return listener(t, "tcp", "127.0.0.1:0", func(c net.Conn) {
		if config != nil {
			c = tls.Server(c, config)
		}
		t.Cleanup(func() { c.Close() })
		if line, err := bufio.NewReader(c).ReadString('\n'); err == nil {
			conns <- asked{c, line}
		}
	}), conns
}

// An unanswered question stays open, so that a busy server has one of them in its backlog
// and not one per probe.
func TestAliveAsksOnce(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	f := func(p *Alive, config *tls.Config) {
		t.Helper()
		addr, conns := askedServer(t, config)
		u := members(t, balancer.Spec{Addr: addr, TLS: config != nil})[0]
		k := &known{answered: true, kept: NewKept(1)}
		limit := short
		if config != nil {
			limit = time.Second // for a handshake, too
		}
		for range 2 {
			wantResult(t, probeKnown(t, p, u, k, limit), balancer.Silent, "test limit")
		}
		c := <-conns
		io.WriteString(c, answerOK)
		c.Close()
		wantResult(t, probeKnown(t, p, u, k, long), balancer.Passed, "")
		if n := k.kept.n.Load(); len(conns) > 0 || k.asked != nil || n != 0 {
			t.Errorf("asked %d times more, open %v, %d counted", len(conns), k.asked, n)
		}

		wantResult(t, probeKnown(t, p, u, k, limit), balancer.Silent, "test limit")
		<-conns
		k.until = time.Now() // the request has waited for long
		wantResult(t, probeKnown(t, p, u, k, limit), balancer.Silent, "test limit")
		c = <-conns

		c.Close() // as a kernel does for a dead process: another connection is asked
		done := make(chan error, 1)
		go func() { done <- probeKnown(t, p, u, k, long) }()
		c = <-conns
		io.WriteString(c, answerOK)
		c.Close()
		wantResult(t, <-done, balancer.Passed, "")
	}
	f(NewAlive(AliveOptions{}), nil)
	f(NewAlive(AliveOptions{TLS: clientTLS(s)}), &tls.Config{Certificates: s.TLS.Certificates})
}

// Open questions take no more connections than all probes may keep.
func TestAliveKeepsFewQuestions(t *testing.T) {
	t.Parallel()
	u := upstreams(t, silent(t))[0]
	kept := NewKept(1)
	for i, want := range []bool{true, false} {
		k := &known{answered: true, kept: kept}
		wantResult(t, probeKnown(t, NewAlive(AliveOptions{}), u, k, short), balancer.Silent, "test limit")
		if got := k.asked != nil; got != want {
			t.Errorf("question %d is open: %t, want %t", i, got, want)
		}
	}
}

// An open question does not hide that its upstream has died.
func TestAliveAfterSilenceRefused(t *testing.T) {
	t.Parallel()
	l := listen(t, "tcp", "127.0.0.1:0")
	u := upstreams(t, l.Addr().String())[0]
	k := &known{answered: true, kept: NewKept(1)}
	p := NewAlive(AliveOptions{})
	wantResult(t, probeKnown(t, p, u, k, short), balancer.Silent, "test limit")
	if k.asked == nil {
		t.Fatal("the question is not open")
	}
	l.Close()
	wantResult(t, probeKnown(t, p, u, k, long), balancer.Refused, "refused")
}

// The connection of an open question closes when its upstream is no longer probed, and
// when the checker ends.
func TestOpenQuestionsAreClosed(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(c *Checker, u *balancer.Upstream, stop func()){
		"no longer watched": func(c *Checker, _ *balancer.Upstream, _ func()) { c.Watch(nil) },
		"switched off":      func(_ *Checker, u *balancer.Upstream, _ func()) { u.SetOperator(balancer.Off) },
		"the checker ends":  func(_ *Checker, _ *balancer.Upstream, stop func()) { stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{}, 100)
			var asked atomic.Int32
			addr := after(t, func(c net.Conn) {
				if asked.Add(1) == 1 {
					io.WriteString(c, answerOK)
					return
				}
				io.Copy(io.Discard, c)
				ended <- struct{}{}
			})
			u := upstreams(t, addr)[0]
			kept, silent := NewKept(10), make(chan struct{}, 100)
			c := NewChecker(Options{
				Prober: NewAlive(AliveOptions{}), Kept: kept, Interval: short, Timeout: short, Thresholds: balancer.Thresholds{Rise: 1, Fall: 1},
				Report: func(e Event) {
					if e.Err != nil {
						silent <- struct{}{}
					}
				},
			})
			c.Watch([]*balancer.Upstream{u})
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan struct{})
			go func() { defer close(done); c.Run(ctx) }()
			<-silent
			end(c, u, stop)
			<-ended
			stop()
			<-done
			if n := kept.n.Load(); n != 0 {
				t.Errorf("%d connections counted after the end", n)
			}
		})
	}
}
