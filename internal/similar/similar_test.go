package similar

import (
	"fmt"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"status", "drain", "undrain", "reload", "127.0.0.1:3901", "127.0.0.1:3902"}
	for word, want := range map[string]string{
		"statsu": "status", "STATUS": "status", "stat": "status", "drian": "drain", "relaod": "reload", "reloads": "reload",
		"127.0.0.1:3912": "127.0.0.1:3902", "127.0.0.1:39011": "127.0.0.1:3901", "x": "", "": "", "elephant": "",
		strings.Repeat("status", 10_000): "status", "\xff\xfe": "",
	} {
		if got := Nearest(word, known); got != want {
			t.Errorf("%.20q: got %q, want %q", word, got, want)
		}
	}
	if got := Nearest("status", nil); got != "" {
		t.Errorf("got %q of nothing", got)
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	if got := fmt.Sprint(Distance("ab", "ba"), Distance("", "abc"), Distance("kitten", "sitting")); got != "1 3 3" {
		t.Errorf("got %s", got)
	}
}
