package admin

import "testing"

// TestInWords: no exponent, also where rounding adds a digit.
func TestInWords(t *testing.T) {
	t.Parallel()
	for ms, want := range map[float64]string{0: "0 ms", 1.804: "1.8 ms", 999.4: "999 ms", 999.6: "1.0 s", 30_000: "30.0 s"} {
		if got := inWords(ms); got != want {
			t.Errorf("%v: got %q, want %q", ms, got, want)
		}
	}
}
