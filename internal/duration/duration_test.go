package duration

import (
	"testing"
	"time"
)

func TestText(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 90 * time.Second: "1m30s", 10 * time.Minute: "10m", time.Hour: "1h",
		24 * time.Hour: "24h", time.Hour + 30*time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 20 * time.Second: "20s",
		1500 * time.Millisecond: "1.5s", -time.Minute: "-1m",
	} {
		if got := Text(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}
