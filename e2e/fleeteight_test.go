package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
)

// TestFleetEight floods eight instances of the program on one Redis, each from two
// connections. It prints how many requests a shared rate of 100/s admits, the number of
// commands to the store, and the cost of an idle instance.
func TestFleetEight(t *testing.T) {
	long(t)
	const (
		perSecond = 100
		span      = 20 * time.Second
	)
	store := fleettest.StartRedis(t)
	app := startApp(t, "go", "app")
	var all []*member
	for i := range 8 {
		all = append(all, startMember(t, fmt.Sprintf("addresses: [%q]", store.Address), fmt.Sprint("gate-", i), app.url(), perSecond))
	}
	for _, m := range all {
		m.until("eight members", func(f admin.Fleet) bool { return f.Connected && len(f.Members) == 8 })
	}
	idle := ticks(t, all)
	<-time.After(5 * time.Second)
	idle = ticks(t, all) - idle
	before := commandsOf(t, store)
	var asked, let atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for _, m := range all {
		for range 2 {
			wg.Go(func() {
				c := connect(t, m.address)
				for time.Since(began) < span {
					a, err := c.do(request(t, "GET", "/limited"))
					if err != nil {
						t.Errorf("%v", err)
						return
					}
					asked.Add(1)
					if a.StatusCode == http.StatusOK {
						let.Add(1)
					} else if a.StatusCode != http.StatusTooManyRequests {
						t.Errorf("got %d", a.StatusCode)
					}
				}
			})
		}
	}
	wg.Wait()
	took := time.Since(began).Seconds()
	commands := commandsOf(t, store) - before
	want := perSecond * (1 + took)
	over := 100 * (float64(let.Load())/want - 1)
	t.Logf("%d requests in %.1fs, %d let in, want %.0f (%+.1f%%); %d commands, one in %.0f requests; an idle instance takes %.2f%% of a processor",
		asked.Load(), took, let.Load(), want, over, commands, float64(asked.Load())/float64(commands), float64(idle)/5/8)
	if over > 3 {
		t.Errorf("%.1f%% too many were let in, want 3%% at most", over)
	}
	if asked.Load() > 100_000 && asked.Load() < 100*commands {
		t.Errorf("%d commands for %d requests, want one in 100", commands, asked.Load())
	}
}

// ticks returns the hundredths of seconds of processor time that members have used.
func ticks(t *testing.T, all []*member) (sum int) {
	t.Helper()
	for _, m := range all {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", m.cmd.Process.Pid))
		if err != nil {
			t.Skip(err)
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, i := range []int{11, 12} { // utime and stime, see proc(5)
			n, _ := strconv.Atoi(fields[i])
			sum += n
		}
	}
	return sum
}

// commandsOf returns how many commands clients have sent to a store, without those that
// scripts run there.
func commandsOf(t *testing.T, s *fleettest.Server) (sum int64) {
	t.Helper()
	text, err := s.Ask("INFO commandstats")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		var n int64
		for _, name := range []string{"evalsha", "eval", "publish"} {
			if rest, ok := strings.CutPrefix(line, "cmdstat_"+name+":calls="); ok {
				fmt.Sscan(rest[:strings.IndexByte(rest, ',')], &n)
			}
		}
		sum += n
	}
	return sum
}
