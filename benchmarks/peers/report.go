package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	loadgen "github.com/goodgate/goodgate/internal/lab/bench"
)

// report has all measurements in the form of the JSON. Times are in milliseconds unless
// stated otherwise.
type report struct {
	When        time.Time         `json:"when"`
	Machine     loadgen.Machine   `json:"machine"`
	Kernel      string            `json:"kernel"`
	Processor   string            `json:"processor"`
	Command     string            `json:"command"`
	Versions    map[string]string `json:"versions"`
	Peers       []string          `json:"peers"`
	Rounds      int               `json:"rounds"`
	Each        float64           `json:"round_seconds"`
	Connections int               `json:"connections"`
	Idle        int               `json:"idle_clients"`
	Checks      int               `json:"checked_upstreams"`
	Rows        []*row            `json:"workloads"`
	Facts       map[string]*fact  `json:"proxies"`
	KneeRate    float64           `json:"nginx_knee_per_second"`
	Picks       map[string]pick   `json:"picks_of_10000"`
	Goals       []goal            `json:"goals"`
}

// row is the result of one proxy in one workload.
type row struct {
	Case    string   `json:"case"`
	Title   string   `json:"title"`
	Proxy   string   `json:"proxy"`
	Rounds  []sample `json:"rounds"`
	Skipped string   `json:"skipped,omitempty"` // why
	Failed  string   `json:"failed,omitempty"`  // why
}

// sample is the result of one round.
type sample struct {
	CPU  float64 `json:"cpu_us_per_request"` // CPU time of the proxy's processes
	Rate float64 `json:"requests_per_second"`
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
}

// fact has figures about a proxy outside of workloads; 0 = not measured.
type fact struct {
	StartMS     []float64 `json:"start,omitempty"`
	BinaryMB    float64   `json:"binary_mb,omitempty"`
	RestMB      []float64 `json:"resident_at_rest_mb,omitempty"`
	PeakMB      float64   `json:"peak_mb,omitempty"`
	IdleKB      float64   `json:"kb_per_idle_client,omitempty"`
	Allocs      float64   `json:"allocations_per_get,omitempty"`
	AllocKB     float64   `json:"kb_allocated_per_get,omitempty"`
	KneeP50     []float64 `json:"knee_p50,omitempty"`
	KneeP99     []float64 `json:"knee_p99,omitempty"`
	KneeFailed  float64   `json:"knee_failed,omitempty"` // share of failures
	ChecksShare float64   `json:"checks_cpu_share,omitempty"`
	ChecksRate  float64   `json:"checks_per_second,omitempty"`
	ChecksBurst float64   `json:"checks_burst,omitempty"` // highest number in 100 ms, relative to the mean
	ChecksMB    float64   `json:"checks_resident_mb,omitempty"`
}

type pick struct {
	NS     float64 `json:"ns"`
	Allocs float64 `json:"allocations"`
}

func newReport(o options, peers []*peer) (*report, error) {
	r := &report{
		When: time.Now(), Machine: loadgen.ThisMachine(), Command: strings.Join(slices.Concat([]string{"peers"}, os.Args[1:]), " "),
		Versions: map[string]string{}, Rounds: o.rounds, Each: o.each.Seconds(), Connections: o.connections, Idle: o.idle, Checks: o.checks,
		Facts: map[string]*fact{},
	}
	kernel, err := exec.Command("uname", "-sr").Output()
	if err != nil {
		return nil, err
	}
	r.Kernel = strings.TrimSpace(string(kernel))
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	_, rest, _ := strings.Cut(string(cpus), "model name")
	line, _, _ := strings.Cut(rest, "\n")
	r.Processor = strings.Trim(line, " \t:")
	for _, p := range peers {
		r.Peers = append(r.Peers, p.name)
		r.Versions[p.name] = p.versionOf()
	}
	return r, nil
}

func (r *report) fact(name string) *fact {
	if r.Facts[name] == nil {
		r.Facts[name] = new(fact)
	}
	return r.Facts[name]
}

// row returns the row of a workload and a proxy, nil without one.
func (r *report) row(name, proxy string) *row {
	for _, x := range r.Rows {
		if x.Case == name && x.Proxy == proxy {
			return x
		}
	}
	return nil
}

func (r *report) rowOf(w workload, proxy string) *row {
	if x := r.row(w.name, proxy); x != nil {
		return x
	}
	x := &row{Case: w.name, Title: w.title, Proxy: proxy}
	r.Rows = append(r.Rows, x)
	return x
}

func (r *report) add(w workload, proxy string, s sample) {
	x := r.rowOf(w, proxy)
	x.Rounds = append(x.Rounds, s)
}

func (r *report) skip(w workload, proxy, why string) { r.rowOf(w, proxy).Skipped = why }

func (r *report) fail(w workload, proxy string, err error) {
	text, _, _ := strings.Cut(err.Error(), "\n") // one client's error is enough
	r.rowOf(w, proxy).Failed = text
	fmt.Fprintf(os.Stderr, "%s: %s: %s\n", w.name, proxy, text)
}

// failed reports whether something could not be measured.
func (r *report) failed() bool {
	return slices.ContainsFunc(r.Rows, func(x *row) bool { return x.Failed != "" })
}

// of returns the median over the rounds, 0 without rounds.
func (x *row) of(value func(sample) float64) float64 {
	if x == nil {
		return 0
	}
	values := make([]float64, len(x.Rounds))
	for i, s := range x.Rounds {
		values[i] = value(s)
	}
	return median(values)
}

func (s sample) cpu() float64  { return s.CPU }
func (s sample) rate() float64 { return s.Rate }
func (s sample) p99() float64  { return s.P99 }

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare[float64])
	return sorted[len(sorted)/2]
}

// write stores the report in the requested files.
func (r *report) write(asJSON, asHTML string) error {
	var errs []error
	if asJSON != "" {
		data, err := json.MarshalIndent(r, "", "  ")
		errs = append(errs, err, os.WriteFile(asJSON, append(data, '\n'), 0o644))
	}
	if asHTML != "" {
		f, err := os.Create(asHTML)
		if err == nil {
			err = errors.Join(r.page(f), f.Close())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
