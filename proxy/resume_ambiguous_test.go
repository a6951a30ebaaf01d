package proxy_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/proxy"
)

// TestResumeOfAmbiguousAnswers: an answer whose range is ambiguous is not completed, and
// completes no other. Before, the first value of a field counted, and the client got
// bytes that neither upstream has.
func TestResumeOfAmbiguousAnswers(t *testing.T) {
	t.Parallel()
	const (
		size  = 16 << 10
		tag   = "ETag: \"v1\"\n"
		first = tag + "Accept-Ranges: bytes\n"
		rest  = tag + "Content-Range: bytes 8192-16383/16384\n"
	)
	for name, tc := range map[string]struct {
		first, rest string
		want        bool
	}{
		"unambiguous":                     {first, rest, true},
		"the same coding":                 {first + "Content-Encoding: gzip\n", rest + "Content-Encoding: gzip\n", true},
		"first: two tags":                 {first + "ETag: \"v2\"\n", rest, false},
		"first: the same tag twice":       {first + tag, rest, false},
		"first: two tags in one line":     {"Accept-Ranges: bytes\nETag: \"v1\", \"v2\"\n", rest, false},
		"first: two Accept-Ranges":        {first + "Accept-Ranges: none\n", rest, false},
		"first: a 200 of a part":          {first + "Content-Range: bytes 0-16383/16384\n", rest, false},
		"first: parts":                    {first + "Content-Type: multipart/byteranges; boundary=x\n", rest, false},
		"rest: two tags":                  {first, rest + "ETag: \"v2\"\n", false},
		"rest: two tags, the other first": {first, "ETag: \"v2\"\n" + rest, false},
		"rest: two ranges":                {first, rest + "Content-Range: bytes 0-8191/16384\n", false},
		"rest: the same range twice":      {first, rest + "Content-Range: bytes 8192-16383/16384\n", false},
		"rest: two ranges in one line":    {first, tag + "Content-Range: bytes 8192-16383/16384, bytes 0-1/16384\n", false},
		"rest: parts":                     {first, rest + "Content-Type: text/plain\nContent-Type: Multipart/ByteRanges; boundary=x\n", false},
		"rest: another coding":            {first, rest + "Content-Encoding: gzip\n", false},
		"rest: one coding more":           {first + "Content-Encoding: gzip\n", rest + "Content-Encoding: gzip\nContent-Encoding: br\n", false},
	} {
		s := setup{upstreams: specs("a:80", "b:80")}
		s.pool.Retry = retries(1)
		s.pool.Commit = proxy.Commit{Buffer: 4 << 10, Resume: true}
		bubble(t, s, func(w *world) {
			asked := 0
			w.script("a:80", func(c *wire) {
				if c.header() != nil {
					c.say(fmt.Sprint("HTTP/1.1 200 OK\nContent-Length: ", size, "\n", tc.first, "\n"))
					io.WriteString(c, strings.Repeat("a", size/2))
				}
			})
			w.script("b:80", func(c *wire) {
				if c.header() != nil {
					asked++
					c.say(fmt.Sprint("HTTP/1.1 206 Partial Content\nContent-Length: ", size/2, "\n", tc.rest, "\n"))
					io.WriteString(c, strings.Repeat("b", size/2))
				}
			})
			got := w.get()
			check(t, name+": completed", got.err == nil, tc.want)
			if strings.HasPrefix(name, "first") {
				check(t, name+": asked for the rest", asked, 0)
			}
			if !tc.want && strings.Contains(got.body, "b") {
				t.Errorf("%s: the client got bytes of the other answer", name)
			}
		})
	}
}
