package admin

import (
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sinks are the ways in which text becomes markup or code.
var sinks = regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|setHTML|\beval\b|new Function|javascript:|\.(src|href)\s*=`)

// TestPageMakesNoMarkupOfText: the page shows texts from clients and upstreams as text.
func TestPageMakesNoMarkupOfText(t *testing.T) {
	scripts, err := filepath.Glob("page/*.js")
	if err != nil || len(scripts) < 5 {
		t.Fatalf("%v, %v", scripts, err)
	}
	_, s := newTest(t, Options{})
	for _, file := range append(scripts, "page/index.html") {
		text, err := page.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if sink := sinks.Find(text); sink != nil {
			t.Errorf("%s has %s", file, sink)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1:9900/"+file, nil))
		if w.Code == 200 && w.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s comes without a policy", file)
		}
	}
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "require-trusted-types-for 'script'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s", want)
		}
	}
}

// TestPagePrintable runs the page's own escaping.
func TestPagePrintable(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("needs node")
	}
	module, err := page.ReadFile("page/text.js")
	if err != nil {
		t.Fatal(err)
	}
	const script = `const { printable } = await import(process.argv[1]); const input = JSON.parse(process.argv[2]); console.log(JSON.stringify(input.map(printable)));`
	input := []string{"plain ü漢😀 <b>", "\x1b[31m\r\n\x7f", "\u009b\u0085", "\u202e\u2066\u200b\ufeff\u2028", "\U000e0041", strings.Repeat("x", 5000)}
	want := []string{"plain ü漢😀 <b>", `\u{1b}[31m\u{d}\u{a}\u{7f}`, `\u{9b}\u{85}`, `\u{202e}\u{2066}\u{200b}\u{feff}\u{2028}`, `\u{e0041}`, strings.Repeat("x", 4096) + "... (904 more characters)"}
	asked, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), node, "--input-type=module", "-e", script, "data:text/javascript;base64,"+base64.StdEncoding.EncodeToString(module), string(asked)).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q: got %q, want %q", input[i], got[i], want[i])
		}
	}
}
