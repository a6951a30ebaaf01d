package inbound

import (
	"log/slog"
	"net/http"
	"regexp"
	"testing"

	"github.com/goodgate/goodgate/internal/lab/streamtest"
)

// streamServer is a server whose answers describe the requests that it has read.
func streamServer(t testing.TB) *streamtest.Listener {
	l := streamtest.NewListener()
	serveOn(t, l, Options{Handler: http.HandlerFunc(streamtest.Tell), MaxHeader: 64 << 10, Log: slog.New(slog.DiscardHandler)})
	return l
}

// lenient matches input that this server accepts, as RFC 9112 requires or allows, and
// net/http refuses: blanks before the extension of a chunk, and empty lines before
// requests.
var lenient = regexp.MustCompile(`[ \t];|\n\n|\n\r\n|^[\r\n]`)

// FuzzStreamRequests checks that net/http's server reads the same requests from a
// stream, with the same bodies and trailers and in the same order, unless this server
// refuses the stream earlier. The division of the stream into reads makes no
// difference.
func FuzzStreamRequests(f *testing.F) {
	own := streamServer(f)
	l := streamtest.NewListener()
	standard := &http.Server{Handler: http.HandlerFunc(streamtest.Tell), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0), DisableGeneralOptionsHandler: true}
	go standard.Serve(l)
	f.Cleanup(func() { standard.Close() })
	for _, seed := range streamtest.Seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		stream, sizes := streamtest.Requests(data)
		got := streamtest.Saw(streamtest.Talk(t, own, stream, sizes))
		whole := streamtest.Saw(streamtest.Talk(t, own, stream, nil))
		if len(got) != len(whole) || !streamtest.Agree(got, whole) {
			t.Errorf("%q by %v:\ngot      %q\nat once  %q", stream, sizes, got, whole)
		}
		want := streamtest.Saw(streamtest.Talk(t, l, stream, nil))
		if !streamtest.Agree(got, want) || len(got) > len(want) && !lenient.MatchString(stream) {
			t.Errorf("%q by %v:\ngot      %q\nnet/http %q", stream, sizes, got, want)
		}
	})
}

// FuzzStreamNode is FuzzStreamRequests with Node.js. Either server may refuse requests
// that the other one reads, because goodgate writes each request anew.
func FuzzStreamNode(f *testing.F) {
	compareStreams(f, streamtest.StartNode(f).Socket, func(saw []string) []string { return saw })
}

// FuzzStreamNginx is the same with nginx, which passes no trailers on.
func FuzzStreamNginx(f *testing.F) {
	compareStreams(f, streamtest.StartNginx(f, streamtest.NewUpstream(f)).Socket, streamtest.WithoutTrailers)
}

func compareStreams(f *testing.F, socket string, compared func([]string) []string) {
	own := streamServer(f)
	const plain = "GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nb"
	if out, err := streamtest.Ask(socket, plain, []int{5}); err != nil || len(streamtest.Saw(out)) != 2 {
		f.Fatalf("a plain stream: got %q, %v", out, err)
	}
	for _, seed := range streamtest.Seeds() {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		stream, sizes := streamtest.Requests(data)
		got := compared(streamtest.Saw(streamtest.Talk(t, own, stream, sizes)))
		out, err := streamtest.Ask(socket, stream, sizes)
		if err != nil {
			t.Fatalf("%q: %v", stream, err)
		}
		if want := compared(streamtest.Saw(out)); !streamtest.Agree(got, want) {
			t.Errorf("%q by %v:\ngot   %q\nother %q", stream, sizes, got, want)
		}
	})
}
