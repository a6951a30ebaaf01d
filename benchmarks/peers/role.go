package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/gate"
	"github.com/goodgate/goodgate/internal/logging"
	"github.com/goodgate/goodgate/internal/metrics"
)

// roleFlag makes this program run as one of the measured processes.
const roleFlag = "-as"

func playRole(args []string) error {
	switch args[0] {
	case "backend":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return serveBackend(args[1], n)
	case "stock":
		go countAllocations(args[2])
		return serveStock(args[1], args[3:])
	case "counted":
		go countAllocations(args[2])
		return serveCounted(args[1])
	}
	return fmt.Errorf("no role %q", args[0])
}

// countAllocations serves the number of allocations of this process.
func countAllocations(addr string) {
	http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		fmt.Fprintln(w, m.Mallocs, m.TotalAlloc)
	}))
}

// serveCounted is goodgate with metrics and a log file, in a process that reports its
// allocations.
func serveCounted(file string) error {
	c, _, err := config.Load(file)
	if err != nil {
		return err
	}
	o, err := assemble.Log(c)
	if err != nil {
		return err
	}
	log, err := logging.Open(o)
	if err != nil {
		return err
	}
	defer log.Close()
	g, err := gate.New(c, gate.Options{Logger: log.Logger, Access: log.Access, Metrics: metrics.New(metrics.Build{})})
	if err != nil {
		return err
	}
	return g.Run(context.Background(), nil, func([]string) {})
}

// serveStock is a proxy that takes twenty lines with the standard library: round robin
// over httputil.ReverseProxy with a transport that keeps connections and a pool of
// buffers.
func serveStock(addr string, rest []string) error {
	tlsAddr, cert, key, backends := rest[0], rest[1], rest[2], strings.Split(rest[3], ",")
	var next atomic.Uint64
	h := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: backends[next.Add(1)%uint64(len(backends))]})
			r.SetXForwarded()
		},
		Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
			MaxIdleConnsPerHost: 256,
			DisableCompression:  true,
		},
		BufferPool: new(buffers),
	}
	go func() {
		fmt.Fprintln(os.Stderr, http.ListenAndServeTLS(tlsAddr, cert, key, h))
	}()
	return http.ListenAndServe(addr, h)
}

type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return p[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }

// allocations returns the allocations of a counting process.
func allocations(addr string) (n, bytes float64, err error) {
	res, err := http.Get("http://" + addr)
	if err != nil {
		return 0, 0, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, 0, err
	}
	_, err = fmt.Sscan(string(text), &n, &bytes)
	return n, bytes, err
}
