package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"reflect"
	"sync/atomic"
	"testing"
)

// outcome is the result of a script for a client.
type outcome struct {
	Failed     bool
	BodyFailed bool
	Status     string
	Proto      string
	Header     http.Header
	Length     int64
	Encoding   []string
	Close      bool
	Body       string
	Trailer    http.Header
	Infos      []int
	Reused     bool
}

// theatre is the server side of a script.
type theatre struct {
	addr  string
	conns atomic.Int32
	ended chan struct{} // closed when the script has ended its connection

	standard bool // http.Transport is on
}

// play serves a script, and answers all but the first request with 200.
func (s *script) play(t *testing.T) *theatre {
	st := &theatre{ended: make(chan struct{})}
	st.addr = serveRaw(t, func(c *net.TCPConn) {
		br := bufio.NewReader(c)
		first := st.conns.Add(1) == 1
		for {
			if _, _, err := readRequest(br); err != nil {
				return
			}
			if !first {
				io.WriteString(c, okResponse)
				continue
			}
			first = false
			step := max(len(s.send), 1)
			if s.bytes {
				step = 1
			}
			for i := 0; i < len(s.send); i += step {
				io.WriteString(c, s.send[i:i+step])
			}
			if s.end != nil {
				s.end(c)
				close(st.ended)
				return
			}
		}
	})
	return st
}

// observe runs a script with a client, and then checks whether a GET reuses the
// connection.
func (s *script) observe(t *testing.T, st *theatre, do func(*http.Request, *outcome) (*http.Response, error)) (o outcome, err error) {
	method := s.method
	if method == "" {
		method = "GET"
	}
	res, err := do(request(t, method, ""), &o)
	if err != nil {
		o.Failed = true
	} else {
		var b []byte
		if res.StatusCode != http.StatusSwitchingProtocols {
			b, err = io.ReadAll(res.Body)
		}
		res.Body.Close()
		o = outcome{
			BodyFailed: err != nil, Body: string(b), Infos: o.Infos,
			Status: res.Status, Proto: res.Proto, Header: res.Header, Length: res.ContentLength,
			Encoding: res.TransferEncoding, Close: res.Close, Trailer: res.Trailer,
		}
		if res.Close {
			res.Header.Del("Connection") // which net/http removes
		}
	}
	if s.end != nil {
		<-st.ended
	}
	if s.excess && st.standard {
		return o, err
	}
	res, again := do(request(t, "GET", ""), new(outcome))
	if again != nil {
		t.Fatalf("the next request: %v", again)
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	o.Reused = st.conns.Load() == 1
	return o, err
}

func (s *script) standard(t *testing.T) outcome {
	st := s.play(t)
	st.standard = true
	std := &http.Transport{DisableCompression: true, MaxResponseHeaderBytes: maxHeader}
	defer std.CloseIdleConnections()
	o, _ := s.observe(t, st, func(r *http.Request, o *outcome) (*http.Response, error) {
		r.URL.Host = st.addr
		return std.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, _ textproto.MIMEHeader) error {
				o.Infos = append(o.Infos, code)
				return nil
			},
		})))
	})
	return o
}

func (s *script) ours(t *testing.T) (outcome, error) {
	st := s.play(t)
	tr := transport(t, st.addr, func(o *Options) { o.MaxHeader = maxHeader })
	defer tr.Close()
	return s.observe(t, st, func(r *http.Request, o *outcome) (*http.Response, error) {
		return tr.RoundTrip(r, &Call{Got1xx: func(code int, _ textproto.MIMEHeader) error {
			o.Infos = append(o.Infos, code)
			return nil
		}})
	})
}

func TestLikeStandardTransport(t *testing.T) {
	t.Parallel()
	for _, s := range scripts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			want := s.standard(t)
			got, err := s.ours(t)
			if e, ok := errors.AsType[*Error](err); err != nil && !ok {
				t.Errorf("got a %T, %v; want an *Error", err, err)
			} else if s.fails && (!ok || e.Kind != s.kind) {
				t.Errorf("got error %v, want one of kind %v", err, s.kind)
			}
			same := reflect.DeepEqual(got, want)
			switch {
			case s.differs == "" && !same:
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			case s.differs != "" && same:
				t.Errorf("no difference, although %s: %+v", s.differs, got)
			case s.differs != "" && (got.Failed != s.fails || got.Reused != s.reused):
				t.Errorf("got failed %t, reused %t; want %t, %t, since %s", got.Failed, got.Reused, s.fails, s.reused, s.differs)
			}
		})
	}
}

func TestKindsOfFailure(t *testing.T) {
	t.Parallel()
	f := func(name string, phase Phase, kind Kind, end End) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range scripts {
				if s.name != name {
					continue
				}
				tr := transport(t, s.play(t).addr, func(o *Options) { o.MaxHeader = maxHeader })
				defer tr.Close()
				var x Call
				res, err := tr.RoundTrip(request(t, "GET", ""), &x)
				if err == nil {
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				e, ok := errors.AsType[*Error](err)
				if !ok || e.Phase != phase || e.Kind != kind || x.End() != end {
					t.Errorf("got %v, end %v; want %v: %v, end %v", err, x.End(), phase, kind, end)
				}
				if x.Reused || !x.Sent() || x.Undelivered {
					t.Errorf("got %v, want a sent request on a new connection", describe(&x))
				}
				return
			}
			t.Fatal("no such script")
		})
	}
	f("closed at once", PhaseHeader, Closed, FIN)
	f("reset at once", PhaseHeader, Reset, RST)
	f("closed in the header", PhaseHeader, Closed, FIN)
	f("reset in the header", PhaseHeader, Reset, RST)
	f("closed in the body", PhaseBody, Closed, FIN)
	f("reset in the body", PhaseBody, Reset, RST)
	f("until reset", PhaseBody, Reset, RST)
	f("chunked, then closed", PhaseBody, Closed, FIN)
	f("chunked, closed before the last line", PhaseBody, Closed, FIN)
	f("chunk size malformed", PhaseBody, Malformed, NoEnd)
	f("trailer, malformed", PhaseBody, Malformed, NoEnd)
	f("trailer of 20 KiB", PhaseBody, HeaderTooLarge, NoEnd)
	f("garbage", PhaseHeader, Malformed, NoEnd)
	f("HTTP/2 preface", PhaseHeader, Malformed, NoEnd)
	f("header too large", PhaseHeader, HeaderTooLarge, NoEnd)
	f("header without an end", PhaseHeader, HeaderTooLarge, NoEnd)
}

func describe(x *Call) string {
	return fmt.Sprintf("reused %t, idle for %v, written %d, received %d, end %v, undelivered %t",
		x.Reused, x.IdleFor, x.Written(), x.Received(), x.End(), x.Undelivered)
}
