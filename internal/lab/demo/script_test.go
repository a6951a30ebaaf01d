package demo

import (
	"strings"
	"testing"
	"time"
)

func TestScriptIsValid(t *testing.T) {
	t.Parallel()
	if err := checkScript(Script()); err != nil {
		t.Error(err)
	}
	used := map[Fault]bool{}
	for _, s := range Script() {
		used[s.Fault] = true
	}
	for f := NoFault + 1; f < numFaults; f++ {
		if !used[f] {
			t.Errorf("fault %q is not in the script", f)
		}
	}
}

func TestCheckScriptFindsMistakes(t *testing.T) {
	t.Parallel()
	good := Step{At: time.Second, For: time.Second, Fault: Slow, Text: "x"}
	change := func(f func(*Step)) []Step { s := good; f(&s); return []Step{s} }
	tests := []struct {
		name   string
		script []Step
		want   string
	}{
		{"none", []Step{good}, ""},
		{"empty", nil, ""},
		{"overlap", []Step{good, good}, "begins"},
		{"no time", change(func(s *Step) { s.For = 0 }), "lasts"},
		{"unknown backend", change(func(s *Step) { s.Backend = backendCount }), "is for backend"},
		{"no fault", change(func(s *Step) { s.Fault = NoFault }), "has no fault"},
		{"no text", change(func(s *Step) { s.Text = "" }), "not explained"},
	}
	for _, tt := range tests {
		err := checkScript(tt.script)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: got %v, want no error", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: got %v, want one about %q", tt.name, err, tt.want)
		}
	}
}

func TestTimesInTheScript(t *testing.T) {
	t.Parallel()
	const s = time.Second
	script := []Step{
		{2 * s, 2 * s, 0, Refuse, true, "posts"},
		{6 * s, 2 * s, 1, CloseEarly, false, "no posts"},
	}
	if got, want := length(script), 8*s+rest; got != want {
		t.Fatalf("got length %v, want %v", got, want)
	}
	tests := []struct {
		at    time.Duration
		step  string
		posts bool
	}{
		{0, "", true},
		{2*s - quiet, "", false},
		{2 * s, "posts", false},
		{2*s + quiet, "posts", true},
		{4*s - quiet, "posts", false},
		{4 * s, "", false},
		{4*s + quiet, "", true},
		{6 * s, "no posts", false},
		{7 * s, "no posts", false},
		{8 * s, "", false},
		{8*s + quiet, "", true},
		{length(script) + 3*s, "posts", true},
		{length(script) + 7*s, "no posts", false},
	}
	for _, tt := range tests {
		got := ""
		if step := stepAt(script, tt.at); step != nil {
			got = step.Text
		}
		if got != tt.step {
			t.Errorf("at %v: got step %q, want %q", tt.at, got, tt.step)
		}
		if got := postsAt(script, tt.at); got != tt.posts {
			t.Errorf("at %v: got posts %v, want %v", tt.at, got, tt.posts)
		}
	}
}
