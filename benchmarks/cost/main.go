// Command cost measures what a proxied request costs: the CPU time of the
// proxy's processes per request, for goodgate with everything on, for a plain
// httputil.ReverseProxy, and for nginx and HAProxy where they are installed.
//
// Every proxy gets the same load on the same backends, in interleaved rounds;
// the figure is the median of the rounds, and the ratio to the plain
// httputil.ReverseProxy is what to quote: microseconds differ by machine and
// day.
//
//	go run ./benchmarks/cost [-rounds 5] [-requests 60000] [-connections 64] [-goodgate FILE]
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == roleFlag {
		playRole(os.Args[2:])
		return
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; each measures every proxy once")
	flag.IntVar(&o.requests, "requests", 60000, "requests a round")
	flag.IntVar(&o.connections, "connections", 64, "keep-alive connections that send one request after another")
	flag.IntVar(&o.size, "size", 1024, "bytes of the response body")
	flag.StringVar(&o.binary, "goodgate", "", "goodgate binary to measure (default: build this tree)")
	flag.Parse()
	if err := measure(o); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

type options struct {
	rounds, requests, connections, size int
	binary                              string
}

// sample is one round of one proxy.
type sample struct {
	cpu  time.Duration // of the proxy's processes, per request
	rate float64       // requests a second
	p99  time.Duration
}

func measure(o options) error {
	dir, err := os.MkdirTemp("", "goodgate-cost-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	backends, stop, err := startBackends(o.size)
	if err != nil {
		return err
	}
	defer stop()
	proxies, stop, err := startProxies(dir, o.binary, backends)
	if err != nil {
		return err
	}
	defer stop()
	samples := map[string][]sample{}
	for range o.rounds {
		for _, p := range proxies {
			s, err := round(p, o)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			samples[p.name] = append(samples[p.name], s)
		}
	}
	report(o, proxies, samples)
	return nil
}

// round loads one proxy and reads its processes' CPU time before and after.
func round(p *process, o options) (sample, error) {
	if _, err := load(p.addr, o.connections, o.requests/10); err != nil { // warm up
		return sample{}, err
	}
	before, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	result, err := load(p.addr, o.connections, o.requests)
	if err != nil {
		return sample{}, err
	}
	after, err := p.cpu()
	if err != nil {
		return sample{}, err
	}
	return sample{
		cpu:  (after - before) / time.Duration(o.requests),
		rate: float64(o.requests) / result.took.Seconds(),
		p99:  result.p99,
	}, nil
}

func report(o options, proxies []*process, samples map[string][]sample) {
	fmt.Printf("%s, %s/%s, %d CPUs, %s\n", time.Now().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	fmt.Printf("GET %d bytes, %d connections, %d requests a round, median of %d interleaved rounds\n\n", o.size, o.connections, o.requests, o.rounds)
	fmt.Printf("%-10s %14s %10s %12s %10s   %s\n", "proxy", "CPU µs/request", "× stock", "requests/s", "p99 ms", "CPU µs/request of each round")
	stock := median(samples["stock"], func(s sample) float64 { return micros(s.cpu) })
	for _, p := range proxies {
		list := samples[p.name]
		cpu := median(list, func(s sample) float64 { return micros(s.cpu) })
		fmt.Printf("%-10s %14.1f %10.2f %12.0f %10.2f  ", p.name, cpu, cpu/stock,
			median(list, func(s sample) float64 { return s.rate }),
			median(list, func(s sample) float64 { return micros(s.p99) / 1000 }))
		for _, s := range list {
			fmt.Printf(" %.1f", micros(s.cpu))
		}
		fmt.Println()
	}
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func median(list []sample, of func(sample) float64) float64 {
	values := make([]float64, len(list))
	for i, s := range list {
		values[i] = of(s)
	}
	slices.SortFunc(values, cmp.Compare[float64])
	return values[len(values)/2]
}
