package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

const row = "%-22s %-9s %6s %9s %9s %9s %5s %6s %7s %7s %7s  %s\n"

func printHeader(w io.Writer, o options) {
	fmt.Fprintf(w, "%s, %s/%s, %d CPUs; %d requests/s for %v, %d run(s)\n\n",
		time.Now().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rate, o.last, o.runs)
	fmt.Fprintf(w, row, "case", "proxy", "sent", "failed", ">500 ms", ">1 s", "dup", "again", "p50 ms", "p99 ms", "max ms", "")
}

func (o *outcome) print(w io.Writer) {
	if o.Skipped != "" {
		fmt.Fprintf(w, row, o.Case, o.Proxy, "-", "-", "-", "-", "-", "-", "-", "-", "-", "skipped: "+o.Skipped)
		return
	}
	percent := func(n int) string { return fmt.Sprintf("%.2f %%", o.share(n)*100) }
	fmt.Fprintf(w, row, o.Case, o.Proxy, fmt.Sprint(o.Sent), percent(o.Failed), percent(o.Over500ms), percent(o.Over1s),
		fmt.Sprint(o.Duplicated), fmt.Sprint(o.Again), ms(o.P50), ms(o.P99), ms(o.Max), o.remark())
}

// lagMax is the delay of sending from which a report notes that the machine was too
// busy to measure.
const lagMax = 100 * time.Millisecond

// remark returns the verdict and the failures.
func (o *outcome) remark() string {
	var parts []string
	switch {
	case len(o.Missed) > 0:
		parts = append(parts, "MISSED: "+strings.Join(o.Missed, ", "))
	case o.Proxy == subject:
		parts = append(parts, "ok: "+o.Must)
	}
	return strings.Join(append(parts, o.notes()...), "; ")
}

// notes returns notes on a busy machine, on the proxy's queue, and on failures.
func (o *outcome) notes() (all []string) {
	if o.Lag > millis(lagMax) {
		all = append(all, fmt.Sprintf("this machine lagged by %.0f ms", o.Lag.ms()))
	}
	if o.Refused > 0 {
		all = append(all, fmt.Sprintf("%d refused as overloaded", o.Refused))
	}
	if o.Queued > 0 {
		all = append(all, fmt.Sprintf("%d in a queue for more than %v", o.Queued, queuedMax))
	}
	for _, failure := range slices.Sorted(maps.Keys(o.Failures)) {
		all = append(all, fmt.Sprintf("%d × %s", o.Failures[failure], failure))
	}
	return all
}

// report is the JSON form of a campaign.
type report struct {
	Time     time.Time     `json:"time"`
	System   string        `json:"system"`
	CPUs     int           `json:"cpus"`
	Go       string        `json:"go"`
	Rate     int           `json:"rate"`
	Seconds  float64       `json:"seconds"`
	Runs     int           `json:"runs"`
	Quiet    bool          `json:"quiet"` // the cases are in their quiet form
	Proxies  []proxyReport `json:"proxies"`
	Outcomes []*outcome    `json:"outcomes"`
}

// proxyReport describes a measured proxy.
type proxyReport struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Settings string `json:"settings"` // description of the settings
	Config   string `json:"config"`   // an example, without the parts that differ between cases
}

func newReport(o options, chosen []peer, all []*outcome) (*report, error) {
	r := &report{
		Time:     time.Now().UTC(),
		System:   system(),
		CPUs:     runtime.NumCPU(),
		Go:       runtime.Version(),
		Rate:     o.rate,
		Seconds:  o.last.Seconds(),
		Runs:     o.runs,
		Quiet:    o.quiet,
		Outcomes: all,
	}
	for _, p := range chosen {
		config, err := p.render(settings{
			Addr: "127.0.0.1:8080", Dir: "/run/" + p.name, Bare: o.quiet,
			Backends: []string{"127.0.0.1:3001", "127.0.0.1:3002", "127.0.0.1:3003"},
		})
		if err != nil {
			return nil, err
		}
		r.Proxies = append(r.Proxies, proxyReport{p.name, p.versionText(), p.settings, string(config)})
	}
	return r, nil
}

// system returns the operating system, its release and the processor.
func system() string {
	parts := []string{runtime.GOOS + "/" + runtime.GOARCH}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		parts = append(parts, strings.TrimSpace(string(release)))
	}
	if cpu, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, model, ok := strings.Cut(string(cpu), "model name"); ok {
			model, _, _ = strings.Cut(model, "\n")
			parts = append(parts, strings.TrimLeft(model, "\t :"))
		}
	}
	return strings.Join(parts, ", ")
}

func (r *report) writeJSON(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// write writes the requested reports.
func (c *command) write(chosen []peer, all []*outcome) error {
	if c.json == "" && c.html == "" {
		return nil
	}
	r, err := newReport(c.options, chosen, all)
	if err != nil {
		return err
	}
	if c.json != "" {
		err = r.writeJSON(c.json)
	}
	if c.html != "" {
		err = errors.Join(err, r.writeHTML(c.html))
	}
	return err
}
