package admin

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/changes"
)

// The token decides about the author of a change, and not the client's description of
// itself.
func TestAuthors(t *testing.T) {
	tokens := []Token{{MainToken, "0123456789abcdef"}, {"ci", "fedcba9876543210"}}
	for _, tc := range []struct {
		name    string
		tokens  []Token
		headers []string
		uid     uint32 // of a Unix socket; 0 = none
		by      string // empty = refused
		note    string
	}{
		{"no token required", nil, nil, 0, "local", ""},
		{"the same, by a socket", nil, nil, 1000, "local (uid 1000)", ""},
		{"a claim to be another user", nil, []string{"Goodgate-User", "admin"}, 1000, "local (uid 1000)", "admin"},
		{"the main token", tokens, []string{"Authorization", "Bearer 0123456789abcdef"}, 0, "admin", ""},
		{"a named token", tokens, []string{"Authorization", "Bearer fedcba9876543210", "Goodgate-User", "eve"}, 0, "ci", "eve"},
		{"a named token by a socket", tokens, []string{"Authorization", "Bearer fedcba9876543210"}, 1000, "ci", ""},
		{"hostile words", nil, []string{"Goodgate-User", "a\x1b[31mb" + strings.Repeat("c", 2*changes.MaxText)}, 0, "local", "?"},
		{"another token", tokens, []string{"Authorization", "Bearer fedcba987654321"}, 0, "", ""},
		{"a name is no token", tokens, []string{"Authorization", "Bearer ci"}, 0, "", ""},
		{"an empty token", tokens, []string{"Authorization", "Bearer "}, 0, "", ""},
		{"no token", tokens, nil, 1000, "", ""},
		{"not as a bearer", tokens, []string{"Authorization", "fedcba9876543210"}, 0, "", ""},
	} {
		f, s := newTest(t, Options{Tokens: tc.tokens})
		r := httptest.NewRequest("POST", "http://127.0.0.1:9900/v1/upstreams", strings.NewReader(`{"upstream": "10.0.0.1:80", "state": "drain"}`))
		for i := 0; i < len(tc.headers); i += 2 {
			r.Header.Set(tc.headers[i], tc.headers[i+1])
		}
		if tc.uid > 0 {
			r = r.WithContext(WithPeer(r.Context(), tc.uid))
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		list := f.book.All()
		switch {
		case tc.by == "":
			if w.Code != http.StatusUnauthorized || len(list) > 0 {
				t.Errorf("%s: got %d, and %d changes", tc.name, w.Code, len(list))
			}
		case w.Code != 200 || len(list) != 1:
			t.Errorf("%s: got %d %s", tc.name, w.Code, w.Body)
		case list[0].By != tc.by || tc.note != "?" && list[0].Note != tc.note || strings.Contains(list[0].Note, "\x1b"):
			t.Errorf("%s: got by %q, note %q; want %q, %q", tc.name, list[0].By, list[0].Note, tc.by, tc.note)
		}
	}
}
