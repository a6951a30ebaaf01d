package proxy_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goodgate/goodgate/proxy"
)

// FuzzRelays compares the plain relay with httputil's: the upstream receives the same
// requests, the client gets the same answer, and the record is the same. The functions
// that render these remove the permitted differences.
func FuzzRelays(f *testing.F) {
	f.Add([]byte(nil))
	for seed := range uint16(300) {
		b := make([]byte, 160)
		rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
		f.Add(b)
	}
	pages, err := proxy.NewPages("", "")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctestBubble(t, func(t *testing.T) {
			plain := converse(t, b, "inbound", pages)
			library := converse(t, b, "inbound-httputil", pages)
			if plain != library {
				t.Errorf("by the plain relay:\n%s\n\nby httputil:\n%s\n\nthe request: %s", plain, library, scriptOf(b))
			}
		})
	})
}

// scriptOf describes the script.
func scriptOf(b []byte) string {
	d := &dice{b}
	s := d.rules()
	method, parts, leaves := d.request()
	var text strings.Builder
	rt := &s.route
	fmt.Fprintf(&text, "%s, leaves %v\nroute: strip %q, add %q, host %q, request %+v, response %+v, fallback %v\npool: retry %+v, commit %+v, sticky %v",
		shown(parts), leaves, rt.StripPrefix, rt.AddPrefix, rt.Host, rt.RequestHeaders, rt.ResponseHeaders, rt.Fallback, s.pool.Retry, s.pool.Commit, s.pool.Sticky != nil)
	for range replies {
		a := d.reply(method, leaves || len(parts) > 1)
		fmt.Fprintf(&text, "\nan answer: %s early %v leaves %v refuses %v", shown(a.parts), a.early, a.leaves, a.refuses)
	}
	return text.String()
}

func shown(parts []part) string {
	var b strings.Builder
	for _, p := range parts {
		fmt.Fprintf(&b, "(%v) %.600q ", p.after, p.text)
	}
	return b.String()
}

// replies is the number of answers of the upstreams. The last one is repeated.
const replies = 3

// converse runs the script with one relay, and returns what each side has seen.
func converse(t *testing.T, b []byte, front string, pages *proxy.Pages) string {
	d := &dice{b}
	s := d.rules()
	s.front, s.proxy.Pages, s.upstreams = front, pages, specs("one:80", "two:80")
	method, parts, leaves := d.request()
	var answers []reply
	early := false
	for range replies {
		a := d.reply(method, leaves || len(parts) > 1)
		answers, early = append(answers, a), early || a.early
	}
	if early {
		s.pool.Retry.Attempts = 1
	}
	w := start(t, s)
	w.inBubble = true
	var asked journal
	for _, addr := range []string{"one:80", "two:80"} {
		w.script(addr, func(c *wire) {
			for serveReply(c, addr, &asked, &answers) {
			}
		})
	}
	c := w.dial()
	began := time.Now()
	c.SetReadDeadline(began.Add(30 * time.Second)) // the client's bytes need not have an end
	go func() {
		send(c, parts)
		if leaves {
			time.Sleep(41 * time.Millisecond) // when nothing else happens
			c.CloseWrite()
		}
	}()
	got := clientSees(c, method, began)
	if !early {
		got += behindIt(c)
	}
	c.Close()
	time.Sleep(10 * time.Second)
	return made.ReplaceAllString(asked.String()+"\nclient: "+got+"\nrecord: "+w.account(early), "ID")
}

// made matches request IDs, which are random.
var made = regexp.MustCompile(`\b[0-9a-f]{32}\b`)

func send(c *wire, parts []part) {
	for _, p := range parts {
		time.Sleep(p.after)
		if _, err := io.WriteString(c, p.text); err != nil {
			return
		}
	}
}

// serveReply answers one request, and reports whether the connection stays open.
func serveReply(c *wire, addr string, asked *journal, answers *[]reply) bool {
	r, err := http.ReadRequest(c.r)
	if err != nil {
		return false
	}
	asked.mu.Lock()
	a := (*answers)[0]
	if len(*answers) > 1 {
		*answers = (*answers)[1:]
	}
	asked.mu.Unlock()
	body := "unread"
	if !a.early {
		all, err := io.ReadAll(r.Body)
		body = fmt.Sprintf("%s %v", short(all), err)
		if err != nil {
			body = "broken"
		}
	}
	asked.add("%s", upstreamSees(addr, r, body))
	if a.refuses {
		return false
	}
	send(c, a.parts)
	if a.early {
		io.Copy(io.Discard, r.Body)
	}
	return !a.leaves
}

