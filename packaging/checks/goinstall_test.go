package checks

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// TestGoInstall checks that `go install` works for the commit, with a module proxy that
// has only this version of goodgate.
func TestGoInstall(t *testing.T) {
	m := module.Version{Path: "github.com/goodgate/goodgate", Version: "v0.1.0"}
	proxy := t.TempDir()
	dir := filepath.Join(proxy, filepath.FromSlash(m.Path), "@v")
	must(t, os.MkdirAll(dir, 0o755))
	f, err := os.Create(filepath.Join(dir, m.Version+".zip"))
	must(t, err)
	root := filepath.Join(t.TempDir(), "clone")
	output(t, "git", "clone", "--quiet", "../..", root)
	must(t, zip.CreateFromVCS(f, m, root, "HEAD", ""))
	must(t, f.Close())
	mod, err := exec.CommandContext(t.Context(), "git", "-C", root, "show", "HEAD:go.mod").Output()
	must(t, err)
	for name, text := range map[string]string{
		m.Version + ".mod": string(mod), m.Version + ".info": `{"Version":"` + m.Version + `"}`, "list": m.Version + "\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	cache := strings.TrimSpace(output(t, "go", "env", "GOMODCACHE"))
	bin, modules := t.TempDir(), t.TempDir()
	c := exec.CommandContext(t.Context(), "go", "install", m.Path+"/cmd/goodgate@latest")
	c.Dir = bin
	c.Env = append(os.Environ(), "GOBIN="+bin, "GOMODCACHE="+modules, "GOFLAGS=-trimpath -modcacherw", "CGO_ENABLED=0",
		"GOPROXY=file://"+proxy+",file://"+cache+"/cache/download", "GOSUMDB=off")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go install: %v\n%s", err, out)
	}
	if got := output(t, filepath.Join(bin, "goodgate"), "version"); !strings.HasPrefix(got, "goodgate "+m.Version+" ") {
		t.Errorf("goodgate version: %q", got)
	}
}
