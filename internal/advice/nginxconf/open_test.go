//go:build unix

package nginxconf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/goodgate/goodgate/internal/advice/nginxconf"
)

// Configurations that would take unlimited memory or time, or block, are errors.
// Unreadable parts are problems.
func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	large := write("large", "")
	if err := os.Truncate(large, 1<<40); err != nil { // a sparse file
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, text, want string }{
		{"a pipe", "http { include pipe; }", "pipe is not a regular file"},
		{"a pipe among others", "http { include pip*; }", "pipe is not a regular file"},
		{"a device", "http { include /dev/zero; }", "/dev/zero is not a regular file"},
		{"a folder", "http { include .; }", "is not a regular file"},
		{"none", "http { include none; }", "no such file"},
		{"a terabyte", "http { include large; }", "larger than 32 MiB"},
		{"a terabyte among others", "http { include lar*; }", "larger than 32 MiB"},
		{"nested", strings.Repeat("a {", 1_000_000), "more than 256 braces"},
		{"nested well", strings.Repeat("a {", 100_000) + strings.Repeat("}", 100_000), "more than 256 braces"},
		{"itself", "include itself.conf;", "cycle"},
	} {
		file := write(strings.ReplaceAll(tc.name, " ", "")+".conf", tc.text)
		c, err := nginxconf.Load(file)
		got := fmt.Sprint(err)
		if err == nil {
			got = strings.Join(c.Problems, "\n")
		}
		if !strings.Contains(got, tc.want) {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
}
