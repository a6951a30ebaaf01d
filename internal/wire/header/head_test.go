package header

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const exampleHead = "GET /a%2Fb|c HTTP/1.1\r\nhost: example.com\r\nX-B: 1\r\nCONNECTION: x-hop, close\r\nX-Hop: secret\r\nx-b:  2 \r\nkeep-alive: 5\r\n\r\n"

func parsed(t testing.TB, block string) *Head {
	t.Helper()
	h := new(Head)
	if err := h.Parse(block); err != nil {
		t.Fatal(err)
	}
	return h
}

// lines returns the fields in the form of the wire.
func lines(h *Head) string { return string(appendFields(nil, h)) }

func appendFields(b []byte, h *Head) []byte {
	for _, f := range h.Fields {
		b = AppendField(b, f.Name, f.Value)
	}
	return b
}

func TestHead(t *testing.T) {
	t.Parallel()
	h := parsed(t, exampleHead)
	if want := "GET /a%2Fb|c HTTP/1.1"; h.Start != want {
		t.Errorf("start line: got %q, want %q", h.Start, want)
	}
	want := "host: example.com\r\nX-B: 1\r\nCONNECTION: x-hop, close\r\nX-Hop: secret\r\nx-b: 2\r\nkeep-alive: 5\r\n"
	if got := lines(h); got != want {
		t.Errorf("fields: got %q, want %q", got, want)
	}
	if !h.Has(Host) || h.Has(Upgrade) || h.Get(Host) != "example.com" || h.Get(Upgrade) != "" {
		t.Errorf("Host: got %v %q; Upgrade: got %v %q", h.Has(Host), h.Get(Host), h.Has(Upgrade), h.Get(Upgrade))
	}
	if got := slices.Collect(h.ValuesOf("X-b")); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("X-b: got %q", got)
	}
	if !h.HasToken(Connection, "Close") || h.HasToken(Connection, "clos") {
		t.Error("Connection has close, and not clos")
	}
}

func TestHeadEdits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		edit func(*Head)
		want string
	}{
		{"set the first and drop the others", func(h *Head) { h.Set("X-b", "3") }, "host: example.com\r\nX-B: 3\r\nCONNECTION: x-hop, close\r\nX-Hop: secret\r\nkeep-alive: 5\r\n"},
		{"set a new one", func(h *Head) { h.DeleteHopByHop(); h.Set("Via", "1.1 g") }, "host: example.com\r\nX-B: 1\r\nx-b: 2\r\nVia: 1.1 g\r\n"},
		{"delete", func(h *Head) { h.Delete(Host); h.Delete(Via) }, "X-B: 1\r\nCONNECTION: x-hop, close\r\nX-Hop: secret\r\nx-b: 2\r\nkeep-alive: 5\r\n"},
		{"hop by hop", (*Head).DeleteHopByHop, "host: example.com\r\nX-B: 1\r\nx-b: 2\r\n"},
		{"a field Close, which Connection names", func(h *Head) { h.Add("close", "1"); h.DeleteHopByHop() }, "host: example.com\r\nX-B: 1\r\nx-b: 2\r\n"},
		{"more names in Connection than a few", func(h *Head) { h.Add("Connection", "a,b,,c,d,E , f,X-B"); h.Add("e", "1"); h.DeleteHopByHop() }, "host: example.com\r\n"},
		{"a known name in Connection", func(h *Head) { h.Add("Connection", "via,HOST"); h.Add("Via", "1"); h.DeleteHopByHop() }, "X-B: 1\r\nx-b: 2\r\n"},
		{"add after delete", func(h *Head) { h.Delete(Host); h.Add("host", "b") }, "X-B: 1\r\nCONNECTION: x-hop, close\r\nX-Hop: secret\r\nx-b: 2\r\nkeep-alive: 5\r\nhost: b\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := parsed(t, exampleHead)
			c.edit(h)
			if got := lines(h); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if h.Has(Host) != strings.Contains(strings.ToLower(c.want), "host: ") {
				t.Errorf("Has(Host) is %v, the fields are %q", h.Has(Host), lines(h))
			}
		})
	}
}