// upstreamSees renders a request without the order and the case of its fields, and
// without things that the library cannot send: a second or an empty User-Agent, some
// spellings of a path, and an optional length of 0.
func upstreamSees(addr string, r *http.Request, body string) string {
	h := r.Header
	if agents := h["User-Agent"]; len(agents) > 0 {
		h["User-Agent"] = agents[:1]
		if agents[0] == "" {
			delete(h, "User-Agent")
		}
	}
	h.Del("Content-Length")
	target := r.RequestURI
	if u, err := url.ParseRequestURI(target); err == nil {
		target = fmt.Sprintf("%q, %d encoded slashes, ?%s %v", u.Path, strings.Count(strings.ToUpper(target), "%2F"), u.RawQuery, u.ForceQuery)
	}
	return fmt.Sprintf("%s: %s %s of %q, length %d %q, close %v\n%s%s\ntrailer: %s\n", addr, r.Method, target, r.Host, r.ContentLength, r.TransferEncoding, r.Close, fieldLines(h), body, fieldLines(r.Trailer))
}

// fieldLines renders fields by name.
func fieldLines(h http.Header) string {
	var lines []string
	for name, values := range h {
		for _, v := range values {
			lines = append(lines, fmt.Sprintf("  %s: %q\n", name, v))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// clientSees renders the answers up to the final one. The framing of a body may differ.
// So may the received part of an answer that is cut off, since httputil flushes it on
// another goroutine.
func clientSees(c *wire, method string, began time.Time) string {
	var b strings.Builder
	for {
		res, err := http.ReadResponse(c.r, &http.Request{Method: method})
		if err != nil {
			return b.String() + "cut off"
		}
		if res.StatusCode == http.StatusContinue { // an early answer may replace it
			continue
		}
		headAt := time.Since(began).Round(time.Microsecond)
		all, err := io.ReadAll(res.Body)
		if err != nil {
			return b.String() + "cut off"
		}
		h := res.Header
		if method != "HEAD" && res.StatusCode >= 200 {
			h.Del("Content-Length")
		}
		var announced []string
		for _, list := range h["Trailer"] {
			announced = append(announced, strings.Split(strings.ReplaceAll(list, " ", ""), ",")...)
		}
		if h["Trailer"] = announced; !slices.Contains(h["Date"], "Thu, 01 Jan 1970 00:00:00 GMT") {
			h.Del("Date")
		}
		fmt.Fprintf(&b, "%d at %v to %v\n%s%s\ntrailer: %s", res.StatusCode, headAt, time.Since(began).Round(time.Microsecond), fieldLines(h), short(all), fieldLines(res.Trailer))
		if res.StatusCode >= 200 {
			return b.String()
		}
	}
}

// behindIt describes the bytes after an answer.
func behindIt(c *wire) string {
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := c.r.ReadByte()
	switch {
	case err == nil:
		return "more"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "kept"
	}
	return "closed"
}

func short(b []byte) string {
	b = made.ReplaceAll(b, []byte("ID"))
	if len(b) > 100 {
		return fmt.Sprintf("%d bytes, CRC %x", len(b), crc32.ChecksumIEEE(b))
	}
	return fmt.Sprintf("%q", b)
}

// account describes the records. Some refused requests have none. After an early
// answer, another goroutine determines how much of the body has arrived, and therefore
// the options after a failure.
func (w *world) account(early bool) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for i := range w.records {
		r := &w.records[i]
		if early {
			r.Received, r.SavedBy, r.Err, r.Attempts = 0, "", nil, nil
		}
		fmt.Fprintf(&b, "%s %s %s %s %d received %d sent %d %s %v by %v hidden %v saved %q fallback %q after %v: %s", r.Method, r.Host, r.Path, r.Upstream, r.Status, r.Received,
			r.Sent, r.Reason, r.Err, r.Absorbed, r.Hidden, r.SavedBy, r.Fallback, r.Duration.Round(time.Microsecond), decisions(*r))
		for _, a := range r.Attempts {
			fmt.Fprintf(&b, "; %v %v reused %v", a.Reason, a.Err, a.Reused)
		}
	}
	return b.String()
}
