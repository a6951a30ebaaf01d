package fleettest

import (
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
)

// testTakeLate checks that concurrent uses add up, although the tokens of one had
// leaked in again before its report.
func testTakeLate(t *testing.T, a, b fleet.Engine) {
	u := fleet.Use{Key: "one", Tokens: 100, Every: 10 * time.Millisecond, Burst: 1000, Ago: 1900 * time.Millisecond}
	near(t, "of the first", take(t, a, u)[0].Tokens, 1000, 0)
	near(t, "of the second", take(t, b, u)[0].Tokens, 990, 40)
	near(t, "of the third", take(t, a, u)[0].Tokens, 890, 80)
}
