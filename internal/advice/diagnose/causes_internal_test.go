package diagnose

import (
	"testing"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// TestEveryCauseIsExplained checks that each cause has a code, a meaning and a remedy,
// except for two that are no problem: a client that has left, and a request buffered on
// disk.
func TestEveryCauseIsExplained(t *testing.T) {
	for c := nginxlog.Other + 1; c < nginxlog.NumCauses; c++ {
		e, ok := explain(c)
		if ok == (c == nginxlog.ClientGone || c == nginxlog.RequestBuffered) {
			t.Errorf("%v: explained %v", c, ok)
		}
		if ok && (e.code == "" || e.means == "" || e.do == "") {
			t.Errorf("%v: %+v", c, e)
		}
	}
}
