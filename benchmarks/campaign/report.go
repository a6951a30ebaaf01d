package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const row = "%-15s %-9s %6s %9s %9s %8s %5s %7s %7s %7s  %s\n"

func printHeader(w io.Writer, o options) {
	fmt.Fprintf(w, "%s, %s/%s, %d CPUs; %d requests/s for %v, %d run(s)\n\n",
		time.Now().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rate, o.last, o.runs)
	fmt.Fprintf(w, row, "case", "proxy", "sent", "failed", ">500 ms", ">1 s", "dup", "p50 ms", "p99 ms", "max ms", "")
}

func (o *outcome) print(w io.Writer) {
	if o.Skipped != "" {
		fmt.Fprintf(w, row, o.Case, o.Proxy, "-", "-", "-", "-", "-", "-", "-", "-", "skipped: "+o.Skipped)
		return
	}
	percent := func(n int) string { return fmt.Sprintf("%.2f %%", o.share(n)*100) }
	ms := func(m millis) string { return fmt.Sprintf("%.0f", m.ms()) }
	fmt.Fprintf(w, row, o.Case, o.Proxy, fmt.Sprint(o.Sent), percent(o.Failed), percent(o.Over500ms), percent(o.Over1s),
		fmt.Sprint(o.Duplicated), ms(o.P50), ms(o.P99), ms(o.Max), o.remark())
}

// lagMax is from when on a report says that the machine was too busy to measure.
const lagMax = 100 * time.Millisecond

// remark is the verdict, and what failed.
func (o *outcome) remark() string {
	var parts []string
	switch {
	case len(o.Missed) > 0:
		parts = append(parts, "MISSED: "+strings.Join(o.Missed, ", "))
	case o.Proxy == subject:
		parts = append(parts, "ok: "+o.Must)
	}
	if o.Lag > millis(lagMax) {
		parts = append(parts, fmt.Sprintf("this machine lagged by %.0f ms", o.Lag.ms()))
	}
	for _, failure := range slices.Sorted(maps.Keys(o.Failures)) {
		parts = append(parts, fmt.Sprintf("%d × %s", o.Failures[failure], failure))
	}
	return strings.Join(parts, "; ")
}

// report is the JSON form of a campaign.
type report struct {
	Time     time.Time  `json:"time"`
	System   string     `json:"system"`
	CPUs     int        `json:"cpus"`
	Go       string     `json:"go"`
	Rate     int        `json:"rate"`
	Seconds  float64    `json:"seconds"`
	Runs     int        `json:"runs"`
	Outcomes []*outcome `json:"outcomes"`
}

func writeJSON(file string, o options, all []*outcome) error {
	text, err := json.MarshalIndent(report{
		Time:     time.Now().UTC(),
		System:   runtime.GOOS + "/" + runtime.GOARCH,
		CPUs:     runtime.NumCPU(),
		Go:       runtime.Version(),
		Rate:     o.rate,
		Seconds:  o.last.Seconds(),
		Runs:     o.runs,
		Outcomes: all,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
