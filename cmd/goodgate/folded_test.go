package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/admin"
)

// TestStatusFolds: status groups many upstreams in the same situation, and lists a few
// one by one.
func TestStatusFolds(t *testing.T) {
	alike := func(n int) *admin.Status {
		s := &admin.Status{}
		for i := range n {
			s.Troubles = append(s.Troubles, admin.Trouble{Level: "warning", Situation: "connect_refused", Pool: fmt.Sprintf("p%d", i), Upstream: "10.0.0.1:80", Headline: "The upstream refuses connections", Text: "Nothing listens there.", Do: "Start it."})
		}
		s.Troubles = append(s.Troubles, admin.Trouble{Level: "notice", Situation: "shutting_down", Headline: "goodgate is shutting down", Text: "It finishes."})
		return s
	}
	for n, want := range map[int]string{
		3:  "warning: p0 10.0.0.1:80: The upstream refuses connections\n  Nothing listens there.\n  Next step: Start it.\n\nwarning: p1 10.0.0.1:80: The",
		4:  "warning: 4 upstreams in 4 pools refuse connections\n  The first one, p0 10.0.0.1:80: Nothing listens there. All of them: p0 10.0.0.1:80, p1 10.0.0.1:80, p2 10.0.0.1:80, p3 10.0.0.1:80.\n  Next step: Start it.\n\nnotice: goodgate: goodgate is shutting down\n  It finishes.\n",
		30: "p23 10.0.0.1:80, and 6 more.\n",
	} {
		var b strings.Builder
		printStatus(&b, alike(n))
		if !strings.Contains(b.String(), want) {
			t.Errorf("%d: got\n%s\nwant %s", n, b.String(), want)
		}
	}
}

// TestDoctorOutput: doctor takes -o like every other command.
func TestDoctorOutput(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(app.Close)
	stdout, stderr, code := command("doctor", "--to", app.URL, "--max-wait", "1s", "-o", "json")
	if got := map[string]any{}; json.Unmarshal([]byte(stdout), &got) != nil || got["steps"] == nil {
		t.Errorf("exit code %d, got %s%s", code, stdout, stderr)
	}
	if stdout, _, code := command("doctor", "--to", app.URL, "-o", "yaml"); code != exitUsage || stdout != "" {
		t.Errorf("an unknown form: exit code %d, %s", code, stdout)
	}
}