// The hop-by-hop fields are the same in a head and in a map.
func TestDeleteHopByHopInAMap(t *testing.T) {
	t.Parallel()
	h := parsed(t, exampleHead)
	h.Add("Connection", "a,,b,C , d,e,Via")
	for _, name := range []string{"A", "B", "c", "D", "E", "F", "Via", "Te", "Trailer", "Upgrade", "Transfer-Encoding", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization"} {
		h.Add(name, "1")
	}
	m := h.Header()
	DeleteHopByHop(m)
	h.DeleteHopByHop()
	if want := h.Header(); !reflect.DeepEqual(m, want) || m["F"] == nil || m["A"] != nil || m["Via"] != nil {
		t.Errorf("got %v, want %v", m, want)
	}
}

// A reused head must not show its earlier fields.
func TestHeadReset(t *testing.T) {
	t.Parallel()
	h := parsed(t, exampleHead)
	room := h.Fields
	h.Reset()
	if h.Start != "" || len(h.Fields) != 0 || h.Has(Host) {
		t.Errorf("got %+v", h)
	}
	for _, f := range room {
		if f != (Field{}) {
			t.Errorf("its room still has %+v", f)
		}
	}
}

func TestIdentify(t *testing.T) {
	t.Parallel()
	for n := Other + 1; n < numNames; n++ {
		for _, s := range []string{n.String(), strings.ToUpper(n.String()), strings.ToLower(n.String())} {
			if got := Identify(s); got != n {
				t.Errorf("%q: got %v, want %v", s, got, n)
			}
		}
		if http.CanonicalHeaderKey(n.String()) != n.String() {
			t.Errorf("%q is not in its canonical spelling", n.String())
		}
		if got := Identify(n.String() + "x"); got != Other {
			t.Errorf("%qx: got %v", n.String(), got)
		}
	}
}

// FuzzHead: all methods of a head agree with its map.
func FuzzHead(f *testing.F) {
	f.Add(exampleHead)
	f.Add("HTTP/1.1 200 OK\r\nConnection: te\r\nTE: trailers\r\nconnection: a,,b\r\nA: 1\r\nB:\r\n\r\n")
	f.Add("x\n\n")
	f.Fuzz(func(t *testing.T, block string) {
		var h Head
		if h.Parse(block) != nil {
			return
		}
		m := h.Header()
		for i := range h.Fields {
			f := h.Fields[i]
			key := http.CanonicalHeaderKey(f.Name)
			if got := slices.Collect(h.ValuesOf(f.Name)); !slices.Equal(got, m[key]) {
				t.Fatalf("%q: got %q, the map has %q", f.Name, got, m[key])
			}
			if f.ID != Other && (!h.Has(f.ID) || h.Count(f.ID) != len(m[key]) || h.Get(f.ID) != m[key][0]) {
				t.Fatalf("%v: got %d, first %q; the map has %q", f.ID, h.Count(f.ID), h.Get(f.ID), m[key])
			}
		}
		again := parsed(t, "x\r\n"+lines(&h)+"\r\n")
		if !reflect.DeepEqual(again.Fields, h.Fields) && len(h.Fields) > 0 {
			t.Fatalf("written and read again: got %+v, want %+v", again.Fields, h.Fields)
		}
		removeHopByHop(m)
		h.DeleteHopByHop()
		if got := h.Header(); !maps.EqualFunc(got, m, slices.Equal) {
			t.Fatalf("without hop-by-hop fields: got %v, want %v", got, m)
		}
	})
}

// removeHopByHop is the code of httputil.ReverseProxy.
func removeHopByHop(h http.Header) {
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.Trim(name, " \t"); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		h.Del(name)
	}
}

func BenchmarkHead(b *testing.B) {
	const block = "GET /path?query=1 HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n" +
		"Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef\r\nX-Other: 1\r\n\r\n"
	var h Head
	out := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if err := h.Parse(block); err != nil {
			b.Fatal(err)
		}
		h.DeleteHopByHop()
		out = appendFields(out[:0], &h)
	}
}

// BenchmarkDeleteHopByHop compares a usual head with one of 64 KiB that has as many
// fields, and as many names in Connection, as possible. Its time per byte must be little
// more than the usual head's.
func BenchmarkDeleteHopByHop(b *testing.B) {
	hostile := "GET / HTTP/1.1\r\nConnection: " + strings.Repeat("a,", 16<<10) + "\r\n" + strings.Repeat("b:\r\n", 8<<10) + "\r\n"
	for name, block := range map[string]string{"usual": exampleHead, "hostile": hostile} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(block)))
			whole, h := parsed(b, block), new(Head)
			b.ReportAllocs()
			for b.Loop() {
				h.Fields, h.has = append(h.Fields[:0], whole.Fields...), whole.has
				h.DeleteHopByHop()
			}
		})
	}
}
