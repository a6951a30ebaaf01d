package main

import (
	"net/http"
	"time"
)

// unhindered is the target of the innocent cases.
var unhindered = must{long: true, prompt: true}

// longGet is a slow GET on a healthy upstream.
func longGet(takes time.Duration) request {
	return request{method: http.MethodGet, kind: answered, takes: takes}
}

// innocent returns a case with a workload that only looks like a failure.
func innocent(name, says string, s scenario) scenario {
	s.name, s.says = "innocent-"+name, says
	s.bare, s.must, s.patience = true, unhindered, 10*second
	s.pace.last = innocentFor
	return s
}

const innocentFor = 3 * second

// innocents are the cases without faults.
var innocents = []scenario{
	innocent("long-poll", "each request takes 3 s: 450 at once", scenario{
		pace: pace{rate: 150}, mix: mix{every: 1, other: longGet(3 * second)},
	}),
	innocent("events", "streams of events (SSE) of 2 s: 150 at once", scenario{
		pace: pace{rate: 75}, mix: mix{every: 1, other: request{method: http.MethodGet, kind: events, takes: 2 * second}},
	}),
	innocent("socket", "WebSockets that last 2 s: 150 at once", scenario{
		pace: pace{rate: 75}, mix: mix{every: 1, other: request{method: http.MethodGet, kind: socket, takes: 2 * second}},
	}),
	innocent("mixed", "one request in a hundred takes 2 s, the others 10 ms", scenario{
		traits: traits{work: 10 * time.Millisecond}, mix: mix{every: 100, other: longGet(2 * second)},
	}),
	innocent("report", "one request in ten goes to an endpoint that takes 2 s, the others take 5 ms", scenario{
		traits: traits{work: 5 * time.Millisecond}, mix: mix{every: 10, other: longGet(2 * second)},
	}),
	innocent("cold", "for the first 1.5 s every request takes ten times as long: 100 ms", scenario{
		traits: traits{work: 10 * time.Millisecond},
		steps: func(int) []step {
			return []step{{0, everyone, become(tenfold)}, {1500 * time.Millisecond, everyone, become(healthy)}}
		},
	}),
	innocentPause(),
	innocent("deploy", "after 1 s every request takes twice as long: 40 ms", scenario{
		traits: traits{work: 20 * time.Millisecond}, steps: all(twofold),
	}),
	innocent("burst", "300 requests at once, from idle, twice", scenario{
		traits: traits{work: 10 * time.Millisecond}, pace: pace{rate: 150, burst: 300, first: 500 * time.Millisecond},
	}),
	innocent("client", "one client with 200 connections, all in use", scenario{
		traits: traits{work: 400 * time.Millisecond}, pace: pace{rate: 500},
	}),
	innocent("upload", "one POST in fifty is an upload of 64 MiB that takes 2 s", scenario{
		pace: pace{rate: 50}, mix: mix{every: 50, other: request{method: http.MethodPost, kind: delivered, takes: 2 * second}},
	}),
	innocent("worker", "each backend has one worker, which is busy half of the time: other requests wait in the backend", scenario{
		traits: traits{work: 10 * time.Millisecond, lone: true}, pace: pace{rate: 150},
	}),
}

// innocentPause freezes all backends. Requests have to wait, and may do so in a queue.
func innocentPause() scenario {
	s := innocent("pause", "all are stopped for 2 s (SIGSTOP), as by a garbage collector", scenario{
		steps: during(2*second, everyone, (*backend).freeze, (*backend).thaw),
	})
	s.pace.last = 4 * second
	s.must = must{slowest: 2500 * time.Millisecond}
	return s
}
