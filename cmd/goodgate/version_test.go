package main

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"
)

func TestDescribeBuild(t *testing.T) {
	settings := func(pairs ...string) (s []debug.BuildSetting) {
		for i := 0; i < len(pairs); i += 2 {
			s = append(s, debug.BuildSetting{Key: pairs[i], Value: pairs[i+1]})
		}
		return s
	}
	const hash, when = "0123456789abcdef0123456789abcdef01234567", "2026-01-02T03:04:05Z"
	for name, c := range map[string]struct {
		info   debug.BuildInfo
		linker build
		want   string // before the version of Go
	}{
		"nothing known": {want: "devel"},
		"go run":        {info: debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, want: "devel"},
		"go install":    {info: debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}}, want: "v0.1.0"},
		"a checkout":    {info: debug.BuildInfo{Settings: settings("vcs.revision", hash, "vcs.time", when)}, want: "devel (0123456789ab, 2026-01-02)"},
		"with changes":  {info: debug.BuildInfo{Settings: settings("vcs.modified", "true", "vcs.revision", hash)}, want: "devel (0123456789ab, modified)"},
		"a release":     {linker: build{Version: "v0.2.0", Commit: hash, Time: when}, want: "v0.2.0 (0123456789ab, 2026-01-02)"},
		"linker is right": {info: debug.BuildInfo{Main: debug.Module{Version: "v0.1.0"}, Settings: settings("vcs.revision", "f00", "vcs.modified", "true")},
			linker: build{Version: "v0.2.0", Commit: hash, Time: when}, want: "v0.2.0 (0123456789ab, 2026-01-02)"},
		"short hash": {info: debug.BuildInfo{Settings: settings("vcs.revision", "f00")}, want: "devel (f00)"},
	} {
		got := describe(&c.info, c.linker)
		text, _, _ := strings.Cut(got.String(), " go1")
		if got.Edition == "minimal" {
			text = strings.TrimSuffix(text, " minimal")
		}
		if text != c.want {
			t.Errorf("%s: got %q, want %q", name, text, c.want)
		}
	}
}

func TestVersionOutput(t *testing.T) {
	for _, args := range [][]string{{"--json"}, {"-o", "json"}, {"--output=json"}} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"version"}, args...), &out, &errs); code != exitOK {
			t.Fatalf("%v: exit code %d: %s", args, code, errs.String())
		}
		var b build
		if err := json.Unmarshal(out.Bytes(), &b); err != nil || b != thisBuild() {
			t.Errorf("%v: got %+v, %v, want %+v", args, b, err, thisBuild())
		}
	}
	for _, args := range [][]string{{"-o", "yaml"}, {"--json", "-o", "text"}, {"extra"}} {
		var out, errs bytes.Buffer
		if code := run(append([]string{"version"}, args...), &out, &errs); code != exitUsage || out.Len() > 0 {
			t.Errorf("%v: exit code %d, output %q", args, code, out.String())
		}
	}
}
