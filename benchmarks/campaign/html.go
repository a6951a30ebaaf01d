package main

import (
	_ "embed" // for the template
	"errors"
	"fmt"
	"html/template"
	"math"
	"os"
	"slices"
	"strings"
)

//go:embed report.html
var reportHTML string

// sheet is the report in the form of the HTML template.
type sheet struct {
	*report
	Cases []*caseSheet
}

// caseSheet is one case, with a row per proxy.
type caseSheet struct {
	Name, Says, Must string
	Rows             []*rowSheet
}

// rowSheet has all runs of a case against one proxy.
type rowSheet struct {
	Proxy string
	Runs  []*outcome
}

func newSheet(r *report) *sheet {
	s := &sheet{report: r}
	for _, o := range r.Outcomes {
		c := find(&s.Cases, func(c *caseSheet) bool { return c.Name == o.Case },
			&caseSheet{Name: o.Case, Says: o.Says, Must: o.Must})
		row := find(&c.Rows, func(row *rowSheet) bool { return row.Proxy == o.Proxy }, &rowSheet{Proxy: o.Proxy})
		row.Runs = append(row.Runs, o)
	}
	return s
}

// find returns the first matching element. If there is none, it adds and returns
// otherwise.
func find[T any](all *[]*T, is func(*T) bool, otherwise *T) *T {
	if i := slices.IndexFunc(*all, is); i >= 0 {
		return (*all)[i]
	}
	*all = append(*all, otherwise)
	return otherwise
}

// Row returns the case's row for a proxy, nil if there is none.
func (c *caseSheet) Row(proxy string) *rowSheet {
	i := slices.IndexFunc(c.Rows, func(r *rowSheet) bool { return r.Proxy == proxy })
	if i < 0 {
		return nil
	}
	return c.Rows[i]
}

// Skipped returns the reason for missing figures, "" if there are figures.
func (r *rowSheet) Skipped() string { return r.Runs[0].Skipped }

// Subject reports whether the row is goodgate's.
func (r *rowSheet) Subject() bool { return r.Proxy == subject }

// Verdict returns goodgate's verdict over all runs.
func (r *rowSheet) Verdict() string {
	var missed []string
	for _, o := range r.Runs {
		for _, m := range o.Missed {
			missed = append(missed, fmt.Sprintf("run %d: %s", o.Run, m))
		}
	}
	if len(missed) > 0 {
		return "missed: " + strings.Join(missed, "; ")
	}
	return "reached"
}

// Cell returns the share of failed requests in each run.
func (r *rowSheet) Cell() string {
	return r.each(func(o *outcome) string { return percent(o.share(o.Failed)) })
}

// Grade returns the grade of the worst run, 0 to 3: 0 = no failures.
func (r *rowSheet) Grade() int {
	worst := 0.0
	for _, o := range r.Runs {
		worst = max(worst, o.share(o.Failed))
	}
	switch {
	case worst == 0:
		return 0
	case worst < 0.005:
		return 1
	case worst < 0.05:
		return 2
	}
	return 3
}

// Results of the runs, one figure each.
func (r *rowSheet) Over500ms() string {
	return r.each(func(o *outcome) string { return percent(o.share(o.Over500ms)) })
}
func (r *rowSheet) Over1s() string {
	return r.each(func(o *outcome) string { return percent(o.share(o.Over1s)) })
}
func (r *rowSheet) Duplicated() string {
	return r.each(func(o *outcome) string { return fmt.Sprint(o.Duplicated) })
}
func (r *rowSheet) Again() string {
	return r.each(func(o *outcome) string { return fmt.Sprint(o.Again) })
}
func (r *rowSheet) P50() string { return r.each(func(o *outcome) string { return ms(o.P50) }) }
func (r *rowSheet) P99() string { return r.each(func(o *outcome) string { return ms(o.P99) }) }
func (r *rowSheet) Max() string { return r.each(func(o *outcome) string { return ms(o.Max) }) }

// Failures returns the failures as seen by clients, and notes on a busy machine.
func (r *rowSheet) Failures() string {
	return strings.Trim(r.each(func(o *outcome) string { return strings.Join(o.notes(), ", ") }), " /")
}

func (r *rowSheet) each(f func(*outcome) string) string {
	parts := make([]string, len(r.Runs))
	for i, o := range r.Runs {
		parts[i] = f(o)
	}
	if len(slices.Compact(slices.Clone(parts))) == 1 {
		return parts[0]
	}
	return strings.Join(parts, " / ")
}

func percent(share float64) string {
	if share == 0 {
		return "0"
	}
	return fmt.Sprintf("%.2f %%", share*100)
}

func ms(m millis) string { return fmt.Sprintf("%.0f", m.ms()) }

// The size of a plot, and the slowest visible latency.
const (
	plotWidth, plotHeight = 600.0, 60.0
	plotMin, plotMax      = 1.0, 10000.0 // ms
)

// bar is the failures among the requests of one moment.
type bar struct {
	X, Y, W, H float64
	Text       string
}

// timeline returns the sums of the runs.
func (r *rowSheet) timeline() []moment {
	var all []moment
	for _, o := range r.Runs {
		for i, m := range o.Timeline {
			if i == len(all) {
				all = append(all, moment{})
			}
			all[i].Sent += m.Sent
			all[i].Failed += m.Failed
			all[i].Max = max(all[i].Max, m.Max)
		}
	}
	return all
}

// Bars returns the share of failed requests over time.
func (r *rowSheet) Bars() (bars []bar) {
	all := r.timeline()
	w := plotWidth / float64(max(len(all), 1))
	for i, m := range all {
		if m.Failed == 0 {
			continue
		}
		h := plotHeight * float64(m.Failed) / float64(m.Sent)
		at := float64(i) * momentLength.Seconds()
		bars = append(bars, bar{float64(i) * w, plotHeight - h, w, h, fmt.Sprintf("%.1f s: %d of %d failed", at, m.Failed, m.Sent)})
	}
	return bars
}

// Line returns the slowest request of each moment over time, on a logarithmic scale.
func (r *rowSheet) Line() string {
	all := r.timeline()
	w := plotWidth / float64(max(len(all), 1))
	var points strings.Builder
	for i, m := range all {
		ms := min(max(m.Max.ms(), plotMin), plotMax)
		y := plotHeight * (1 - math.Log(ms/plotMin)/math.Log(plotMax/plotMin))
		fmt.Fprintf(&points, "%.1f,%.1f ", (float64(i)+0.5)*w, y)
	}
	return points.String()
}

func (r *report) writeHTML(file string) error {
	t, err := template.New("report").Parse(reportHTML)
	if err != nil {
		return err
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(t.Execute(f, newSheet(r)), f.Close())
}
