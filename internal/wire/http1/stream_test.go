package http1

import (
	"bufio"
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/lab/streamtest"
	"github.com/goodgate/goodgate/internal/wire/deadline"
)

// lenient matches bytes that http1 reads as RFC 9112 requires, and net/http refuses or
// reads differently: spaces before the extension of a chunk, and Transfer-Encoding in
// HTTP/1.0.
var lenient = regexp.MustCompile(`[ \t];|HTTP/1\.0 `)

// FuzzStreamResponses sends requests one after the other to an upstream with odd answers,
// on reused connections where possible. Each accepted answer means the same to net/http,
// has no bytes of another answer, and does not depend on how the bytes are split.
func FuzzStreamResponses(f *testing.F) {
	up := streamtest.NewUpstream(f)
	for _, seed := range streamtest.Seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		answers, sizes := streamtest.Answers(data)
		got := exchangeAll(t, up, answers, sizes)
		whole := exchangeAll(t, up, answers, nil)
		for i, a := range answers {
			o := got[i]
			if w := whole[i]; o.Whole != w.Whole || !o.Agrees(w) {
				t.Errorf("%q by %v:\ngot     %v\nat once %v", a.Bytes, sizes, o, w)
			}
			if deadline.Exceeded(o.Err) || deadline.Exceeded(whole[i].Err) {
				t.Errorf("%q is waited for: %v, %v", a.Bytes, o.Err, whole[i].Err)
			}
			for _, other := range answers {
				if other.Mark != a.Mark && strings.IndexByte(o.Body+o.Sum, other.Mark) >= 0 && strings.IndexByte(a.Bytes, other.Mark) < 0 {
					t.Errorf("%q: got %v, which is of %q", a.Bytes, o, other.Bytes)
				}
			}
			if lenient.MatchString(a.Bytes) {
				continue
			}
			std := streamtest.ReadAnswer(bufio.NewReader(strings.NewReader(a.Bytes)), a.Method)
			if !o.Agrees(std) || o.Whole && !std.Whole {
				t.Errorf("%q:\ngot      %v\nnet/http %v", a.Bytes, o, std)
			}
		}
	})
}

// exchangeAll sends a request for each answer.
func exchangeAll(t *testing.T, up *streamtest.Upstream, answers []streamtest.Answer, sizes []int) (list []streamtest.Outcome) {
	up.Play(answers)
	tr := New(Options{MaxIdle: 1, MaxHeader: 64 << 10, ResponseHeader: 5 * time.Second, Idle: 5 * time.Second, ReadBuffer: 4 << 10,
		Dial: func(context.Context) (net.Conn, error) {
			c, err := net.Dial("unix", up.Path)
			if sizes == nil {
				return c, err
			}
			return &streamtest.Short{Conn: c, Sizes: streamtest.NewSizes(sizes)}, err
		},
	})
	defer tr.Close()
	for _, a := range answers {
		r := request(t, a.Method, "")
		var x Call
		res, err := tr.RoundTrip(r, &x)
		if err != nil && x.Reused && x.Received() == 0 { // the upstream was closing the connection
			res, err = tr.RoundTrip(r, nil)
		}
		list = append(list, streamtest.Collect(res, err))
	}
	return list
}

// FuzzStreamResponsesNode compares with Node's client. Either may refuse an answer that
// the other accepts.
func FuzzStreamResponsesNode(f *testing.F) {
	up := streamtest.NewUpstream(f)
	node := streamtest.StartNode(f)
	compareAnswers(f, up, func(method string) (streamtest.Outcome, error) { return node.Get(method, up) })
}

// FuzzStreamResponsesNginx is the same with nginx as a proxy, which passes no trailers
// on.
func FuzzStreamResponsesNginx(f *testing.F) {
	up := streamtest.NewUpstream(f)
	nginx := streamtest.StartNginx(f, up)
	compareAnswers(f, up, nginx.Get)
}

// theirs matches bytes that the others read differently: a tab around a value (RFC 9110,
// section 5.6.3), which both keep as a part of it, and a CR in a reason phrase, which
// ends the line for Node. http1 drops that phrase.
var theirs = regexp.MustCompile(`\t|^HTTP/1\.\d \d\d\d[^\r\n]*\r[^\n]`)

func compareAnswers(f *testing.F, up *streamtest.Upstream, get func(method string) (streamtest.Outcome, error)) {
	up.Play([]streamtest.Answer{{Bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", Closes: true}})
	if o, err := get("GET"); err != nil || !o.Whole || o.Body != "a" {
		f.Fatalf("a plain answer: got %v, %v", o, err)
	}
	for _, seed := range streamtest.Seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		answers, sizes := streamtest.Answers(data)
		got := exchangeAll(t, up, answers, sizes)
		for i, a := range answers {
			a.Closes = true
			up.Play([]streamtest.Answer{a})
			want, err := get(a.Method)
			if err != nil {
				t.Fatalf("%q: %v", a.Bytes, err)
			}
			got[i].Sum, want.Sum = "", ""
			if want.Status >= 200 && !lenient.MatchString(a.Bytes) && !theirs.MatchString(a.Bytes) && !got[i].Agrees(want) {
				t.Errorf("%q by %v:\ngot   %v\nother %v", a.Bytes, sizes, got[i], want)
			}
		}
	})
}
