package registry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/discovery"
)

// TestHTTPList reads a list in each form.
func TestHTTPList(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"JSON":              `["http://10.0.0.1:80", {"url": "http://10.0.0.2:80", "weight": 2}]`,
		"JSON with tabs":    "[\n\t\"http://10.0.0.1:80\",\n\t{\n\t\t\"url\": \"http://10.0.0.2:80\",\n\t\t\"weight\": 2\n\t}\n]\n",
		"YAML":              "- http://10.0.0.1\n- {url: http://10.0.0.2, weight: 2}\n",
		"lines":             "# all of them\n\nhttp://10.0.0.1\n{\"url\": \"http://10.0.0.2\", \"weight\": 2}\r\n",
		"escaped in JSON":   `["http:\/\/10.0.0.1:80", {"url": "http:\/\/10.0.0.2:80", "weight": 2}]`,
		"a byte order mark": "\ufeff" + `["http://10.0.0.1:80", {"url": "http://10.0.0.2:80", "weight": 2}]`,
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
		h, err := NewHTTP(HTTPOptions{URL: s.URL, Base: discovery.Target{Weight: 1}})
		if err != nil {
			t.Fatal(err)
		}
		found, err := h.Ask(t.Context(), true)
		if err != nil || len(found.Targets) != 2 || found.Targets[0].Addr != "10.0.0.1:80" || found.Targets[1].Weight != 2 {
			t.Errorf("%s: got %+v, %v", name, found, err)
		}
		h.Close()
		s.Close()
	}
}

// TestHTTPConditional checks the requests to a server with entity tags: they contain
// the known tag and the longest wait, except when a fresh answer is needed.
func TestHTTPConditional(t *testing.T) {
	t.Parallel()
	const list = `["http://10.0.0.1:80"]`
	tag, body := `"1"`, list
	var got *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(304)
			return
		}
		fmt.Fprint(w, body)
	}))
	defer s.Close()
	h, err := NewHTTP(HTTPOptions{URL: s.URL + "/a%2Fb?x=1", Access: Access{Header: map[string]string{"X-Team": "shop"}}, Every: time.Second, Wait: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	ask := func(fresh bool, wantMatch, wantPrefer string, unchanged bool) {
		t.Helper()
		found, err := h.Ask(t.Context(), fresh)
		if err != nil || found.Unchanged != unchanged {
			t.Errorf("got %+v, %v", found, err)
		}
		if m, p := got.Header.Get("If-None-Match"), got.Header.Get("Prefer"); m != wantMatch || p != wantPrefer {
			t.Errorf("asked with If-None-Match %q, Prefer %q; want %q, %q", m, p, wantMatch, wantPrefer)
		}
	}
	ask(true, "", "", false)
	if got.URL.String() != "/a%2Fb?x=1" || got.Header.Get("X-Team") != "shop" {
		t.Errorf("asked for %s, %v", got.URL, got.Header)
	}
	ask(false, `"1"`, "wait=30", true)
	tag = `"2"`
	ask(false, `"1"`, "wait=30", false)
	ask(true, "", "", false)
	tag, body = `"3"`, "nonsense"
	if _, err := h.Ask(t.Context(), false); err == nil {
		t.Error("nonsense is a list")
	}
	body = list
	ask(false, `"2"`, "wait=30", false) // a bad list is not known
}
