package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// result is what a load saw.
type result struct {
	took time.Duration
	p99  time.Duration
}

// load sends requests GETs over connections keep-alive connections, one after
// another on each. It is a closed loop: good for cost per request, not for
// latency under a given rate. It never retries: any failure ends it.
func load(addr string, connections, requests int) (result, error) {
	share := max(requests/connections, 1)
	times := make([][]time.Duration, connections)
	errs := make([]error, connections)
	began := time.Now()
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() { times[i], errs[i] = client(addr, share) })
	}
	wg.Wait()
	r := result{took: time.Since(began)}
	var all []time.Duration
	for i := range connections {
		if errs[i] != nil {
			return r, errs[i]
		}
		all = append(all, times[i]...)
	}
	slices.Sort(all)
	r.p99 = all[len(all)*99/100]
	return r, nil
}

func client(addr string, n int) ([]time.Duration, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	br := bufio.NewReader(c)
	request := []byte("GET / HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: cost\r\n\r\n")
	times := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		if _, err := c.Write(request); err != nil {
			return nil, err
		}
		res, err := http.ReadResponse(br, nil)
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return nil, err
		}
		if res.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("status %d", res.StatusCode)
		}
		times = append(times, time.Since(began))
	}
	return times, nil
}
