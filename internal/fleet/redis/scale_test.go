//go:build !minimal

package redis_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
	"github.com/goodgate/goodgate/internal/fleet/redis"
)

// TestEightInstances floods eight instances on one server, and checks that they admit
// the rate at little cost.
func TestEightInstances(t *testing.T) {
	if os.Getenv("GOODGATE_LONG") == "" {
		t.Skip("GOODGATE_LONG=1 runs this")
	}
	const (
		instances, perSecond, asked = 8, 100, 2000 // requests a second at each
		span                        = 20 * time.Second
	)
	server := fleettest.StartRedis(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	var all []*fleet.Fleet
	var engines []*redis.Engine
	for i := range instances {
		e, err := redis.Open(redis.Options{Addresses: []string{server.Address}, Prefix: "goodgate", Name: "eight"})
		if err != nil {
			t.Fatal(err)
		}
		f, err := fleet.New(fleet.Options{Engine: e, Secret: []byte("a secret of the test"), Member: fleet.Member{Name: fmt.Sprint("gate-", i)}})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { f.Run(ctx) })
		all, engines = append(all, f), append(engines, e.(*redis.Engine))
	}
	for end := time.Now().Add(10 * time.Second); ; {
		if all[0].Live() == instances && all[instances-1].Live() == instances {
			break
		}
		if time.Now().After(end) {
			t.Fatal("they do not find each other")
		}
	}
	idle := cpu()
	<-time.After(2 * time.Second)
	idle = (cpu() - idle) / 2
	before := commands(engines)
	var let, sent atomic.Int64
	var load sync.WaitGroup
	for _, f := range all {
		r := f.NewRate(fleet.RateOptions{Place: "r", PerSecond: perSecond, Burst: perSecond})
		load.Go(func() {
			pause := time.NewTicker(time.Second / 100)
			defer pause.Stop()
			for end := time.Now().Add(span); time.Now().Before(end); <-pause.C {
				for range asked / 100 {
					sent.Add(1)
					if r.Allow(7, time.Now()).OK {
						let.Add(1)
					}
				}
			}
		})
	}
	load.Wait()
	n := commands(engines) - before
	want := perSecond + perSecond*span.Seconds()
	over := 100 * (float64(let.Load())/want - 1)
	t.Logf("%d requests, %d let in (%+.1f%%); %d commands, one in %d requests; an idle instance takes %.2f%% of a processor",
		sent.Load(), let.Load(), over, n, sent.Load()/int64(n), 100*idle.Seconds()/instances)
	if over > 3 {
		t.Errorf("%d were let in, want %.0f", let.Load(), want)
	}
	if uint64(sent.Load()) < 100*n {
		t.Errorf("%d commands for %d requests, want one in a hundred", n, sent.Load())
	}
}

func commands(engines []*redis.Engine) (n uint64) {
	for _, e := range engines {
		n += e.Commands()
	}
	return n
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
