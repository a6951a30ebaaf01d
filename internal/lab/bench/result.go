package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// Result is the result of a run, and the form of its JSON. Times are in milliseconds
// unless stated otherwise.
type Result struct {
	Name         string         `json:"name,omitempty"`
	Target       string         `json:"target"`
	Load         string         `json:"load"`
	Start        time.Time      `json:"start"`
	Took         float64        `json:"took_seconds"`
	Requests     int            `json:"requests"`
	Failed       int            `json:"failed"`
	Unanswered   int            `json:"unanswered"` // of Failed: requests without a complete answer
	Bytes        int64          `json:"bytes"`
	Latency      Latency        `json:"latency"`
	Statuses     map[int]int    `json:"statuses"`
	Failures     map[string]int `json:"failures,omitempty"`
	Seconds      []Second       `json:"seconds"`
	Distribution []Quantile     `json:"distribution"`
	Machine      Machine        `json:"machine"`
}

// Latency has the latencies of answers, from the due times of their requests. Requests
// without a complete answer do not count. It is zero without answers.
type Latency struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// Second has the results of the requests that were due in one second.
type Second struct {
	Second  int     `json:"second"`
	Sent    int     `json:"sent"`
	Failed  int     `json:"failed"`
	Silent  int     `json:"unanswered"` // of Failed: requests without a complete answer
	Latency Latency `json:"latency"`
}

// Quantile is a point of the distribution: this share of the answers took at most this
// long.
type Quantile struct {
	Share float64 `json:"share"`
	Took  float64 `json:"ms"`
}

// Machine describes the machine of a run.
type Machine struct {
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	CPUs     int    `json:"cpus"`
	Go       string `json:"go"`
	Goodgate string `json:"goodgate"`
}

// ThisMachine describes this machine.
func ThisMachine() Machine {
	m := Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Go: runtime.Version(), Goodgate: "unknown"}
	if info, ok := debug.ReadBuildInfo(); ok {
		m.Goodgate = info.Main.Version
	}
	return m
}

// PerSecond returns the number of good answers per second.
func (r *Result) PerSecond() float64 {
	if r.Took == 0 {
		return 0
	}
	return float64(r.Requests-r.Failed) / r.Took
}

// FailedShare returns the share of requests that failed.
func (r *Result) FailedShare() float64 {
	return float64(r.Failed) / float64(max(r.Requests, 1))
}

// BytesPerSecond returns the bytes of bodies received per second.
func (r *Result) BytesPerSecond() float64 {
	if r.Took == 0 {
		return 0
	}
	return float64(r.Bytes) / r.Took
}

// Answered returns the number of requests with a complete answer of any status.
func (r *Result) Answered() int { return r.Requests - r.Unanswered }

// Hopeless returns an error with the most frequent cause if every request failed.
func (r *Result) Hopeless() error {
	if r.Requests == 0 || r.Failed < r.Requests {
		return nil
	}
	cause := r.causes()[0]
	return fmt.Errorf("all %d requests failed: %s (%d)", r.Requests, cause, r.Failures[cause])
}

// causes returns the names of failures, the most frequent first.
func (r *Result) causes() []string {
	return slices.SortedFunc(maps.Keys(r.Failures), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Failures[b], r.Failures[a]), cmp.Compare(a, b))
	})
}

// Write stores the result in a file, as JSON.
func (r *Result) Write(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}

// Read loads a result stored by Write.
func Read(file string) (*Result, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(Result)
	if err := json.Unmarshal(data, r); err != nil || r.Target == "" || len(r.Seconds) == 0 {
		return nil, fmt.Errorf("%s is not a result of goodgate bench: goodgate bench URL --json FILE writes one", file)
	}
	return r, nil
}
