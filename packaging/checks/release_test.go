package checks

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

// TestSums checks that SHA256SUMS has the right sum of every file of the release.
func TestSums(t *testing.T) {
	need(t, "sha256sum")
	sums := released(t, *dist, "SHA256SUMS")
	c := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", sums)
	c.Dir = filepath.Dir(sums)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("sha256sum: %v\n%s", err, out)
	}
	text, err := os.ReadFile(sums)
	must(t, err)
	entries, err := os.ReadDir(c.Dir)
	must(t, err)
	if got := bytes.Count(text, []byte("\n")); got != len(entries)-1 {
		t.Errorf("%d sums for %d files", got, len(entries)-1)
	}
}

// TestRPMContents checks the package's files and scripts with rpm.
func TestRPMContents(t *testing.T) {
	need(t, "rpm", "dpkg")
	for _, arch := range []string{"x86_64", "aarch64"} {
		file := released(t, *dist, "goodgate-*."+arch+".rpm")
		list := output(t, "rpm", "-qpl", file)
		for _, want := range []string{
			"/usr/bin/goodgate\n", "/usr/lib/systemd/system/goodgate.service\n", "/usr/lib/systemd/system/goodgate.socket\n",
			"/usr/lib/sysusers.d/goodgate.conf\n", "/etc/goodgate/goodgate.yaml\n", "/usr/share/man/man1/goodgate-run.1.gz\n",
			"/etc/logrotate.d/goodgate\n", "/usr/share/zsh/site-functions/_goodgate\n",
		} {
			if !strings.Contains(list, want) {
				t.Errorf("%s has no %s", arch, strings.TrimSpace(want))
			}
		}
		if config := output(t, "rpm", "-qp", "--configfiles", file); config != "/etc/goodgate/goodgate.yaml\n/etc/logrotate.d/goodgate\n" {
			t.Errorf("%s: configuration files %q", arch, config)
		}
		if scripts := output(t, "rpm", "-qp", "--scripts", file); strings.Count(scripts, "scriptlet (using /bin/sh)") != 3 {
			t.Errorf("%s: scripts\n%s", arch, scripts)
		}
	}
}

// TestAPKContents reads the package of Alpine Linux, which is three gzip streams of
// tar.
func TestAPKContents(t *testing.T) {
	need(t, "tar")
	for _, arch := range []string{"x86_64", "aarch64"} {
		list := output(t, "tar", "--ignore-zeros", "-tzf", released(t, *dist, "goodgate_*_"+arch+".apk"))
		for _, want := range []string{".PKGINFO\n", "usr/bin/goodgate\n", "etc/goodgate/goodgate.yaml\n"} {
			if !strings.Contains(list, want) {
				t.Errorf("%s has no %s in\n%s", arch, strings.TrimSpace(want), list)
			}
		}
	}
}

// TestBinaries checks that each archive contains a program for its system, and that its
// size is within the limit.
func TestBinaries(t *testing.T) {
	need(t, "tar", "unzip")
	sizes := map[string]int64{"linux-amd64": 28_500_000, "linux-amd64-minimal": 15_500_000}
	for pattern, open := range map[string]func(string) error{
		"linux-amd64":         func(f string) error { _, err := elf.Open(f); return err },
		"linux-arm64":         func(f string) error { _, err := elf.Open(f); return err },
		"linux-amd64-minimal": func(f string) error { _, err := elf.Open(f); return err },
		"freebsd-amd64":       func(f string) error { _, err := elf.Open(f); return err },
		"darwin-arm64":        func(f string) error { _, err := macho.Open(f); return err },
		"darwin-amd64":        func(f string) error { _, err := macho.Open(f); return err },
		"windows-amd64":       func(f string) error { _, err := pe.Open(f); return err },
	} {
		dir := t.TempDir()
		if strings.HasPrefix(pattern, "windows") {
			output(t, "unzip", "-q", released(t, *dist, "goodgate-v*-"+pattern+".zip"), "-d", dir)
		} else {
			output(t, "tar", "-xzf", released(t, *dist, "goodgate-v*-"+pattern+".tar.gz"), "-C", dir)
		}
		program := "*/goodgate"
		if strings.HasPrefix(pattern, "windows") {
			program += ".exe"
		}
		file := released(t, dir, program)
		if err := open(file); err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
		info, err := os.Stat(file)
		must(t, err)
		if most := sizes[pattern]; most > 0 && info.Size() > most {
			t.Errorf("%s has %d bytes, more than %d: find out what grew, see docs/install.md, Size", pattern, info.Size(), most)
		}
		for _, name := range []string{"LICENSE", "licenses.txt", "completions/goodgate.bash"} {
			released(t, dir, "*/"+name)
		}
	}
}

// TestPackedChart checks that Helm accepts the packed chart.
func TestPackedChart(t *testing.T) {
	c, err := loader.Load(released(t, *dist, "goodgate-[0-9]*.tgz"))
	must(t, err)
	must(t, c.Validate())
	if _, err := render(c, nil); err != nil {
		t.Error(err)
	}
}

// TestMaterials checks that the bill of materials contains modules that are certainly
// in the binary.
func TestMaterials(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		text, err := os.ReadFile(released(t, *dist, "goodgate-*-linux-"+arch+".cdx.json"))
		must(t, err)
		var bom struct {
			BOMFormat  string
			Components []struct{ Name, Version, PURL string }
		}
		must(t, json.Unmarshal(text, &bom))
		found := map[string]bool{}
		for _, c := range bom.Components {
			found[c.Name] = c.Version != "" && strings.HasPrefix(c.PURL, "pkg:golang/")
		}
		for _, want := range []string{"github.com/quic-go/quic-go", "gopkg.in/yaml.v3", "std"} {
			if !found[want] {
				t.Errorf("%s: %s is not among the %d components", arch, want, len(bom.Components))
			}
		}
	}
}
