package diagnose

import (
	"testing"

	"github.com/goodgate/goodgate/internal/advice/nginxlog"
)

// TestEveryCauseIsExplained: each cause has a code, a meaning and a cure. A client
// that left, and a request that went to disk on the way, are nobody's trouble.
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
