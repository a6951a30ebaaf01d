package assemble

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goodgate/goodgate/internal/config"
)

func TestZone(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "zone")
	for text, want := range map[string]string{"eu-1a\n": "eu-1a", "": "", "\n": "", "eu 1a": "holds no name", strings.Repeat("a", 64): "holds no name", "a\nb": "holds no name"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := Zone(config.Zone{File: file, Load: 1.2, MinUpstreams: 6, Peers: []config.ZonePeers{{Zone: "eu-1a", Count: 2}}})
		if err != nil && !strings.Contains(err.Error(), want) || err == nil && (o.Own != want || o.Peers["eu-1a"] != 2) {
			t.Errorf("%q: got %+v, %v, want %q", text, o, err, want)
		}
	}
	if _, err := Zone(config.Zone{File: file + "x"}); err == nil || !strings.Contains(err.Error(), "zone.file") {
		t.Errorf("no file: got %v", err)
	}
	if o, err := Zone(config.Zone{Name: "a"}); err != nil || o.Own != "a" || o.Peers != nil {
		t.Errorf("got %+v, %v", o, err)
	}
}
