package demo

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// patient is a timeout that even a busy machine does not reach.
const patient = 10 * time.Second

// In a short version of the complete demo, no failure reaches a client.
func TestNoFailureReachesAClient(t *testing.T) {
	script := []Step{
		{100 * time.Millisecond, 400 * time.Millisecond, 0, Refuse, true, "refuses"},
		{600 * time.Millisecond, 300 * time.Millisecond, 1, BadGateway, false, "502"},
		{1000 * time.Millisecond, 300 * time.Millisecond, 2, CloseEarly, false, "closes"},
		{1400 * time.Millisecond, 300 * time.Millisecond, 0, CutHeader, false, "cuts"},
		{1800 * time.Millisecond, 500 * time.Millisecond, everyBackend, Restart, true, "restart"},
		{2500 * time.Millisecond, 900 * time.Millisecond, everyBackend, SickHealth, true, "health"},
	}
	var out bytes.Buffer
	sum, err := Run(t.Context(), Options{Rate: 100, Timeout: patient, For: 3500 * time.Millisecond, Script: script, Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Failed != 0 || sum.Double != 0 || sum.Abandoned != 0 {
		t.Errorf("got %d failures at clients, %d POSTs twice, %d abandoned, want none:\n%v", sum.Failed, sum.Double, sum.Abandoned, sum)
	}
	if sum.UpstreamFailures == 0 || sum.Absorbed == 0 || sum.Held == 0 || sum.ProbeFailures == 0 || sum.Posts == 0 {
		t.Errorf("got %+v, want something of everything", sum)
	}
	if got := sum.OK + sum.Failed + sum.Abandoned; got != sum.Requests {
		t.Errorf("%d outcomes for %d requests", got, sum.Requests)
	}
	for _, want := range []string{"try: curl http://127.0.0.1:", "refuses", "0 reached a client"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, &out)
		}
	}
}

// A failure that cannot be hidden is counted and shown.
func TestVisibleFailuresAreCounted(t *testing.T) {
	script := []Step{{time.Millisecond, 20 * time.Second, everyBackend, CloseEarly, false, "all close"}}
	sum, err := Run(t.Context(), Options{Rate: 100, For: time.Second, Script: script})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Failed == 0 || sum.Statuses[http.StatusBadGateway]+sum.Statuses[http.StatusServiceUnavailable]+sum.Statuses[http.StatusGatewayTimeout] != sum.Failed {
		t.Errorf("got %d failed with statuses %v, want some, all of them gateway errors", sum.Failed, sum.Statuses)
	}
	escaped := 0
	for _, n := range sum.Escaped {
		escaped += n
	}
	if escaped != sum.Failed {
		t.Errorf("%d reasons for %d failures:\n%v", escaped, sum.Failed, sum)
	}
}

func TestEndInTheMiddleOfARestart(t *testing.T) {
	script := []Step{{200 * time.Millisecond, time.Minute, everyBackend, Restart, false, "restart"}}
	ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
	defer cancel()
	sum, err := Run(ctx, Options{Rate: 100, Timeout: patient, Script: script})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Failed != 0 || sum.Abandoned != 0 || sum.Held == 0 {
		t.Errorf("got %+v, want every request that waited to be answered", sum)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{Rate: -1}, {Rate: MaxRate + 1}, {For: -time.Second}, {Script: []Step{{}}}, {Listen: "256.0.0.1:1"}} {
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}
